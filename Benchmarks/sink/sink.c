// sink: a mail server that takes everything at once, on one thread: SMTP and Gmail's REST send, over TLS.
//
//   sink --certificate CHAIN.pem --key KEY.pem [--rtt MILLISECONDS]
//
// It chooses free ports on loopback and says which: READY {"smtp":…,"smtps":…,"https":…}. With --rtt every
// byte it writes waits so long, as if the far side were far. On SIGUSR1 it prints one JSON line of what has
// come since the last, on SIGTERM another, and ends.
#define _GNU_SOURCE
#include "sink.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

tally counted;
uint64_t round_trip;
int poller;

uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void took_message(size_t bytes) {
  counted.messages++;
  counted.bytes += bytes;
}

static void die(const char *what) {
  perror(what);
  ERR_print_errors_fp(stderr);
  exit(71);
}

static double cpu_seconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void report(void) {
  static double reported;
  double cpu = cpu_seconds();
  printf("{\"messages\":%lu,\"bytes\":%lu,\"connections\":%lu,\"handshakes\":%lu,\"logins\":%lu,"
         "\"flights\":%lu,\"commands\":%lu,\"errors\":%lu,\"cpu\":%.6f}\n",
         counted.messages, counted.bytes, counted.connections, counted.handshakes, counted.logins,
         counted.flights, counted.commands, counted.errors, cpu - reported);
  fflush(stdout);
  reported = cpu;
  memset(&counted, 0, sizeof counted);
}

/// A listening socket on a free port of loopback.
static int listener(int *port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) || listen(fd, 1024)) die("listen");
  if (getsockname(fd, (struct sockaddr *)&address, &length)) die("getsockname");
  *port = ntohs(address.sin_port);
  return fd;
}

static int choose_http(SSL *tls, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
                       unsigned offered_length, void *unused) {
  static const unsigned char known[] = "\x02h2\x08http/1.1";
  (void)tls, (void)unused;
  int found = SSL_select_next_proto((unsigned char **)chosen, length, known, sizeof known - 1, offered,
                                    offered_length);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *tls_context(const char *certificate, const char *key) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  if (context == NULL || SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
    die(certificate);
  SSL_CTX_set_alpn_select_cb(context, choose_http, NULL);
  return context;
}

static int watch(int fd, void *mark) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = mark};
  return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

int main(int count, char **words) {
  const char *certificate = NULL, *key = NULL;
  for (int i = 1; i + 1 < count; i += 2) {
    if (!strcmp(words[i], "--certificate")) certificate = words[i + 1];
    else if (!strcmp(words[i], "--key")) key = words[i + 1];
    else if (!strcmp(words[i], "--rtt")) round_trip = (uint64_t)(atof(words[i + 1]) * 1e6);
    else return fprintf(stderr, "sink: no option %s\n", words[i]), 64;
  }
  if (certificate == NULL || key == NULL || count % 2 == 0)
    return fprintf(stderr, "usage: sink --certificate CHAIN.pem --key KEY.pem [--rtt MS]\n"), 64;

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  signal(SIGPIPE, SIG_IGN);
  int signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  poller = epoll_create1(EPOLL_CLOEXEC);

  SSL_CTX *context = tls_context(certificate, key);
  struct { int fd, port; } listeners[PROTOCOLS];
  for (protocol each = 0; each < PROTOCOLS; each++) {
    listeners[each].fd = listener(&listeners[each].port);
    if (watch(listeners[each].fd, &listeners[each])) die("epoll_ctl");
  }
  if (watch(signal_fd, &signal_fd)) die("epoll_ctl");
  printf("READY {\"smtp\":%d,\"smtps\":%d,\"https\":%d}\n", listeners[SMTP_STARTTLS].port,
         listeners[SMTP_TLS].port, listeners[HTTPS].port);
  fflush(stdout);
  cpu_seconds();

  for (;;) {
    uint64_t due = round_trip ? write_all_due() : 0, now = due ? nanoseconds() : 0;
    uint64_t wait = due > now ? due - now : 0;
    struct timespec limit = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
    struct epoll_event events[256];
    int ready = epoll_pwait2(poller, events, 256, due ? &limit : NULL, NULL);
    for (int i = 0; i < ready; i++) {
      void *mark = events[i].data.ptr;
      if (mark == &signal_fd) {
        struct signalfd_siginfo got;
        if (read(signal_fd, &got, sizeof got) != sizeof got) continue;
        report();
        if (got.ssi_signo != SIGUSR1) return 0;
        continue;
      }
      if (mark >= (void *)listeners && mark < (void *)(listeners + PROTOCOLS)) {
        protocol which = (protocol)((__typeof__(&listeners[0]))mark - listeners);
        open_connection(listeners[which].fd, which, context);
        continue;
      }
      connection *one = mark;
      if (events[i].events & EPOLLOUT && !write_due(one, nanoseconds())) continue;
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_from(one, context);
    }
  }
}
