// One connection of the sink: TLS between a socket and a dialogue, and bytes held back for a round trip.
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sink.h"

static connection *open_ones;

void buffer_add(buffer *b, const void *bytes, size_t count) {
  if (b->start == b->end) b->start = b->end = 0;
  if (b->end + count > b->room) {
    if (b->start > 0) {
      memmove(b->bytes, b->bytes + b->start, b->end - b->start);
      b->end -= b->start;
      b->start = 0;
    }
    if (b->end + count > b->room) {
      b->room = (b->end + count) * 2 + 4096;
      b->bytes = realloc(b->bytes, b->room);
      if (b->bytes == NULL) abort();
    }
  }
  memcpy(b->bytes + b->end, bytes, count);
  b->end += count;
}

void buffer_text(buffer *b, const char *text) { buffer_add(b, text, strlen(text)); }

void buffer_drop(buffer *b, size_t count) { b->start += count; }

static void secure(connection *c, SSL_CTX *context) {
  c->tls = SSL_new(context);
  c->from_peer = BIO_new(BIO_s_mem());
  c->to_peer = BIO_new(BIO_s_mem());
  if (c->tls == NULL || c->from_peer == NULL || c->to_peer == NULL) abort();
  BIO_set_mem_eof_return(c->from_peer, -1);
  SSL_set_bio(c->tls, c->from_peer, c->to_peer);
  SSL_set_accept_state(c->tls);
}

void open_connection(int listener, protocol protocol, SSL_CTX *context) {
  int fd, yes = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    connection *c = calloc(1, sizeof *c);
    if (c == NULL) abort();
    c->socket = fd;
    c->protocol = protocol;
    c->accepted = nanoseconds();
    c->next = open_ones;
    if (open_ones) open_ones->previous = c;
    open_ones = c;
    counted.connections++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    if (protocol == SMTP_STARTTLS) {
      // The greeting is the only bytes that go out before any came in; it fits the socket.
      smtp_greet(c);
      ssize_t written = send(fd, buffer_begin(&c->output), buffer_count(&c->output), MSG_NOSIGNAL);
      if (written > 0) buffer_drop(&c->output, (size_t)written);
    } else {
      secure(c, context);
    }
  }
}

static bool part(connection *c) {
  close(c->socket);
  SSL_free(c->tls);
  if (c->http2) nghttp2_session_del(c->http2);
  for (held *each = c->first_held, *next; each; each = next) {
    next = each->next;
    free(each);
  }
  free(c->input.bytes);
  free(c->output.bytes);
  if (c->previous) c->previous->next = c->next;
  else open_ones = c->next;
  if (c->next) c->next->previous = c->previous;
  free(c);
  return false;
}

static void want_write(connection *c, bool wanted) {
  if (c->wants_write == wanted) return;
  c->wants_write = wanted;
  struct epoll_event event = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_MOD, c->socket, &event);
}

bool write_due(connection *c, uint64_t now) {
  held *first;
  while ((first = c->first_held) && first->due <= now) {
    ssize_t written = send(c->socket, first->bytes + first->written, first->count - first->written, MSG_NOSIGNAL);
    if (written < 0 && errno != EAGAIN) return part(c);
    if (written > 0) first->written += (size_t)written;
    if (first->written < first->count) {
      want_write(c, true);
      return true;
    }
    c->first_held = first->next;
    if (c->first_held == NULL) c->last_held = NULL;
    free(first);
  }
  want_write(c, false);
  if (c->is_ending && c->first_held == NULL) return part(c);
  return true;
}

uint64_t write_all_due(void) {
  uint64_t now = nanoseconds(), next_due = 0;
  for (connection *c = open_ones, *next; c; c = next) {
    next = c->next;
    if (c->first_held == NULL || c->wants_write) continue;
    if (c->first_held->due <= now && !write_due(c, now)) continue;
    if (c->first_held && !c->wants_write && (!next_due || c->first_held->due < next_due))
      next_due = c->first_held->due;
  }
  return next_due;
}

