// The sink: a far side fast enough to show what its clients cost. What its files share.
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nghttp2_session;

/// Bytes that come in at the end and are used up from the beginning.
typedef struct {
  unsigned char *bytes;
  size_t start, end, room;
} buffer;

void buffer_add(buffer *, const void *bytes, size_t count);
void buffer_text(buffer *, const char *text);
void buffer_drop(buffer *, size_t count);
static inline unsigned char *buffer_begin(const buffer *b) { return b->bytes + b->start; }
static inline size_t buffer_count(const buffer *b) { return b->end - b->start; }

typedef enum { SMTP_STARTTLS, SMTP_TLS, HTTPS, PROTOCOLS } protocol;

/// Bytes that a connection has yet to write, and from when on it may.
typedef struct held {
  struct held *next;
  uint64_t due;
  size_t count, written;
  unsigned char bytes[];
} held;

typedef struct connection {
  struct connection *next, *previous;
  int socket;
  protocol protocol;
  uint64_t accepted;

  SSL *tls;
  BIO *from_peer, *to_peer;
  bool is_secured;

  buffer input, output;
  held *first_held, *last_held;
  bool has_answered, wants_write;
  /// Set by a dialogue: part once everything is written; or secure what follows.
  bool is_ending, starts_tls;

  /// Where the SMTP dialogue stands.
  enum { COMMANDS, BODY, CHUNK, LOGIN } state;
  size_t searched, chunk_left, recipients;
  int login_answers;
  bool is_last_chunk, is_logged_in;
  /// Where the HTTP dialogue stands.
  bool said_continue;
  struct nghttp2_session *http2;
} connection;

/// What has come since the last report.
typedef struct {
  uint64_t messages, bytes, connections, handshakes, logins, flights, commands, errors;
} tally;

extern tally counted;
extern uint64_t round_trip;  // nanoseconds

uint64_t nanoseconds(void);
void took_message(size_t bytes);

/// connection.c: everything below the dialogue. A function that answers false has closed the connection.
void open_connection(int listener, protocol, SSL_CTX *);
void read_from(connection *, SSL_CTX *);
bool write_due(connection *, uint64_t now);
/// Writes what is due of all connections; answers when the next is, or 0.
uint64_t write_all_due(void);
extern int poller;

/// Each takes what it can use of `input` and appends its answers to `output`.
void smtp_greet(connection *);
void smtp_take(connection *);
void http1_take(connection *);
void http2_begin(connection *);
void http2_take(connection *);

/// The body of Gmail's answer to a mail it took; answers its length.
int gmail_answer(char *text, size_t room);
