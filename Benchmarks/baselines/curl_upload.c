// curl_upload PORT COUNT THREADS CA.pem MAIL.eml: sends one mail COUNT times by libcurl's own SMTP upload.
//
// What a careful C programmer gets from libcurl: one easy handle a thread, kept, with its connection and
// login; TLS from the first octet, XOAUTH2 in one step. The mail is ready-made.
#define _GNU_SOURCE
#include "yardstick.h"

static const char *port, *authorities;
static mail octets;

typedef struct {
  size_t given;
} upload;

static size_t give(char *room, size_t size, size_t count, void *context) {
  upload *one = context;
  size_t left = octets.count - one->given, part = size * count < left ? size * count : left;
  memcpy(room, octets.octets + one->given, part);
  one->given += part;
  return part;
}

static void *work(void *unused) {
  upload one;
  char url[64];
  snprintf(url, sizeof url, "smtps://localhost:%s/localhost", port);
  struct curl_slist *recipients = curl_slist_append(NULL, "<" RECIPIENT ">");
  CURL *handle = curl_easy_init();
  curl_easy_setopt(handle, CURLOPT_URL, url);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CAINFO, authorities);
  curl_easy_setopt(handle, CURLOPT_USERNAME, SENDER);
  curl_easy_setopt(handle, CURLOPT_XOAUTH2_BEARER, TOKEN);
  curl_easy_setopt(handle, CURLOPT_LOGIN_OPTIONS, "AUTH=XOAUTH2");
  curl_easy_setopt(handle, CURLOPT_SASL_IR, 1L);
  curl_easy_setopt(handle, CURLOPT_MAIL_FROM, "<" SENDER ">");
  curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, recipients);
  curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(handle, CURLOPT_INFILESIZE, (long)octets.count);
  curl_easy_setopt(handle, CURLOPT_READFUNCTION, give);
  curl_easy_setopt(handle, CURLOPT_READDATA, &one);
  while (one_more()) {
    one.given = 0;
    CURLcode code = curl_easy_perform(handle);
    long reply = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &reply);
    sent(code == CURLE_OK && reply == 250, curl_easy_strerror(code), reply);
  }
  curl_easy_cleanup(handle);
  curl_slist_free_all(recipients);
  return unused;
}

int main(int count, char **words) {
  if (count != 6) return fprintf(stderr, "usage: curl_upload PORT COUNT THREADS CA.pem MAIL.eml\n"), 64;
  port = words[1];
  authorities = words[4];
  octets = read_mail(words[5]);
  curl_global_init(CURL_GLOBAL_ALL);
  return run(atoi(words[2]), atoi(words[3]), work);
}