/// Writes bytes, at once or when a round trip is over.
static bool write_out(connection *c, const unsigned char *bytes, size_t count) {
  if (!round_trip && c->first_held == NULL) {
    ssize_t written = send(c->socket, bytes, count, MSG_NOSIGNAL);
    if (written < 0 && errno != EAGAIN) return part(c);
    if (written > 0) bytes += written, count -= (size_t)written;
    if (count == 0) return true;
  }
  held *late = malloc(sizeof *late + count);
  if (late == NULL) abort();
  late->next = NULL;
  late->count = count;
  late->written = 0;
  late->due = round_trip ? nanoseconds() + round_trip : 0;
  // The TCP handshake took a round trip too, which loopback did not.
  if (!c->has_answered && late->due < c->accepted + 2 * round_trip) late->due = c->accepted + 2 * round_trip;
  c->has_answered = true;
  memcpy(late->bytes, bytes, count);
  if (c->last_held) {
    if (late->due < c->last_held->due) late->due = c->last_held->due;
    c->last_held->next = late;
  } else {
    c->first_held = late;
    if (!round_trip) want_write(c, true);
  }
  c->last_held = late;
  return true;
}

static bool write_tls(connection *c) {
  char *bytes;
  long count = BIO_get_mem_data(c->to_peer, &bytes);
  if (count <= 0) return true;
  if (!write_out(c, (unsigned char *)bytes, (size_t)count)) return false;
  (void)BIO_reset(c->to_peer);
  return true;
}

static bool write_answers(connection *c) {
  size_t count = buffer_count(&c->output);
  if (count > 0) {
    counted.flights++;
    if (c->tls) SSL_write(c->tls, buffer_begin(&c->output), (int)count);
    else if (!write_out(c, buffer_begin(&c->output), count)) return false;
    buffer_drop(&c->output, count);
  }
  if (c->tls) {
    if (c->is_ending) SSL_shutdown(c->tls);
    if (!write_tls(c)) return false;
  }
  if (c->is_ending && c->first_held == NULL) return part(c);
  return true;
}

/// Finishes the handshake if it can; answers whether what was decrypted may be read.
static bool shake_hands(connection *c) {
  if (SSL_do_handshake(c->tls) != 1) {
    bool failed = SSL_get_error(c->tls, -1) != SSL_ERROR_WANT_READ;
    if (failed) counted.errors++;
    if (write_tls(c) && failed) part(c);
    return false;
  }
  c->is_secured = true;
  counted.handshakes++;
  if (c->protocol == SMTP_TLS) smtp_greet(c);
  const unsigned char *chosen;
  unsigned length;
  SSL_get0_alpn_selected(c->tls, &chosen, &length);
  if (length == 2 && !memcmp(chosen, "h2", 2)) http2_begin(c);
  return true;
}

static void talk(connection *c) {
  if (c->protocol != HTTPS) smtp_take(c);
  else if (c->http2) http2_take(c);
  else http1_take(c);
}

void read_from(connection *c, SSL_CTX *context) {
  static unsigned char bytes[1 << 18];
  ssize_t count = recv(c->socket, bytes, sizeof bytes, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) {
    part(c);
    return;
  }
  if (c->tls) {
    BIO_write(c->from_peer, bytes, (int)count);
    if (!c->is_secured && !shake_hands(c)) return;
    int clear;
    while ((clear = SSL_read(c->tls, bytes, sizeof bytes)) > 0) buffer_add(&c->input, bytes, (size_t)clear);
    int why = SSL_get_error(c->tls, clear);
    if (why == SSL_ERROR_ZERO_RETURN) {
      c->is_ending = true;
    } else if (why != SSL_ERROR_WANT_READ) {
      part(c);
      return;
    }
  } else {
    buffer_add(&c->input, bytes, (size_t)count);
  }
  talk(c);
  if (!write_answers(c) || !c->starts_tls) return;
  c->starts_tls = false;
  c->is_logged_in = false;
  buffer_drop(&c->input, buffer_count(&c->input));
  secure(c, context);
}
