// curl_upload PORT COUNT THREADS CA.pem MAIL.eml: sends request mail COUNT times with libcurl's SMTP upload.
//
// What a careful C programmer gets from libcurl: request kept easy handle per thread with its connection and login,
// TLS from the first byte, XOAUTH2 in request step. The mail is ready-made.
#define _GNU_SOURCE
#include "baseline.h"

static const char *port, *authorities;
static mail message;

typedef struct {
  size_t offset;
} upload;

static size_t read_body(char *buffer, size_t size, size_t count, void *context) {
  upload *request = context;
  size_t remaining = message.count - request->offset, length = size * count < remaining ? size * count : remaining;
  memcpy(buffer, message.content + request->offset, length);
  request->offset += length;
  return length;
}

static void *work(void *unused) {
  upload request;
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
  curl_easy_setopt(handle, CURLOPT_INFILESIZE, (long)message.count);
  curl_easy_setopt(handle, CURLOPT_READFUNCTION, read_body);
  curl_easy_setopt(handle, CURLOPT_READDATA, &request);
  while (take_next()) {
    request.offset = 0;
    CURLcode code = curl_easy_perform(handle);
    long reply = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &reply);
    record_result(code == CURLE_OK && reply == 250, curl_easy_strerror(code), reply);
  }
  curl_easy_cleanup(handle);
  curl_slist_free_all(recipients);
  return unused;
}

int main(int count, char **arguments) {
  if (count != 6) return fprintf(stderr, "usage: curl_upload PORT COUNT THREADS CA.pem MAIL.eml\n"), 64;
  port = arguments[1];
  authorities = arguments[4];
  message = read_mail(arguments[5]);
  curl_global_init(CURL_GLOBAL_ALL);
  return run(atoi(arguments[2]), atoi(arguments[3]), work);
}
