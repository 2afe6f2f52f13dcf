// What the yardsticks in C share: whose mail it is, how many are left, and threads that send them.
#pragma once

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENDER "sender@example.com"
#define RECIPIENT "user@example.net"
#define TOKEN "bench-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

typedef struct {
  char *octets;
  size_t count;
} mail;

static mail read_mail(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) perror(path), exit(66);
  fseek(file, 0, SEEK_END);
  mail one = {NULL, (size_t)ftell(file)};
  rewind(file);
  one.octets = malloc(one.count);
  if (one.octets == NULL || fread(one.octets, 1, one.count, file) != one.count) exit(66);
  fclose(file);
  return one;
}

static atomic_int left, failed;

/// Whether there is another mail to send; takes it.
static int one_more(void) { return atomic_fetch_sub(&left, 1) > 0 && atomic_load(&failed) < 3; }

static void sent(int is_sent, const char *why, long reply) {
  if (is_sent) return;
  atomic_fetch_add(&failed, 1);
  fprintf(stderr, "not sent: %s, reply %ld\n", why, reply);
}

__attribute__((unused)) static int run(int count, int threads, void *(*work)(void *)) {
  pthread_t all[256];
  if (threads < 1 || threads > 256) return 64;
  atomic_store(&left, count);
  for (int i = 0; i < threads; i++) pthread_create(&all[i], NULL, work, NULL);
  for (int i = 0; i < threads; i++) pthread_join(all[i], NULL);
  return atomic_load(&failed) > 0;
}
