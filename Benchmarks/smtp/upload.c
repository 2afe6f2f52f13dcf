/* upload: the yardstick. libcurl's own SMTP upload, bare: one easy handle and one kept connection a thread.
 *
 *   upload PORT AUTHORITY.pem MAIL.eml COUNT THREADS
 *
 * Logs in with $PABAL_BENCH_USER and $PABAL_BENCH_TOKEN by XOAUTH2. Prints one JSON line as drive does. */
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *mail;
static size_t mail_count;
static int total;
static const char *authority;
static char url[128];
static atomic_int next, sent, other;

static size_t give(char *buffer, size_t size, size_t count, void *place) {
  size_t *gone = place, room = size * count, left = mail_count - *gone;
  if (left > room) left = room;
  memcpy(buffer, mail + *gone, left);
  *gone += left;
  return left;
}

static void *work(void *unused) {
  size_t gone = 0;
  CURL *handle = curl_easy_init();
  struct curl_slist *recipients = curl_slist_append(NULL, "<user@example.net>");
  curl_easy_setopt(handle, CURLOPT_URL, url);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CAINFO, authority);
  curl_easy_setopt(handle, CURLOPT_USERNAME, getenv("PABAL_BENCH_USER"));
  curl_easy_setopt(handle, CURLOPT_XOAUTH2_BEARER, getenv("PABAL_BENCH_TOKEN"));
  curl_easy_setopt(handle, CURLOPT_LOGIN_OPTIONS, "AUTH=XOAUTH2");
  curl_easy_setopt(handle, CURLOPT_SASL_IR, 1L);
  curl_easy_setopt(handle, CURLOPT_MAIL_FROM, "<sender@example.com>");
  curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, recipients);
  curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(handle, CURLOPT_READFUNCTION, give);
  curl_easy_setopt(handle, CURLOPT_READDATA, &gone);
  curl_easy_setopt(handle, CURLOPT_INFILESIZE, (long)mail_count);
  while (atomic_fetch_add(&next, 1) < total) {
    long code = 0;
    gone = 0;
    CURLcode result = curl_easy_perform(handle);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &code);
    if (result == CURLE_OK && code == 250) {
      atomic_fetch_add(&sent, 1);
    } else if (atomic_fetch_add(&other, 1) < 3) {
      fprintf(stderr, "%s, %ld\n", curl_easy_strerror(result), code);
    }
  }
  curl_easy_cleanup(handle);
  curl_slist_free_all(recipients);
  return unused;
}

int main(int count, char **words) {
  if (count < 6) return fprintf(stderr, "usage: upload PORT AUTHORITY.pem MAIL.eml COUNT THREADS\n"), 64;
  snprintf(url, sizeof url, "smtps://127.0.0.1:%s/bench.local", words[1]);
  authority = words[2];
  FILE *file = fopen(words[3], "rb");
  if (!file) return perror(words[3]), 66;
  fseek(file, 0, SEEK_END);
  mail_count = (size_t)ftell(file);
  rewind(file);
  mail = malloc(mail_count + 1);
  if (!mail || fread(mail, 1, mail_count, file) != mail_count) return 66;
  fclose(file);
  total = atoi(words[4]);
  int threads = atoi(words[5]);
  curl_global_init(CURL_GLOBAL_ALL);

  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pthread_t team[256];
  for (int i = 0; i < threads; i++) pthread_create(&team[i], NULL, work, NULL);
  for (int i = 0; i < threads; i++) pthread_join(team[i], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
  printf("{\"sent\":%d,\"other\":%d,\"seconds\":%.4f,\"rate\":%.1f}\n", sent, other, seconds, sent / seconds);
  return sent == total ? 0 : 1;
}
