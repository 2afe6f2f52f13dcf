/* sink: a far side that is never the slow one. One thread, epoll, OpenSSL over memory, nghttp2: Gmail's REST send over
 * HTTP/1.1 and HTTP/2, media upload and JSON, that takes every mail with a token and forgets it.
 *
 *   sink PORT CERTIFICATE KEY
 *
 * Prints READY PORT; on SIGTERM one JSON line: mails, octets, connections, errors, its own CPU seconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
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
#include <unistd.h>

typedef struct {
  uint8_t *octets;
  size_t count, room;
} buffer;

typedef struct {
  int socket, is_secure, is_closing, waits_to_write, has_continued;
  SSL *tls;
  BIO *incoming, *outgoing;
  buffer in, out, wire;
  nghttp2_session *two;
} connection;

/* One request of HTTP/2. */
typedef struct {
  int has_token, is_send, is_upload, has_raw;
  size_t count, gone, length;
  char answer[512];
} stream;

static SSL_CTX *context;
static int watch;
static volatile sig_atomic_t stopping;
static struct {
  unsigned long mails, octets, connections, errors;
} seen;

static void add(buffer *b, const void *octets, size_t count) {
  if (b->count + count > b->room) {
    b->room = 2 * (b->count + count) + 1024;
    b->octets = realloc(b->octets, b->room);
  }
  memcpy(b->octets + b->count, octets, count);
  b->count += count;
}

static void drop(buffer *b, size_t count) {
  memmove(b->octets, b->octets + count, b->count - count);
  b->count -= count;
}

static void end(connection *c) {
  close(c->socket);
  if (c->tls) SSL_free(c->tls);
  if (c->two) nghttp2_session_del(c->two);
  free(c->in.octets);
  free(c->out.octets);
  free(c->wire.octets);
  free(c);
}

/* Writes what OpenSSL has made; 0: the connection is over. */
static int flush(connection *c) {
  if (c->out.count) {
    SSL_write(c->tls, c->out.octets, (int)c->out.count);
    c->out.count = 0;
  }
  char *octets;
  long count = BIO_get_mem_data(c->outgoing, &octets);
  if (count > 0) {
    add(&c->wire, octets, (size_t)count);
    (void)BIO_reset(c->outgoing);
  }
  while (c->wire.count) {
    ssize_t gone = send(c->socket, c->wire.octets, c->wire.count, MSG_NOSIGNAL);
    if (gone < 0 && errno != EAGAIN) return 0;
    if (gone > 0) drop(&c->wire, (size_t)gone);
    if (gone < 0) break;
  }
  int wants = c->wire.count > 0;
  if (wants != c->waits_to_write) {
    struct epoll_event event = {EPOLLIN | (wants ? (uint32_t)EPOLLOUT : 0), {.ptr = c}};
    epoll_ctl(watch, EPOLL_CTL_MOD, c->socket, &event);
    c->waits_to_write = wants;
  }
  return wants || !c->is_closing;
}

static int answer(char *octets, size_t room, int status) {
  static uint64_t id = 0x18f0000000000000ull;
  if (status != 200) {
    seen.errors++;
    return snprintf(octets, room, "{\"error\":{\"code\":%d}}\n", status);
  }
  id++;
  seen.mails++;
  return snprintf(octets, room, "{\n  \"id\": \"%016llx\",\n  \"threadId\": \"%016llx\",\n  \"labelIds\": [\n    \"SENT\"\n  ]\n}\n",
                  (unsigned long long)id, (unsigned long long)id);
}

static int judge(int is_send, int has_token, int is_upload, int has_raw, size_t count) {
  if (!is_send) return 404;
  if (!has_token) return 401;
  return is_upload ? count < 10 ? 400 : 200 : has_raw ? 200 : 400;
}

