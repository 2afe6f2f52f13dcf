#ifndef CPABAL_CURL_H
#define CPABAL_CURL_H

#include <curl/curl.h>

/* libcurl for Swift, loaded on first use because it and its dependencies take as
 * long to load as the rest of the command, and most commands don't need it.
 * Swift can't import variadic functions, so there is one function per type. */

/* The ways to log in to a proxy; Swift can't import the macros. */
static const long pabal_curl_proxy_logins = (long)(CURLAUTH_BASIC | CURLAUTH_DIGEST | CURLAUTH_NTLM);

typedef size_t (*pabal_curl_data)(char *, size_t, size_t, void *);
typedef int (*pabal_curl_progress)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t);

/* Loads and initialises libcurl, once; must succeed before the other functions. */
CURLcode pabal_curl_global_init(void);

CURL *pabal_curl_init(void);
void pabal_curl_cleanup(CURL *handle);
CURLcode pabal_curl_perform(CURL *handle);
CURLcode pabal_curl_send(CURL *handle, const void *bytes, size_t count, size_t *sent);
CURLcode pabal_curl_receive(CURL *handle, void *bytes, size_t count, size_t *received);
const char *pabal_curl_error_text(CURLcode code);
struct curl_slist *pabal_curl_list_append(struct curl_slist *list, const char *text);
void pabal_curl_list_free(struct curl_slist *list);
const curl_version_info_data *pabal_curl_version(void);

CURLcode pabal_curl_set_long(CURL *handle, CURLoption option, long value);
CURLcode pabal_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value);
CURLcode pabal_curl_set_text(CURL *handle, CURLoption option, const char *value);
CURLcode pabal_curl_set_pointer(CURL *handle, CURLoption option, void *value);
CURLcode pabal_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value);
CURLcode pabal_curl_set_data(CURL *handle, CURLoption option, pabal_curl_data value);
/* Calls `progress` with `context` during transfers; a null pointer ends it. */
CURLcode pabal_curl_set_progress(CURL *handle, pabal_curl_progress progress, void *context);
CURLcode pabal_curl_get_long(CURL *handle, CURLINFO info, long *value);
CURLcode pabal_curl_get_offset(CURL *handle, CURLINFO info, curl_off_t *value);
CURLcode pabal_curl_get_socket(CURL *handle, curl_socket_t *value);
CURLcode pabal_curl_get_text(CURL *handle, CURLINFO info, const char **value);

/* Lets the handle's next connection be one that another handle has made: the
 * handle uses a duplicate of `socket` and doesn't connect. */
CURLcode pabal_curl_adopt(CURL *handle, curl_socket_t socket);

/* What the kernel knows of a TCP connection. */
struct pabal_tcp_state {
  int is_half_closed;  /* the peer has closed its side, and nothing else has ended the connection */
  int is_closed;       /* it has ended */
  int error;           /* its pending error, which reading it clears */
  int unacknowledged;  /* how many bytes the peer's kernel hasn't acknowledged */
};
/* Returns 0 if the socket isn't a TCP connection. */
int pabal_tcp_state(curl_socket_t socket, struct pabal_tcp_state *state);

#endif
