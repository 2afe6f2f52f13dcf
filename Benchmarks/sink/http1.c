// The sink's HTTP/1.1: Gmail's `users.messages.send`, as JSON and as media upload, and Microsoft Graph's `sendMail`.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sink.h"

int gmail_answer(char *text, size_t room) {
  static uint64_t id = 0x18f0000000000000;
  id++;
  return snprintf(text, room, "{\n  \"id\": \"%016lx\",\n  \"threadId\": \"%016lx\",\n  \"labelIds\": [\n    \"SENT\"\n  ]\n}\n",
                  id, id);
}

static void answer(connection *c, int status) {
  char body[256], head[256];
  if (status == 202) {
    buffer_text(&c->output,
                "HTTP/1.1 202 Accepted\r\nCache-Control: private\r\nStrict-Transport-Security: max-age=31536000\r\n"
                "request-id: 8a5fcb00-3f51-4d8e-9c60-2c2f6a1f0e55\r\n"
                "client-request-id: 8a5fcb00-3f51-4d8e-9c60-2c2f6a1f0e55\r\nContent-Length: 0\r\n\r\n");
    return;
  }
  int length = status == 200 ? gmail_answer(body, sizeof body)
                             : snprintf(body, sizeof body, "{\"error\": {\"code\": %d}}\n", status);
  int head_length = snprintf(head, sizeof head,
                             "HTTP/1.1 %d %s\r\nContent-Type: application/json; charset=UTF-8\r\n"
                             "Vary: Origin, X-Origin, Referer\r\nServer: sink\r\nCache-Control: private\r\n"
                             "Content-Length: %d\r\n\r\n",
                             status, status == 200 ? "OK" : "Refused", length);
  buffer_add(&c->output, head, (size_t)head_length);
  buffer_add(&c->output, body, (size_t)length);
  if (status != 200) counted.errors++;
}

typedef struct {
  size_t length;
  bool is_chunked, expects, is_authorised;
} fields;

/// The fields of a head that ends with a NUL.
static fields read_fields(const char *head) {
  fields found = {0};
  for (const char *line = strchr(head, '\n'); line; line = strchr(line, '\n')) {
    line++;
    if (!strncasecmp(line, "content-length:", 15)) found.length = strtoul(line + 15, NULL, 10);
    else if (!strncasecmp(line, "authorization: bearer ", 22)) found.is_authorised = true;
    else if (!strncasecmp(line, "transfer-encoding: chunked", 26)) found.is_chunked = true;
    else if (!strncasecmp(line, "expect: 100-continue", 20)) found.expects = true;
  }
  return found;
}

static int judge(const char *request, const fields *given, const unsigned char *body, size_t count) {
  size_t length = strcspn(request, "\r");
  if (!strncmp(request, "POST /v1.0/", 11) && memmem(request, length, "/sendMail ", 10))
    return !given->is_authorised ? 401 : count > 10 && count % 4 == 0 ? 202 : 400;
  if (strncmp(request, "POST ", 5) || !memmem(request, length, "/messages/send", 14)) return 404;
  if (!given->is_authorised) return 401;
  if (!strncmp(request + 5, "/upload/", 8)) return count > 10 ? 200 : 400;
  return memmem(body, count < 128 ? count : 128, "\"raw\"", 5) ? 200 : 400;
}

void http1_take(connection *c) {
  while (buffer_count(&c->input) > 0) {
    size_t count = buffer_count(&c->input);
    unsigned char *head = buffer_begin(&c->input), *end = memmem(head, count, "\r\n\r\n", 4);
    if (end == NULL) return;
    end[2] = 0;
    fields given = read_fields((const char *)head);
    end[2] = '\r';
    unsigned char *body = end + 4;
    size_t here = count - (size_t)(body - head), length = given.length;
    if (given.is_chunked) {
      unsigned char *last = memmem(body, here, "0\r\n\r\n", 5);
      if (last == NULL) return;
      length = (size_t)(last - body) + 5;
    } else if (here < length) {
      if (given.expects && !c->said_continue) {
        buffer_text(&c->output, "HTTP/1.1 100 Continue\r\n\r\n");
        c->said_continue = true;
      }
      return;
    }
    c->said_continue = false;
    counted.commands++;
    int status = judge((const char *)head, &given, body, length);
    if (status == 200 || status == 202) took_message(length);
    answer(c, status);
    buffer_drop(&c->input, (size_t)(body - head) + length);
  }
}