static void one(connection *c) {
  for (;;) {
    uint8_t *blank = c->in.count ? memmem(c->in.octets, c->in.count, "\r\n\r\n", 4) : NULL;
    if (!blank) return;
    size_t head = (size_t)(blank - c->in.octets) + 4, length = 0;
    int has_token = 0, waits = 0;
    blank[2] = 0;
    char *text = (char *)c->in.octets;
    for (char *line = strchr(text, '\n'); line; line = strchr(line, '\n')) {
      line++;
      if (!strncasecmp(line, "content-length:", 15)) length = strtoul(line + 15, NULL, 10);
      if (!strncasecmp(line, "authorization: bearer ", 22)) has_token = 1;
      if (!strncasecmp(line, "expect: 100", 11)) waits = 1;
    }
    blank[2] = '\r';
    if (c->in.count < head + length) {
      if (waits && !c->has_continued) add(&c->out, "HTTP/1.1 100 Continue\r\n\r\n", 25);
      c->has_continued = 1;
      return;
    }
    c->has_continued = 0;
    int is_upload = !strncmp(text, "POST /upload/gmail/v1/users/me/messages/send?uploadType=media", 61);
    int is_send = is_upload || !strncmp(text, "POST /gmail/v1/users/me/messages/send", 37);
    int has_raw = memmem(c->in.octets + head, length < 128 ? length : 128, "\"raw\"", 5) != NULL;
    int status = judge(is_send, has_token, is_upload, has_raw, length);
    seen.octets += length;
    char body[512], lines[512];
    int count = answer(body, sizeof body, status);
    int size = snprintf(lines, sizeof lines,
                        "HTTP/1.1 %d %s\r\nContent-Type: application/json; charset=UTF-8\r\nVary: Origin, X-Origin, "
                        "Referer\r\nServer: sink\r\nCache-Control: private\r\nContent-Length: %d\r\n\r\n",
                        status, status == 200 ? "OK" : "Error", count);
    add(&c->out, lines, (size_t)size);
    add(&c->out, body, (size_t)count);
    drop(&c->in, head + length);
  }
}

static ssize_t give(nghttp2_session *s, int32_t id, uint8_t *octets, size_t room, uint32_t *flags,
                    nghttp2_data_source *source, void *user) {
  (void)s, (void)id, (void)user;
  stream *t = source->ptr;
  size_t count = t->length - t->gone < room ? t->length - t->gone : room;
  memcpy(octets, t->answer + t->gone, count);
  t->gone += count;
  if (t->gone == t->length) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return (ssize_t)count;
}

#define FIELD(name, value) {(uint8_t *)name, (uint8_t *)value, sizeof(name) - 1, strlen(value), 0}

static int began(nghttp2_session *s, const nghttp2_frame *f, void *user) {
  (void)user;
  if (f->hd.type == NGHTTP2_HEADERS)
    nghttp2_session_set_stream_user_data(s, f->hd.stream_id, calloc(1, sizeof(stream)));
  return 0;
}

static int header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t name_count,
                  const uint8_t *value, size_t count, uint8_t flags, void *user) {
  (void)flags, (void)user;
  stream *t = nghttp2_session_get_stream_user_data(s, f->hd.stream_id);
  if (!t) return 0;
  if (name_count == 5 && !memcmp(name, ":path", 5)) {
    t->is_send = memmem(value, count, "/messages/send", 14) != NULL;
    t->is_upload = count > 8 && !memcmp(value, "/upload/", 8);
  } else if (name_count == 13 && !memcmp(name, "authorization", 13)) {
    t->has_token = count > 7;
  }
  return 0;
}

static int data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *octets, size_t count, void *user) {
  (void)flags, (void)user;
  stream *t = nghttp2_session_get_stream_user_data(s, id);
  if (t && !t->count && memmem(octets, count < 128 ? count : 128, "\"raw\"", 5)) t->has_raw = 1;
  if (t) t->count += count;
  return 0;
}

static int frame(nghttp2_session *s, const nghttp2_frame *f, void *user) {
  (void)user;
  stream *t = (f->hd.flags & NGHTTP2_FLAG_END_STREAM) ? nghttp2_session_get_stream_user_data(s, f->hd.stream_id) : NULL;
  if (!t) return 0;
  int status = judge(t->is_send, t->has_token, t->is_upload, t->has_raw, t->count);
  seen.octets += t->count;
  t->length = (size_t)answer(t->answer, sizeof t->answer, status);
  char code[8], length[16];
  snprintf(code, sizeof code, "%d", status);
  snprintf(length, sizeof length, "%zu", t->length);
  nghttp2_nv fields[] = {FIELD(":status", code), FIELD("content-type", "application/json; charset=UTF-8"),
                         FIELD("vary", "Origin, X-Origin, Referer"), FIELD("server", "sink"),
                         FIELD("cache-control", "private"), FIELD("content-length", length)};
  nghttp2_data_provider provider = {{.ptr = t}, give};
  return nghttp2_submit_response(s, f->hd.stream_id, fields, 6, &provider);
}

static int closed(nghttp2_session *s, int32_t id, uint32_t code, void *user) {
  (void)code, (void)user;
  free(nghttp2_session_get_stream_user_data(s, id));
  return 0;
}

