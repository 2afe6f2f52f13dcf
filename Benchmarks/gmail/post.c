/* post: the yardstick. Media uploads by bare libcurl: one multi handle driven by epoll, kept
 * connections, as many transfers under way as are asked for.
 *
 *   post 1|2 PORT AUTHORITY.pem MAIL.eml COUNT IN-FLIGHT
 *
 * 1 or 2 is the HTTP that is spoken. The token is $PABAL_BENCH_TOKEN. Prints one JSON line. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

typedef struct {
  CURL *handle;
  char answer[1024];
  size_t count;
} transfer;

static char *mail;
static long size, wait_ms = -1;
static int watch, begun, done, bad, total;
static CURLM *multi;

static size_t take(char *octets, size_t unit, size_t count, void *user) {
  transfer *t = user;
  if (t->count + unit * count < sizeof t->answer) memcpy(t->answer + t->count, octets, unit * count);
  t->count += unit * count;
  return unit * count;
}

static int watched(CURL *handle, curl_socket_t socket, int what, void *user, void *known) {
  (void)handle, (void)user;
  struct epoll_event event = {(what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0),
                              {.fd = socket}};
  if (what == CURL_POLL_REMOVE) return epoll_ctl(watch, EPOLL_CTL_DEL, socket, NULL), 0;
  if (!known) curl_multi_assign(multi, socket, &watch);
  if (known || epoll_ctl(watch, EPOLL_CTL_ADD, socket, &event)) epoll_ctl(watch, EPOLL_CTL_MOD, socket, &event);
  return 0;
}

static int timed(CURLM *m, long milliseconds, void *user) {
  (void)m, (void)user;
  wait_ms = milliseconds;
  return 0;
}

static void start(transfer *t) {
  t->count = 0;
  begun++;
  curl_multi_add_handle(multi, t->handle);
}

static void reap(void) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(multi, &left))) {
    transfer *t;
    long status = 0;
    CURL *handle = message->easy_handle;
    CURLcode result = message->data.result;
    curl_easy_getinfo(handle, CURLINFO_PRIVATE, &t);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    t->answer[t->count < sizeof t->answer ? t->count : sizeof t->answer - 1] = 0;
    if (result != CURLE_OK || status != 200 || !strstr(t->answer, "\"id\""))
      if (bad++ < 3) fprintf(stderr, "%s, %ld\n", curl_easy_strerror(result), status);
    done++;
    curl_multi_remove_handle(multi, handle);
    if (begun < total && bad < 20) start(t);
  }
}

int main(int count, char **words) {
  if (count != 7) return fprintf(stderr, "usage: post 1|2 PORT AUTHORITY MAIL COUNT IN-FLIGHT\n"), 64;
  int is_two = words[1][0] == '2', flight = atoi(words[6]), running;
  total = atoi(words[5]);
  FILE *file = fopen(words[4], "rb");
  if (!file) return perror(words[4]), 66;
  fseek(file, 0, SEEK_END);
  size = ftell(file);
  rewind(file);
  mail = malloc((size_t)size);
  if (fread(mail, 1, (size_t)size, file) != (size_t)size) return 66;
  char url[256], token[4096];
  snprintf(url, sizeof url, "https://localhost:%s/upload/gmail/v1/users/me/messages/send?uploadType=media", words[2]);
  snprintf(token, sizeof token, "Authorization: Bearer %s", getenv("PABAL_BENCH_TOKEN"));
  curl_global_init(CURL_GLOBAL_ALL);
  multi = curl_multi_init();
  watch = epoll_create1(EPOLL_CLOEXEC);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watched);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timed);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)flight + 4);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, is_two ? (long)CURLPIPE_MULTIPLEX : 0L);
  if (is_two) curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
  struct curl_slist *lines = curl_slist_append(NULL, "Content-Type: message/rfc822");
  lines = curl_slist_append(lines, token);
  lines = curl_slist_append(lines, "Expect:");
  struct timespec began, ended;
  clock_gettime(CLOCK_MONOTONIC, &began);
  transfer *transfers = calloc((size_t)flight, sizeof *transfers);
  for (int i = 0; i < flight; i++) {
    CURL *handle = transfers[i].handle = curl_easy_init();
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_PRIVATE, &transfers[i]);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CAINFO, words[3]);
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, lines);
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, size);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, mail);
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, is_two ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    if (is_two) curl_easy_setopt(handle, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfers[i]);
    if (begun < total) start(&transfers[i]);
  }
  struct epoll_event events[64];
  while (done < begun) {
    int ready = wait_ms == 0 ? 0 : epoll_wait(watch, events, 64, wait_ms > 0 ? (int)wait_ms : 1000);
    if (ready <= 0) {
      wait_ms = -1;
      curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    for (int i = 0; i < ready; i++)
      curl_multi_socket_action(multi, events[i].data.fd,
                               (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? CURL_CSELECT_IN : 0) |
                                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0),
                               &running);
    reap();
  }
  clock_gettime(CLOCK_MONOTONIC, &ended);
  double seconds = (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
  printf("{\"sent\":%d,\"other\":%d,\"seconds\":%.4f,\"rate\":%.1f}\n", done - bad, bad, seconds, done / seconds);
  return bad != 0;
}
