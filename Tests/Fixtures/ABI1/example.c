/* Built against the frozen header beside it and loaded in every test run: what
 * was built for ABI 1 works as long as a host says that it speaks ABI 1. It
 * uses every field and every call that ABI 1 has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pabal_transport.h"

struct example {
  const pabal_host *host;
  long long answer, wait;
  int loud;
  char word[64], user[128], folder[512];
};

static const char *const colours[] = {"red", "green", NULL};

static const pabal_setting settings[] = {
    {sizeof(pabal_setting), PABAL_TEXT, "word", "A word.", "hello", NULL, 0, 0, 0, 0},
    {sizeof(pabal_setting), PABAL_NUMBER, "answer", "A number.", "42", NULL, 1, 100, 0, 0},
    {sizeof(pabal_setting), PABAL_BOOLEAN, "loud", "A boolean.", "true", NULL, 0, 0, 0, 0},
    {sizeof(pabal_setting), PABAL_CHOICE, "colour", "A choice.", "green", colours, 0, 0, 0, 0},
    {sizeof(pabal_setting), PABAL_DURATION, "wait", "A duration.", "2s", NULL, 0, 0, 0, 0},
    {sizeof(pabal_setting), PABAL_PATH, "folder", "A path.", NULL, NULL, 0, 0, 1, 0},
    {sizeof(pabal_setting), PABAL_ACCOUNT, "account", "An account.", NULL, NULL, 0, 0, 0, 0},
    {sizeof(pabal_setting), PABAL_TEXT, "password", "A secret.", NULL, NULL, 0, 0, 0, 1},
};

static int32_t example_open(const pabal_host *host, pabal_opening *opening, void **transport,
                            uint32_t *parallel) {
  struct example *e = calloc(1, sizeof *e);
  const pabal_value *value;
  if (host->abi < 1 || host->size < sizeof(pabal_host)) {
    free(e);
    return 1;
  }
  e->host = host;
  e->answer = host->setting(opening, "answer")->number;
  e->wait = host->setting(opening, "wait")->number;
  e->loud = host->setting(opening, "loud")->number != 0;
  snprintf(e->word, sizeof e->word, "%s", host->setting(opening, "word")->text);
  snprintf(e->folder, sizeof e->folder, "%s", host->setting(opening, "folder")->text);
  value = host->setting(opening, "account");
  if (value->given) snprintf(e->user, sizeof e->user, "%s", value->user);
  if (host->setting(opening, "password")->given != 0 &&
      strcmp(host->setting(opening, "password")->text, "wrong") == 0) {
    static const char reason[] = "the password is wrong";
    host->fail(opening, reason, sizeof reason - 1);
    free(e);
    return 1;
  }
  *transport = e;
  *parallel = 2;
  return 0;
}

static void example_send(void *transport, const pabal_mail *mail, pabal_attempt *attempt,
                         pabal_verdict *verdict) {
  struct example *e = transport;
  char text[2048];
  int n;
  if (e->user[0] != 0) {
    pabal_token token = {sizeof token, 0, NULL, 0};
    if (e->host->access_token(attempt, "account", NULL, &token) != 0) return;
    if (strcmp(token.text, "stale") == 0 &&
        e->host->access_token(attempt, "account", token.text, &token) != 0)
      return;
    e->host->remote_id(attempt, token.text, strlen(token.text));
  }
  n = snprintf(text, sizeof text, "%s %lld %lld %d %s|%s|%s|%u|%zu", e->word, e->answer, e->wait, e->loud,
               e->folder, mail->message_id, mail->sender, (unsigned)mail->needs, mail->octet_count);
  e->host->reply(attempt, text, (size_t)n);
  for (size_t i = 0; i < mail->recipient_count; i++) {
    pabal_verdict own = {sizeof own, PABAL_SENT, 0, 0, 0};
    if (strncmp(mail->recipients[i], "bad", 3) == 0) own.outcome = PABAL_REJECTED;
    if (strncmp(mail->recipients[i], "late", 4) == 0) {
      own.outcome = PABAL_DEFERRED;
      own.retry_after = 30;
    }
    e->host->recipient(attempt, i, &own, mail->recipients[i], strlen(mail->recipients[i]));
  }
  e->host->log(e->host, PABAL_LOG_INFO, "sent one", 8);
  verdict->outcome = PABAL_SENT;
}

static void example_check(void *transport, pabal_attempt *attempt, pabal_verdict *verdict) {
  struct example *e = transport;
  e->host->reply(attempt, e->word, strlen(e->word));
  verdict->outcome = PABAL_READY;
}

static void example_close(void *transport) { free(transport); }

static const pabal_transport table = {
    PABAL_TRANSPORT_ABI, sizeof(pabal_transport), "example", "1.0", "Shows that ABI 1 still works.",
    settings, sizeof settings / sizeof *settings, example_open, example_send, example_close,
    example_check};

const pabal_transport *pabal_transport_entry(uint32_t host_abi) {
  return host_abi >= PABAL_TRANSPORT_ABI ? &table : NULL;
}
