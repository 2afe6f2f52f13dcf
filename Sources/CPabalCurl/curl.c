#define _GNU_SOURCE
#include "CPabalCurl.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* The functions of libcurl that Pabal calls; all exist since 7.18.2. */
static struct {
  __typeof__(&curl_global_init) global_init;
  __typeof__(&curl_version_info) version_info;
  __typeof__(&curl_easy_init) init;
  __typeof__(&curl_easy_cleanup) cleanup;
  __typeof__(&curl_easy_perform) perform;
  __typeof__(&curl_easy_send) send;
  __typeof__(&curl_easy_recv) recv;
  __typeof__(&curl_easy_strerror) strerror;
  __typeof__(&curl_slist_append) slist_append;
  __typeof__(&curl_slist_free_all) slist_free_all;
  CURLcode (*setopt)(CURL *, CURLoption, ...);
  CURLcode (*getinfo)(CURL *, CURLINFO, ...);
} curl;

static CURLcode initialised = CURLE_FAILED_INIT;

static void load(void) {
  /* RTLD_DEEPBIND: its thirty libraries look up symbols in each other before the
   * host and Swift's runtime, which takes a quarter of the time and can't mix up
   * the symbols of two TLS libraries. */
  void *library = dlopen("libcurl.so.4", RTLD_LAZY | RTLD_LOCAL | RTLD_DEEPBIND);
  if (library == NULL) return;
#define FIND(field, name) \
  if ((*(void **)&curl.field = dlsym(library, name)) == NULL) return
  FIND(global_init, "curl_global_init");
  FIND(version_info, "curl_version_info");
  FIND(init, "curl_easy_init");
  FIND(cleanup, "curl_easy_cleanup");
  FIND(perform, "curl_easy_perform");
  FIND(send, "curl_easy_send");
  FIND(recv, "curl_easy_recv");
  FIND(strerror, "curl_easy_strerror");
  FIND(slist_append, "curl_slist_append");
  FIND(slist_free_all, "curl_slist_free_all");
  FIND(setopt, "curl_easy_setopt");
  FIND(getinfo, "curl_easy_getinfo");
#undef FIND
  initialised = curl.global_init(CURL_GLOBAL_ALL);
}

CURLcode pabal_curl_global_init(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return initialised;
}

CURL *pabal_curl_init(void) { return pabal_curl_global_init() == CURLE_OK ? curl.init() : NULL; }
void pabal_curl_cleanup(CURL *handle) { curl.cleanup(handle); }
CURLcode pabal_curl_perform(CURL *handle) { return curl.perform(handle); }
CURLcode pabal_curl_send(CURL *handle, const void *bytes, size_t count, size_t *sent) {
  return curl.send(handle, bytes, count, sent);
}
CURLcode pabal_curl_receive(CURL *handle, void *bytes, size_t count, size_t *received) {
  return curl.recv(handle, bytes, count, received);
}
const char *pabal_curl_error_text(CURLcode code) {
  return pabal_curl_global_init() == CURLE_OK ? curl.strerror(code) : "libcurl.so.4 can't be loaded";
}
struct curl_slist *pabal_curl_list_append(struct curl_slist *list, const char *text) {
  return pabal_curl_global_init() == CURLE_OK ? curl.slist_append(list, text) : NULL;
}
void pabal_curl_list_free(struct curl_slist *list) {
  if (list != NULL) curl.slist_free_all(list);
}
const curl_version_info_data *pabal_curl_version(void) {
  return pabal_curl_global_init() == CURLE_OK ? curl.version_info(CURLVERSION_NOW) : NULL;
}

CURLcode pabal_curl_set_long(CURL *handle, CURLoption option, long value) {
  return curl.setopt(handle, option, value);
}
CURLcode pabal_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
  return curl.setopt(handle, option, value);
}
CURLcode pabal_curl_set_text(CURL *handle, CURLoption option, const char *value) {
  return curl.setopt(handle, option, value);
}
CURLcode pabal_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
  return curl.setopt(handle, option, value);
}
CURLcode pabal_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
  return curl.setopt(handle, option, value);
}
CURLcode pabal_curl_set_data(CURL *handle, CURLoption option, pabal_curl_data value) {
  return curl.setopt(handle, option, value);
}
CURLcode pabal_curl_set_progress(CURL *handle, pabal_curl_progress progress, void *context) {
  CURLcode code = curl.setopt(handle, CURLOPT_XFERINFOFUNCTION, progress);
  if (code == CURLE_OK) code = curl.setopt(handle, CURLOPT_XFERINFODATA, context);
  return code == CURLE_OK ? curl.setopt(handle, CURLOPT_NOPROGRESS, progress == NULL ? 1L : 0L) : code;
}
CURLcode pabal_curl_get_long(CURL *handle, CURLINFO info, long *value) {
  return curl.getinfo(handle, info, value);
}
CURLcode pabal_curl_get_offset(CURL *handle, CURLINFO info, curl_off_t *value) {
  return curl.getinfo(handle, info, value);
}
CURLcode pabal_curl_get_socket(CURL *handle, curl_socket_t *value) {
  return curl.getinfo(handle, CURLINFO_ACTIVESOCKET, value);
}
CURLcode pabal_curl_get_text(CURL *handle, CURLINFO info, const char **value) {
  return curl.getinfo(handle, info, value);
}

static curl_socket_t duplicate(void *socket, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
  (void)address;
  return fcntl((int)(intptr_t)socket, F_DUPFD_CLOEXEC, 0);
}

static int is_connected(void *context, curl_socket_t socket, curlsocktype purpose) {
  (void)context;
  (void)socket;
  (void)purpose;
  return CURL_SOCKOPT_ALREADY_CONNECTED;
}

CURLcode pabal_curl_adopt(CURL *handle, curl_socket_t socket) {
  CURLcode code = curl.setopt(handle, CURLOPT_OPENSOCKETDATA, (void *)(intptr_t)socket);
  if (code == CURLE_OK) code = curl.setopt(handle, CURLOPT_OPENSOCKETFUNCTION, duplicate);
  if (code == CURLE_OK) code = curl.setopt(handle, CURLOPT_SOCKOPTFUNCTION, is_connected);
  return code;
}

int pabal_tcp_state(curl_socket_t socket, struct pabal_tcp_state *state) {
  struct tcp_info info;
  socklen_t size = sizeof info;
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  if (ioctl(socket, SIOCOUTQ, &state->unacknowledged) != 0) return 0;
  state->is_half_closed = info.tcpi_state == TCP_CLOSE_WAIT;
  state->is_closed = info.tcpi_state == TCP_CLOSE;
  size = sizeof state->error;
  return getsockopt(socket, SOL_SOCKET, SO_ERROR, &state->error, &size) == 0;
}
