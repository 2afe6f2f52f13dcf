// The sink's HTTP/2, by libnghttp2: the same as http1.c for clients that ask for it.
#define _GNU_SOURCE
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sink.h"

typedef struct {
  bool is_authorised, is_send, is_upload, has_raw;
  size_t bytes;
  char body[256];
  size_t length, read;
} request;

static bool has(const uint8_t *text, size_t count, const char *part) {
  return memmem(text, count, part, strlen(part)) != NULL;
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *unused) {
  (void)unused;
  if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, calloc(1, sizeof(request)));
  return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t length, uint8_t flags, void *unused) {
  (void)flags, (void)unused;
  request *asked = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  if (asked == NULL) return 0;
  if (name_length == 5 && !memcmp(name, ":path", 5)) {
    asked->is_send = has(value, length, "/messages/send");
    asked->is_upload = length > 8 && !memcmp(value, "/upload/", 8);
  } else if (name_length == 13 && !memcmp(name, "authorization", 13)) {
    asked->is_authorised = length > 7 && !strncasecmp((const char *)value, "bearer ", 7);
  }
  return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes, size_t count,
                     void *unused) {
  (void)flags, (void)unused;
  request *asked = nghttp2_session_get_stream_user_data(session, stream);
  if (asked == NULL) return 0;
  if (asked->bytes == 0) asked->has_raw = has(bytes, count < 128 ? count : 128, "\"raw\"");
  asked->bytes += count;
  return 0;
}

static ssize_t give_body(nghttp2_session *session, int32_t stream, uint8_t *bytes, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *unused) {
  (void)session, (void)stream, (void)unused;
  request *asked = source->ptr;
  size_t count = asked->length - asked->read;
  if (count > room) count = room;
  memcpy(bytes, asked->body + asked->read, count);
  asked->read += count;
  if (asked->read == asked->length) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return (ssize_t)count;
}

static nghttp2_nv field(const char *name, const char *value) {
  return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void answer(nghttp2_session *session, int32_t stream, request *asked) {
  bool is_whole = asked->is_upload ? asked->bytes > 10 : asked->has_raw;
  int status = !asked->is_send ? 404 : !asked->is_authorised ? 401 : is_whole ? 200 : 400;
  counted.commands++;
  if (status == 200) {
    took_message(asked->bytes);
    asked->length = (size_t)gmail_answer(asked->body, sizeof asked->body);
  } else {
    counted.errors++;
    asked->length = (size_t)snprintf(asked->body, sizeof asked->body, "{\"error\": {\"code\": %d}}\n", status);
  }
  char status_text[8], length_text[24];
  snprintf(status_text, sizeof status_text, "%d", status);
  snprintf(length_text, sizeof length_text, "%zu", asked->length);
  const nghttp2_nv fields[] = {
      field(":status", status_text), field("content-type", "application/json; charset=UTF-8"),
      field("vary", "Origin, X-Origin, Referer"), field("server", "sink"), field("cache-control", "private"),
      field("content-length", length_text)};
  nghttp2_data_provider provider = {.source.ptr = asked, .read_callback = give_body};
  nghttp2_submit_response(session, stream, fields, sizeof fields / sizeof *fields, &provider);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *unused) {
  (void)unused;
  bool has_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
  if (!has_end || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
  request *asked = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  if (asked) answer(session, frame->hd.stream_id, asked);
  return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *unused) {
  (void)error, (void)unused;
  free(nghttp2_session_get_stream_user_data(session, stream));
  return 0;
}

static const nghttp2_session_callbacks *callbacks(void) {
  static nghttp2_session_callbacks *all;
  if (all) return all;
  if (nghttp2_session_callbacks_new(&all)) abort();
  nghttp2_session_callbacks_set_on_begin_headers_callback(all, on_begin);
  nghttp2_session_callbacks_set_on_header_callback(all, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all, on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(all, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(all, on_close);
  return all;
}

void http2_begin(connection *c) {
  if (nghttp2_session_server_new(&c->http2, callbacks(), c)) abort();
  // As many streams as Google allows, and windows that no 2 KB mail ever fills.
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20}};
  nghttp2_submit_settings(c->http2, NGHTTP2_FLAG_NONE, settings, 2);
  nghttp2_session_set_local_window_size(c->http2, NGHTTP2_FLAG_NONE, 0, 1 << 20);
}

void http2_take(connection *c) {
  ssize_t used = nghttp2_session_mem_recv(c->http2, buffer_begin(&c->input), buffer_count(&c->input));
  if (used < 0) {
    counted.errors++;
    c->is_ending = true;
    return;
  }
  buffer_drop(&c->input, (size_t)used);
  const uint8_t *bytes;
  ssize_t count;
  while ((count = nghttp2_session_mem_send(c->http2, &bytes)) > 0) buffer_add(&c->output, bytes, (size_t)count);
}