static void begin_two(connection *c) {
  static nghttp2_session_callbacks *calls;
  if (!calls) {
    nghttp2_session_callbacks_new(&calls);
    nghttp2_session_callbacks_set_on_begin_headers_callback(calls, began);
    nghttp2_session_callbacks_set_on_header_callback(calls, header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, closed);
  }
  nghttp2_session_server_new(&c->two, calls, c);
  nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100},
                                       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20}};
  nghttp2_submit_settings(c->two, 0, settings, 2);
  nghttp2_session_set_local_window_size(c->two, 0, 0, 1 << 20);
}

/* Takes what has come; 0: the connection is over. */
static int take(connection *c) {
  static uint8_t octets[1 << 18];
  ssize_t got = recv(c->socket, octets, sizeof octets, 0);
  if (got < 0) return errno == EAGAIN;
  if (got == 0) return 0;
  BIO_write(c->incoming, octets, (int)got);
  if (!c->is_secure) {
    int result = SSL_do_handshake(c->tls);
    if (result != 1) return SSL_get_error(c->tls, result) == SSL_ERROR_WANT_READ && flush(c);
    c->is_secure = 1;
    const unsigned char *chosen;
    unsigned count;
    SSL_get0_alpn_selected(c->tls, &chosen, &count);
    if (count == 2) begin_two(c);
  }
  int count;
  while ((count = SSL_read(c->tls, octets, sizeof octets)) > 0) add(&c->in, octets, (size_t)count);
  if (SSL_get_error(c->tls, count) != SSL_ERROR_WANT_READ) c->is_closing = 1;
  if (!c->two) {
    one(c);
  } else {
    if (nghttp2_session_mem_recv(c->two, c->in.octets, c->in.count) < 0) return 0;
    c->in.count = 0;
    const uint8_t *made;
    ssize_t size;
    while ((size = nghttp2_session_mem_send(c->two, &made)) > 0) add(&c->out, made, (size_t)size);
  }
  return flush(c);
}

static int choose(SSL *tls, const unsigned char **out, unsigned char *length, const unsigned char *in, unsigned count,
                  void *unused) {
  static const unsigned char offers[] = "\x02h2\x08http/1.1";
  (void)tls, (void)unused;
  return SSL_select_next_proto((unsigned char **)out, length, offers, sizeof offers - 1, in, count) ==
                 OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_NOACK;
}

static void welcome(int listener) {
  for (;;) {
    int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), yes = 1;
    if (socket < 0) return;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    connection *c = calloc(1, sizeof *c);
    c->socket = socket;
    c->tls = SSL_new(context);
    c->incoming = BIO_new(BIO_s_mem());
    c->outgoing = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(c->incoming, -1);
    SSL_set_bio(c->tls, c->incoming, c->outgoing);
    SSL_set_accept_state(c->tls);
    seen.connections++;
    struct epoll_event event = {EPOLLIN, {.ptr = c}};
    epoll_ctl(watch, EPOLL_CTL_ADD, socket, &event);
  }
}

static void stop(int signal) {
  (void)signal;
  stopping = 1;
}

int main(int count, char **words) {
  if (count != 4) return fprintf(stderr, "usage: sink PORT CERTIFICATE KEY\n"), 64;
  signal(SIGPIPE, SIG_IGN);
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, words[2]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, words[3], SSL_FILETYPE_PEM) != 1)
    return fprintf(stderr, "no certificate\n"), 78;
  SSL_CTX_set_alpn_select_cb(context, choose, NULL);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  if (bind(listener, (void *)&address, size) || listen(listener, 4096)) return perror("sink"), 71;
  getsockname(listener, (void *)&address, &size);
  watch = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {EPOLLIN, {.ptr = NULL}};
  epoll_ctl(watch, EPOLL_CTL_ADD, listener, &event);
  printf("READY %d\n", ntohs(address.sin_port));
  fflush(stdout);
  struct epoll_event events[512];
  while (!stopping) {
    int ready = epoll_wait(watch, events, 512, -1);
    for (int i = 0; i < ready; i++) {
      connection *c = events[i].data.ptr;
      if (!c) {
        welcome(listener);
      } else if (!((events[i].events & EPOLLOUT) ? flush(c) : 1) ||
                 !((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) ? take(c) : 1)) {
        end(c);
      }
    }
  }
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  printf("{\"mails\":%lu,\"octets\":%lu,\"connections\":%lu,\"errors\":%lu,\"cpu\":%.4f}\n", seen.mails, seen.octets,
         seen.connections, seen.errors,
         (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
             (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
  return 0;
}
