// Shared by the baselines in C: the mail, the number of mails remaining to send, and the threads that send them.
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
  char *content;
  size_t count;
} mail;

static mail read_mail(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) perror(path), exit(66);
  fseek(file, 0, SEEK_END);
  mail file_content = {NULL, (size_t)ftell(file)};
  rewind(file);
  file_content.content = malloc(file_content.count);
  if (file_content.content == NULL || fread(file_content.content, 1, file_content.count, file) != file_content.count) exit(66);
  fclose(file);
  return file_content;
}

static atomic_int remaining, failed;

/// Whether there is another mail to send; claims it.
static int take_next(void) { return atomic_fetch_sub(&remaining, 1) > 0 && atomic_load(&failed) < 3; }

static void record_result(int is_sent, const char *why, long reply) {
  if (is_sent) return;
  atomic_fetch_add(&failed, 1);
  fprintf(stderr, "not record_result: %s, reply %ld\n", why, reply);
}

__attribute__((unused)) static int run(int count, int threads, void *(*work)(void *)) {
  pthread_t all[256];
  if (threads < 1 || threads > 256) return 64;
  atomic_store(&remaining, count);
  for (int i = 0; i < threads; i++) pthread_create(&all[i], NULL, work, NULL);
  for (int i = 0; i < threads; i++) pthread_join(all[i], NULL);
  return atomic_load(&failed) > 0;
}
