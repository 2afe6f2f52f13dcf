/* A plugin with every possible fault. The name of the folder that contains a
 * copy selects the fault of its table; the setting `act` selects what send
 * does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pabal_transport.h"

static const char *fault(void) {
  static char name[64];
  Dl_info info;
  char path[4096], *slash;
  if (dladdr((void *)(uintptr_t)&pabal_transport_entry, &info) == 0) return "";
  strncpy(path, info.dli_fname, sizeof path - 1);
  path[sizeof path - 1] = 0;
  slash = strrchr(path, '/');
  if (slash == NULL) return "";
  *slash = 0;
  slash = strrchr(path, '/');
  strncpy(name, slash == NULL ? path : slash + 1, sizeof name - 1);
  return name;
}

static int is(const char *name) { return strcmp(fault(), name) == 0; }

struct faulty {
  const pabal_host *host;
  char act[256];
};

static int32_t faulty_open(const pabal_host *host, pabal_opening *opening, void **transport,
                           uint32_t *parallel) {
  struct faulty *f;
  if (is("silent-open")) return 1;
  if (is("escaping-open")) {
    static const char reason[] = "bad \x1b[31m\xff\0thing\nnext";
    host->fail(opening, reason, sizeof reason - 1);
    return 7;
  }
  f = calloc(1, sizeof *f);
  f->host = host;
  if (host->setting(opening, "act") != NULL)
    strncpy(f->act, host->setting(opening, "act")->text, sizeof f->act - 1);
  *transport = f;
  *parallel = is("no-threads") ? 0 : is("many-threads") ? 100000 : 3;
  return 0;
}

static int32_t outcome_named(const char *name) {
  static const char *const names[] = {"none", "sent", "deferred", "unsuited", "rejected", "held", "unknown",
                                      "ready"};
  for (int32_t i = 0; i < 8; i++)
    if (strcmp(name, names[i]) == 0) return i;
  return atoi(name);
}

/* act: "outcome[:scope-or-wait]" or "each outcome outcome …" */
static void faulty_send(void *transport, const pabal_mail *mail, pabal_attempt *attempt,
                        pabal_verdict *verdict) {
  struct faulty *f = transport;
  char act[256];
  strcpy(act, f->act);
  if (strncmp(act, "each ", 5) == 0) {
    char *next = NULL;
    size_t i = 0;
    for (char *word = strtok_r(act + 5, " ", &next); word != NULL; word = strtok_r(NULL, " ", &next)) {
      pabal_verdict own = {sizeof own, outcome_named(word), 0, 0, 0};
      if (own.outcome == PABAL_HELD) own.scope = PABAL_SCOPE_MAIL;
      f->host->recipient(attempt, i++, &own, word, strlen(word));
    }
    verdict->outcome = PABAL_SENT;
    return;
  }
  if (strcmp(act, "long") == 0) {
    size_t length = 3u << 20;
    char *text = malloc(length);
    memset(text, 'x', length);
    f->host->reply(attempt, text, length);
    f->host->remote_id(attempt, text, length);
    free(text);
    verdict->outcome = PABAL_SENT;
    return;
  }
  if (strcmp(act, "binary") == 0) {
    static const char text[] = "550 \x1b]0;own\x07\xff\xfe\r\nX: y\0z";
    f->host->reply(attempt, text, sizeof text - 1);
    verdict->outcome = PABAL_REJECTED;
    return;
  }
  if (strcmp(act, "beyond") == 0) {
    pabal_verdict own = {sizeof own, PABAL_SENT, 0, 0, 0};
    f->host->recipient(attempt, mail->recipient_count, &own, NULL, 0);
    f->host->recipient(attempt, (size_t)-1, &own, NULL, 0);
    f->host->recipient(attempt, 0, NULL, NULL, 0);
    verdict->outcome = PABAL_SENT;
    return;
  }
  if (strcmp(act, "slow") == 0) {
    const struct timespec time = {3, 0};
    nanosleep(&time, NULL);
    verdict->outcome = PABAL_SENT;
    return;
  }
  if (strcmp(act, "token") == 0) {
    pabal_token token = {sizeof token, 0, NULL, 0};
    if (f->host->access_token(attempt, "act", NULL, &token) != 0) return;
    verdict->outcome = PABAL_SENT;
    return;
  }
  char *colon = strchr(act, ':');
  if (colon != NULL) *colon = 0;
  verdict->outcome = outcome_named(act);
  if (verdict->outcome == PABAL_HELD)
    verdict->scope = colon == NULL ? 0 : strcmp(colon + 1, "mail") == 0 ? PABAL_SCOPE_MAIL : PABAL_SCOPE_TRANSPORT;
  else if (colon != NULL)
    verdict->retry_after = atoll(colon + 1);
  f->host->reply(attempt, f->act, strlen(f->act));
}

