// curl_rest PORT COUNT IN-FLIGHT CA.pem MAIL.eml threads|multi|http2 [graph]: sends one mail COUNT times to Gmail's
// REST API by media upload, or to Microsoft Graph, for which the mail is encoded as base64 once before the first.
//
// What libcurl can do at best, three ways: HTTP/1.1 with transfer kept easy handle a thread, HTTP/1.1 with all
// handles on transfer thread, HTTP/2 with all handles as streams of transfer connection; transfer thread is driven by epoll
// and curl_multi_socket_action. The mail is ready-made.
#define _GNU_SOURCE
#include "baseline.h"

#include <sys/epoll.h>

static const char *port, *authorities;
static mail message;
static long version = CURL_HTTP_VERSION_1_1;
static int is_graph;
static struct curl_slist *headers;

typedef struct {
  CURL *handle;
  char answer[512];
  size_t count;
} request;

static size_t append_response(char *message, size_t size, size_t count, void *context) {
  request *transfer = context;
  size_t length = size * count;
  if (transfer->count + length < sizeof transfer->answer) memcpy(transfer->answer + transfer->count, message, length), transfer->count += length;
  return length;
}

static void prepare(request *transfer) {
  char url[128];
  snprintf(url, sizeof url, "https://localhost:%s%s", port,
           is_graph ? "/v1.0/me/sendMail" : "/upload/gmail/v1/users/me/messages/send?uploadType=media");
  CURL *handle = transfer->handle = curl_easy_init();
  curl_easy_setopt(handle, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(handle, CURLOPT_URL, url);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CAINFO, authorities);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, version);
  if (version != CURL_HTTP_VERSION_1_1) curl_easy_setopt(handle, CURLOPT_PIPEWAIT, 1L);
  curl_easy_setopt(handle, CURLOPT_POST, 1L);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, message.content);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)message.count);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, append_response);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, transfer);
}

static void finish(request *transfer, CURLcode code) {
  long status = 0;
  curl_easy_getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &status);
  int is_accepted = is_graph ? status == 202 : status == 200 && memmem(transfer->answer, transfer->count, "\"id\"", 4);
  record_result(code == CURLE_OK && is_accepted, curl_easy_strerror(code), status);
}

static void *work(void *unused) {
  request transfer;
  prepare(&transfer);
  while (take_next()) {
    transfer.count = 0;
    finish(&transfer, curl_easy_perform(transfer.handle));
  }
  curl_easy_cleanup(transfer.handle);
  return unused;
}

static int poller;
static long timer = -1;  // milliseconds until libcurl wants to be called; -1: none
static int in_flight_count;

static int update_socket(CURL *handle, curl_socket_t socket, int what, void *multi, void *known) {
  (void)handle;
  struct epoll_event event = {.data.fd = socket};
  if (what == CURL_POLL_REMOVE) return epoll_ctl(poller, EPOLL_CTL_DEL, socket, NULL), 0;
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
  if (known == NULL) curl_multi_assign(multi, socket, &poller);
  return epoll_ctl(poller, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
}

static int set_timer(CURLM *multi, long milliseconds, void *unused) {
  (void)multi, (void)unused;
  timer = milliseconds;
  return 0;
}

/// Handles the completed requests and starts the next ones.
static void handle_completed(CURLM *multi) {
  CURLMsg *message;
  int waiting;
  while ((message = curl_multi_info_read(multi, &waiting))) {
    if (message->msg != CURLMSG_DONE) continue;
    request *transfer;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    finish(transfer, message->data.result);
    curl_multi_remove_handle(multi, transfer->handle);
    transfer->count = 0;
    in_flight_count--;
    if (!take_next()) continue;
    curl_multi_add_handle(multi, transfer->handle);
    in_flight_count++;
  }
}

static int run_multi(int count, int in_flight) {
  request *all = calloc((size_t)in_flight, sizeof *all);
  if (all == NULL) return 71;
  poller = epoll_create1(EPOLL_CLOEXEC);
  CURLM *multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, update_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, multi);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)in_flight + 4);
  if (version != CURL_HTTP_VERSION_1_1) curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
  atomic_store(&remaining, count);
  int running;
  for (int i = 0; i < in_flight && take_next(); i++, in_flight_count++) {
    prepare(&all[i]);
    curl_multi_add_handle(multi, all[i].handle);
  }
  while (in_flight_count > 0) {
    struct epoll_event events[64];
    int ready = timer == 0 ? 0 : epoll_wait(poller, events, 64, timer > 0 ? (int)timer : 1000);
    if (ready == 0) {
      timer = -1;
      curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    for (int i = 0; i < ready; i++) {
      int what = (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? CURL_CSELECT_IN : 0) |
                 (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
      curl_multi_socket_action(multi, events[i].data.fd, what, &running);
    }
    handle_completed(multi);
  }
  for (int i = 0; i < in_flight; i++) curl_easy_cleanup(all[i].handle);
  curl_multi_cleanup(multi);
  free(all);
  return atomic_load(&failed) > 0;
}

/// Returns the mail in base64 (RFC 4648, 4).
static mail encoded(mail plain) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  mail result = {malloc((plain.count + 2) / 3 * 4), 0};
  if (result.content == NULL) exit(71);
  const unsigned char *in = (const unsigned char *)plain.content;
  for (size_t i = 0; i < plain.count; i += 3) {
    size_t left = plain.count - i;
    unsigned group = (unsigned)in[i] << 16 | (left > 1 ? (unsigned)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);
    result.content[result.count++] = digits[group >> 18];
    result.content[result.count++] = digits[group >> 12 & 63];
    result.content[result.count++] = left > 1 ? digits[group >> 6 & 63] : '=';
    result.content[result.count++] = left > 2 ? digits[group & 63] : '=';
  }
  return result;
}

int main(int count, char **arguments) {
  if (count != 7 && count != 8)
    return fprintf(stderr, "usage: curl_rest PORT COUNT IN-FLIGHT CA.pem MAIL.eml threads|multi|http2 [graph]\n"), 64;
  is_graph = count == 8;
  port = arguments[1];
  authorities = arguments[4];
  message = read_mail(arguments[5]);
  if (is_graph) message = encoded(message);
  curl_global_init(CURL_GLOBAL_ALL);
  headers = curl_slist_append(NULL, is_graph ? "Content-Type: text/plain" : "Content-Type: message/rfc822");
  headers = curl_slist_append(headers, "Authorization: Bearer " TOKEN);
  headers = curl_slist_append(headers, "Expect:");
  if (!strcmp(arguments[6], "threads")) return run(atoi(arguments[2]), atoi(arguments[3]), work);
  if (!strcmp(arguments[6], "http2")) version = CURL_HTTP_VERSION_2TLS;
  return run_multi(atoi(arguments[2]), atoi(arguments[3]));
}
