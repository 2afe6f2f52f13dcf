/* plugin_driver: sends one mail N times through a transport's .so, over the real plugin boundary.
 *
 *   plugin_driver LIBPABAL-NAME.so MAIL.eml COUNT THREADS [key=value…]
 *
 * Prints one JSON line: sent, other outcomes, seconds, mails a second. The token of an `account` setting is
 * $PABAL_BENCH_TOKEN, its mailbox $PABAL_BENCH_USER. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "pabal_transport.h"

struct pabal_opening {
  int unused;
};

struct pabal_attempt {
  char reply[512];
};

static char **pairs;
static int pair_count;
static const pabal_transport *table;
static void *transport;
static unsigned char *content;
static size_t content_size;
static int total;
static atomic_int next, sent, other;

static const char *setting_text(const char *key) {
  size_t length = strlen(key);
  for (int i = 0; i < pair_count; i++)
    if (!strncmp(pairs[i], key, length) && pairs[i][length] == '=') return pairs[i] + length + 1;
  return NULL;
}

static void log_line(const pabal_host *host, int32_t level, const char *text, size_t length) {
  (void)host;
  (void)level;
  fprintf(stderr, "%.*s\n", (int)length, text);
}

static const pabal_value *setting(pabal_opening *opening, const char *key) {
  (void)opening;
  pabal_value *value = calloc(1, sizeof *value); /* lives as long as the process, as it must */
  value->size = sizeof *value;
  value->text = "";
  value->user = "";
  for (size_t i = 0; i < table->setting_count; i++) {
    const pabal_setting *declared = &table->settings[i];
    if (strcmp(declared->key, key)) continue;
    const char *text = setting_text(key) ? setting_text(key) : declared->default_value;
    if (!text) return value;
    value->given = 1;
    value->text = text;
    char *unit;
    value->number = strtoll(text, &unit, 10);
    if (declared->kind == PABAL_BOOLEAN) value->number = !strcmp(text, "true");
    if (declared->kind == PABAL_DURATION && strcmp(unit, "ms")) value->number *= *unit == 'm' ? 60000 : 1000;
    if (declared->kind == PABAL_ACCOUNT && getenv("PABAL_BENCH_USER")) value->user = getenv("PABAL_BENCH_USER");
    return value;
  }
  return NULL;
}

static void fail(pabal_opening *opening, const char *reason, size_t length) {
  (void)opening;
  fprintf(stderr, "not opened: %.*s\n", (int)length, reason);
}

static int32_t access_token(pabal_attempt *attempt, const char *key, const char *rejected, pabal_token *token) {
  (void)attempt;
  (void)key;
  if (rejected) return 1;
  token->text = getenv("PABAL_BENCH_TOKEN");
  token->expires_in = 3600;
  return token->text == NULL;
}

static void reply(pabal_attempt *attempt, const char *text, size_t length) {
  if (length >= sizeof attempt->reply) length = sizeof attempt->reply - 1;
  memcpy(attempt->reply, text, length);
  attempt->reply[length] = 0;
}

static void remote_id(pabal_attempt *attempt, const char *text, size_t length) {
  (void)attempt;
  (void)text;
  (void)length;
}

static void recipient(pabal_attempt *attempt, size_t index, const pabal_verdict *verdict, const char *text,
                      size_t length) {
  (void)attempt;
  (void)index;
  (void)verdict;
  (void)text;
  (void)length;
}

static const pabal_host host = {PABAL_TRANSPORT_ABI, sizeof host, log_line, setting, fail, access_token, reply,
                                remote_id, recipient};

static void *work(void *unused) {
  static const char *const recipients[] = {"user@example.net", NULL};
  pabal_mail mail = {sizeof mail, 0, "bench", "<bench@example.com>", "sender@example.com", recipients, 1, content,
                     content_size};
  while (atomic_fetch_add(&next, 1) < total) {
    pabal_attempt attempt = {{0}};
    pabal_verdict verdict = {sizeof verdict, 0, 0, 0, 0};
    table->send(transport, &mail, &attempt, &verdict);
    if (verdict.outcome == PABAL_SENT) {
      atomic_fetch_add(&sent, 1);
    } else if (atomic_fetch_add(&other, 1) < 3) {
      fprintf(stderr, "outcome %d: %s\n", verdict.outcome, attempt.reply);
    }
  }
  return unused;
}

int main(int count, char **arguments) {
  if (count < 5) {
    fprintf(stderr, "usage: plugin_driver PLUGIN.so MAIL.eml COUNT THREADS [key=value...]\n");
    return 64;
  }
  pairs = arguments + 5;
  pair_count = count - 5;
  total = atoi(arguments[3]);
  int threads = atoi(arguments[4]);
  FILE *file = fopen(arguments[2], "rb");
  if (!file) return perror(arguments[2]), 66;
  fseek(file, 0, SEEK_END);
  content_size = (size_t)ftell(file);
  rewind(file);
  content = malloc(content_size + 1);
  if (fread(content, 1, content_size, file) != content_size) return 66;
  fclose(file);

  void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) return fprintf(stderr, "%s\n", dlerror()), 78;
  pabal_transport_entry_function entry = (pabal_transport_entry_function)dlsym(library, "pabal_transport_entry");
  table = entry ? entry(PABAL_TRANSPORT_ABI) : NULL;
  uint32_t parallel = 0;
  pabal_opening opening = {0};
  if (!table || table->open(&host, &opening, &transport, &parallel)) return 78;
  if ((uint32_t)threads > parallel) return fprintf(stderr, "it takes %u threads\n", parallel), 78;

  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pthread_t workers[256];
  for (int i = 0; i < threads; i++) pthread_create(&workers[i], NULL, work, NULL);
  for (int i = 0; i < threads; i++) pthread_join(workers[i], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
  printf("{\"sent\":%d,\"other\":%d,\"seconds\":%.4f,\"rate\":%.1f}\n", sent, other, seconds, sent / seconds);
  table->close(transport);
  return sent == total ? 0 : 1;
}
