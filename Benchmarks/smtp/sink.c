/* sink: a far side that is never the slow one. One thread, epoll, OpenSSL over memory: an SMTP server with TLS from
 * the start, any login, PIPELINING and CHUNKING, that takes every mail and forgets it.
 *
 *   sink PORT CERTIFICATE KEY [ROUND-TRIP-MS]
 *
 * With a round trip everything it writes leaves that much later. Prints READY; on SIGTERM one JSON line: mails,
 * octets, connections, logins, flights (times it had answered and heard again), its own CPU seconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { COMMAND, DATA, CHUNK, RESPONSE };

typedef struct {
  uint8_t *octets;
  size_t count, room;
} buffer;

/* Octets on their way to the peer, and when they may leave. */
typedef struct parcel {
  struct parcel *next;
  uint64_t due;
  size_t count, gone;
  uint8_t octets[];
} parcel;

typedef struct connection {
  struct connection *next;
  int socket, state, closing, recipients, last_chunk;
  size_t chunk;
  SSL *tls;
  BIO *incoming, *outgoing;
  buffer in, out;
  parcel *first, *last;
} connection;

static uint64_t delay;
static SSL_CTX *context;
static int watch;
static connection *connections;
static volatile sig_atomic_t stopping;
static struct {
  unsigned long mails, octets, connections, logins, flights;
} seen;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void add(buffer *to, const void *octets, size_t count) {
  if (to->count + count > to->room) {
    to->room = (to->count + count) * 2 + 1024;
    to->octets = realloc(to->octets, to->room);
    if (!to->octets) abort();
  }
  memcpy(to->octets + to->count, octets, count);
  to->count += count;
}

static void say(connection *peer, const char *text) { add(&peer->out, text, strlen(text)); }

static void drop(buffer *from, size_t count) {
  from->count -= count;
  memmove(from->octets, from->octets + count, from->count);
}

static void want(connection *peer, int writing) {
  struct epoll_event event = {EPOLLIN | (writing ? EPOLLOUT : 0), {.ptr = peer}};
  epoll_ctl(watch, EPOLL_CTL_MOD, peer->socket, &event);
}

static void end(connection *peer) {
  for (connection **place = &connections; *place; place = &(*place)->next)
    if (*place == peer) {
      *place = peer->next;
      break;
    }
  close(peer->socket);
  SSL_free(peer->tls);
  for (parcel *next; peer->first; peer->first = next) {
    next = peer->first->next;
    free(peer->first);
  }
  free(peer->in.octets);
  free(peer->out.octets);
  free(peer);
}

/* Sends what is due; 0 when the connection is gone. */
static int flush(connection *peer) {
  while (peer->first && peer->first->due <= now()) {
    parcel *one = peer->first;
    ssize_t count = send(peer->socket, one->octets + one->gone, one->count - one->gone, MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) return want(peer, 1), 1;
    if (count < 0) return end(peer), 0;
    one->gone += (size_t)count;
    if (one->gone < one->count) return want(peer, 1), 1;
    peer->first = one->next;
    if (!peer->first) {
      peer->last = NULL;
      want(peer, 0);
    }
    free(one);
  }
  if (peer->closing && !peer->first) return end(peer), 0;
  return 1;
}