static void faulty_close(void *transport) { free(transport); }

static void faulty_check(void *transport, pabal_attempt *attempt, pabal_verdict *verdict) {
  faulty_send(transport, NULL, attempt, verdict);
}

static const char *const none[] = {NULL};
static const char *const ab[] = {"a", "b", NULL};

static pabal_setting settings[4];
static pabal_transport table;

const pabal_transport *pabal_transport_entry(uint32_t host_abi) {
  const pabal_setting act = {sizeof(pabal_setting), PABAL_TEXT, "act", "What to do.", "sent", NULL, 0, 0, 0, 0};
  const pabal_transport good = {host_abi,       sizeof(pabal_transport), "faulty", "1", "Goes wrong.", settings, 1,
                                faulty_open, faulty_send,             faulty_close, faulty_check};
  table = good;
  settings[0] = act;
  settings[1] = act;
  settings[1].key = "other";
  if (is("two-servers")) {
    settings[1].key = "host", settings[1].default_value = NULL;
    settings[2] = settings[1], settings[2].key = "endpoint";
    settings[3] = settings[1], settings[3].key = "account", settings[3].kind = PABAL_ACCOUNT;
    table.setting_count = 4;
  }
  if (is("distant")) settings[1].key = "host", settings[1].default_value = "mail.example.invalid", table.setting_count = 2;
  if (is("no-table")) return NULL;
  if (is("chatty")) {
    puts("output of the plugin");
    fflush(stdout);
  }
  if (is("newer-abi")) table.abi = host_abi + 1;
  if (is("older-abi")) table.abi = 0;
  if (is("short-table")) table.size = 16;
  if (is("no-name")) table.name = NULL;
  if (is("bad-name")) table.name = "../x";
  if (is("other-name")) table.name = "somebody-else";
  if (is("no-summary")) table.summary = NULL;
  if (is("no-open")) table.open = NULL;
  if (is("no-send")) table.send = NULL;
  if (is("no-close")) table.close = NULL;
  if (is("no-check")) table.check = NULL;
  if (is("settings-missing")) table.settings = NULL;
  if (is("settings-endless")) table.setting_count = (size_t)-1;
  if (is("twice")) table.setting_count = 2, settings[1].key = "act";
  if (is("short-setting")) settings[0].size = 4;
  if (is("uneven-settings")) table.setting_count = 2, settings[1].size = 4;
  if (is("no-key")) settings[0].key = NULL;
  if (is("bad-key")) settings[0].key = "A b";
  if (is("host-key")) settings[0].key = "plugin";
  if (is("no-help")) settings[0].help = NULL;
  if (is("bad-kind")) settings[0].kind = 99;
  if (is("no-choices")) settings[0].kind = PABAL_CHOICE;
  if (is("empty-choices")) settings[0].kind = PABAL_CHOICE, settings[0].choices = none;
  if (is("bad-default")) settings[0].kind = PABAL_CHOICE, settings[0].choices = ab;
  if (is("bad-bounds")) settings[0].kind = PABAL_NUMBER, settings[0].minimum = 2, settings[0].maximum = 1;
  return &table;
}
