#include <curl/curl.h>

/* Swift imports no variadic functions. The parentheses step past libcurl's
 * type-checking macros, which Clang can't expand in an inline function. */

typedef size_t (*pabal_curl_data)(char *, size_t, size_t, void *);

static inline CURLcode pabal_curl_set_long(CURL *handle, CURLoption option, long value) {
  return (curl_easy_setopt)(handle, option, value);
}
static inline CURLcode pabal_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
  return (curl_easy_setopt)(handle, option, value);
}
static inline CURLcode pabal_curl_set_text(CURL *handle, CURLoption option, const char *value) {
  return (curl_easy_setopt)(handle, option, value);
}
static inline CURLcode pabal_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
  return (curl_easy_setopt)(handle, option, value);
}
static inline CURLcode pabal_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
  return (curl_easy_setopt)(handle, option, value);
}
static inline CURLcode pabal_curl_set_data(CURL *handle, CURLoption option, pabal_curl_data value) {
  return (curl_easy_setopt)(handle, option, value);
}
static inline CURLcode pabal_curl_get_long(CURL *handle, CURLINFO info, long *value) {
  return (curl_easy_getinfo)(handle, info, value);
}
static inline CURLcode pabal_curl_get_offset(CURL *handle, CURLINFO info, curl_off_t *value) {
  return (curl_easy_getinfo)(handle, info, value);
}
static inline CURLcode pabal_curl_get_socket(CURL *handle, curl_socket_t *value) {
  return (curl_easy_getinfo)(handle, CURLINFO_ACTIVESOCKET, value);
}
static inline CURLcode pabal_curl_get_text(CURL *handle, CURLINFO info, const char **value) {
  return (curl_easy_getinfo)(handle, info, value);
}
static inline CURLcode pabal_curl_global_init(void) {
  return curl_global_init(CURL_GLOBAL_ALL);
}
static inline const curl_version_info_data *pabal_curl_version(void) {
  return curl_version_info(CURLVERSION_NOW);
}