/* Seals what was said and sends it, now or after the delay; 0 when the connection is gone. */
static int push(connection *peer) {
  if (peer->out.count) {
    seen.flights++;
    SSL_write(peer->tls, peer->out.octets, (int)peer->out.count);
    peer->out.count = 0;
  }
  char *octets;
  long pending = BIO_get_mem_data(peer->outgoing, &octets);
  if (pending > 0) {
    size_t count = (size_t)pending, gone = 0;
    if (!delay && !peer->first) {
      ssize_t sent = send(peer->socket, octets, count, MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return end(peer), 0;
      gone = sent > 0 ? (size_t)sent : 0;
    }
    if (gone < count) {
      parcel *one = malloc(sizeof *one + count - gone);
      if (!one) abort();
      *one = (parcel){NULL, delay ? now() + delay : 0, count - gone, 0};
      memcpy(one->octets, octets + gone, count - gone);
      if (peer->last) peer->last->next = one; else peer->first = one;
      peer->last = one;
      if (!delay) want(peer, 1);
    }
    (void)BIO_reset(peer->outgoing);
  }
  if (peer->closing && !peer->first) return end(peer), 0;
  return 1;
}

static void taken(connection *peer, size_t count) {
  seen.mails++;
  seen.octets += count;
  peer->recipients = 0;
  peer->state = COMMAND;
  say(peer, "250 2.0.0 OK queued as sink\r\n");
}

static void command(connection *peer, char *line) {
  if (peer->state == RESPONSE) {
    peer->state = COMMAND;
    seen.logins++;
    say(peer, "235 2.7.0 Accepted\r\n");
  } else if (!strncasecmp(line, "EHLO ", 5)) {
    say(peer,
        "250-sink.local\r\n250-SIZE 35882577\r\n250-8BITMIME\r\n250-AUTH PLAIN XOAUTH2 OAUTHBEARER\r\n"
        "250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SMTPUTF8\r\n");
  } else if (!strncasecmp(line, "AUTH ", 5)) {
    if (strchr(line + 5, ' ')) {
      seen.logins++;
      say(peer, "235 2.7.0 Accepted\r\n");
    } else {
      peer->state = RESPONSE;
      say(peer, "334 \r\n");
    }
  } else if (!strncasecmp(line, "MAIL FROM:", 10)) {
    say(peer, "250 2.1.0 OK\r\n");
  } else if (!strncasecmp(line, "RCPT TO:", 8)) {
    peer->recipients++;
    say(peer, "250 2.1.5 OK\r\n");
  } else if (!strcasecmp(line, "DATA")) {
    if (peer->recipients) peer->state = DATA;
    say(peer, peer->recipients ? "354 Go ahead\r\n" : "503 5.5.1 RCPT first\r\n");
  } else if (!strncasecmp(line, "BDAT ", 5)) {
    peer->chunk = strtoul(line + 5, NULL, 10);
    peer->last_chunk = strcasestr(line, "LAST") != NULL;
    peer->state = CHUNK;
  } else if (!strcasecmp(line, "QUIT")) {
    say(peer, "221 2.0.0 closing\r\n");
    peer->closing = 1;
  } else if (!strcasecmp(line, "RSET") || !strcasecmp(line, "NOOP")) {
    say(peer, "250 2.0.0 OK\r\n");
  } else {
    say(peer, "502 5.5.1 Unrecognized\r\n");
  }
}

static void read_mail(connection *peer) {
  while (!peer->closing) {
    if (peer->state == CHUNK) {
      if (peer->in.count < peer->chunk) return;
      size_t count = peer->chunk;
      drop(&peer->in, count);
      peer->state = COMMAND;
      if (peer->last_chunk) taken(peer, count); else say(peer, "250 2.0.0 OK\r\n");
    } else if (peer->state == DATA) {
      uint8_t *dot = peer->in.count ? memmem(peer->in.octets, peer->in.count, "\r\n.\r\n", 5) : NULL;
      if (!dot) return;
      size_t count = (size_t)(dot - peer->in.octets) + 2;
      drop(&peer->in, count + 3);
      taken(peer, count);
    } else {
      uint8_t *feed = peer->in.count ? memchr(peer->in.octets, '\n', peer->in.count) : NULL;
      if (!feed) return;
      size_t length = (size_t)(feed - peer->in.octets);
      char line[8192];
      size_t kept = length < sizeof line ? length : sizeof line - 1;
      memcpy(line, peer->in.octets, kept);
      line[kept] = 0;
      if (kept && line[kept - 1] == '\r') line[kept - 1] = 0;
      drop(&peer->in, length + 1);
      command(peer, line);
    }
  }
}

static void hear(connection *peer) {
  static uint8_t octets[262144];
  ssize_t count = recv(peer->socket, octets, sizeof octets, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return end(peer);
  BIO_write(peer->incoming, octets, (int)count);
  if (!SSL_is_init_finished(peer->tls)) {
    if (SSL_do_handshake(peer->tls) != 1) {
      push(peer);
      return;
    }
    say(peer, "220 sink.local ESMTP ready\r\n");
  }
  for (int more; (more = SSL_read(peer->tls, octets, sizeof octets)) > 0;) add(&peer->in, octets, (size_t)more);
  read_mail(peer);
  push(peer);
}

static void greet(int listener) {
  for (;;) {
    int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (accepted < 0) return;
    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection *peer = calloc(1, sizeof *peer);
    if (!peer) abort();
    peer->socket = accepted;
    peer->tls = SSL_new(context);
    peer->incoming = BIO_new(BIO_s_mem());
    peer->outgoing = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(peer->incoming, -1);
    SSL_set_bio(peer->tls, peer->incoming, peer->outgoing);
    SSL_set_accept_state(peer->tls);
    peer->next = connections;
    connections = peer;
    seen.connections++;
    struct epoll_event event = {EPOLLIN, {.ptr = peer}};
    epoll_ctl(watch, EPOLL_CTL_ADD, accepted, &event);
  }
}

static void stop(int number) {
  (void)number;
  stopping = 1;
}

int main(int count, char **words) {
  if (count < 4) return fprintf(stderr, "usage: sink PORT CERTIFICATE KEY [ROUND-TRIP-MS]\n"), 64;
  if (count > 4) delay = (uint64_t)(atof(words[4]) * 1e6);
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, words[2]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, words[3], SSL_FILETYPE_PEM) != 1)
    return ERR_print_errors_fp(stderr), 66;
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1])),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) return perror("bind"), 71;
  socklen_t length = sizeof address;
  getsockname(listener, (struct sockaddr *)&address, &length);
  watch = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {EPOLLIN, {.ptr = NULL}};
  epoll_ctl(watch, EPOLL_CTL_ADD, listener, &event);
  printf("READY %d\n", ntohs(address.sin_port));
  fflush(stdout);

  while (!stopping) {
    uint64_t due = UINT64_MAX, moment = delay ? now() : 0;
    for (connection *peer = delay ? connections : NULL; peer; peer = peer->next)
      if (peer->first && peer->first->due < due) due = peer->first->due;
    struct timespec wait = {0, 0}, *limit = NULL;
    if (due != UINT64_MAX) {
      uint64_t left = due > moment ? due - moment : 0;
      wait = (struct timespec){(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
      limit = &wait;
    }
    struct epoll_event events[64];
    int ready = epoll_pwait2(watch, events, 64, limit, NULL);
    for (int i = 0; i < ready; i++) {
      connection *peer = events[i].data.ptr;
      if (!peer) greet(listener);
      else if (!(events[i].events & EPOLLOUT) || flush(peer)) {
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) hear(peer);
      }
    }
    for (connection *peer = delay ? connections : NULL, *next; peer; peer = next) {
      next = peer->next;
      flush(peer);
    }
  }
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  printf("{\"mails\":%lu,\"octets\":%lu,\"connections\":%lu,\"logins\":%lu,\"flights\":%lu,\"cpu\":%.4f}\n", seen.mails,
         seen.octets, seen.connections, seen.logins, seen.flights,
         (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
  return 0;
}
