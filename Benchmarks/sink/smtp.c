// The sink's SMTP: whatever the login, whatever the mail, it is taken.
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sink.h"

static bool begins(const char *line, const char *word) { return !strncasecmp(line, word, strlen(word)); }

void smtp_greet(connection *c) { buffer_text(&c->output, "220 localhost ESMTP sink\r\n"); }

static void offer(connection *c) {
  buffer_text(&c->output, "250-localhost\r\n250-SIZE 35882577\r\n250-8BITMIME\r\n");
  buffer_text(&c->output, c->tls ? "250-AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER\r\n" : "250-STARTTLS\r\n");
  buffer_text(&c->output, "250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SMTPUTF8\r\n");
}

static void let_in(connection *c) {
  c->state = COMMANDS;
  c->is_logged_in = true;
  counted.logins++;
  buffer_text(&c->output, "235 2.7.0 Accepted\r\n");
}

static void log_in(connection *c, const char *mechanism) {
  if (strchr(mechanism, ' ')) {
    let_in(c);
    return;
  }
  // LOGIN asks for two answers, every other mechanism for one.
  c->state = LOGIN;
  c->login_answers = begins(mechanism, "LOGIN") ? 2 : 1;
  buffer_text(&c->output, c->login_answers == 2 ? "334 VXNlcm5hbWU6\r\n" : "334 \r\n");
}

static void refuse(connection *c, const char *reply) {
  counted.errors++;
  buffer_text(&c->output, reply);
}

static void obey(connection *c, const char *line) {
  counted.commands++;
  if (begins(line, "MAIL FROM:")) {
    if (c->is_logged_in) buffer_text(&c->output, "250 2.1.0 OK\r\n");
    else refuse(c, "530 5.7.0 Authentication required\r\n");
  } else if (begins(line, "RCPT TO:")) {
    c->recipients++;
    buffer_text(&c->output, "250 2.1.5 OK\r\n");
  } else if (begins(line, "BDAT ")) {
    c->chunk_left = strtoul(line + 5, NULL, 10);
    c->is_last_chunk = strcasestr(line, " LAST") != NULL;
    c->state = CHUNK;
  } else if (begins(line, "DATA")) {
    if (c->recipients == 0) {
      refuse(c, "503 5.5.1 RCPT first\r\n");
      return;
    }
    buffer_text(&c->output, "354 Go ahead\r\n");
    c->state = BODY;
    c->searched = 0;
  } else if (begins(line, "EHLO") || begins(line, "HELO")) {
    offer(c);
  } else if (begins(line, "STARTTLS") && !c->tls) {
    buffer_text(&c->output, "220 2.0.0 Ready\r\n");
    c->starts_tls = true;
  } else if (begins(line, "AUTH ")) {
    log_in(c, line + 5);
  } else if (begins(line, "RSET") || begins(line, "NOOP")) {
    c->recipients = 0;
    buffer_text(&c->output, "250 2.0.0 OK\r\n");
  } else if (begins(line, "QUIT")) {
    buffer_text(&c->output, "221 2.0.0 Goodbye\r\n");
    c->is_ending = true;
  } else {
    refuse(c, "502 5.5.1 Not known here\r\n");
  }
}

static void took(connection *c, size_t bytes) {
  took_message(bytes);
  c->state = COMMANDS;
  c->recipients = 0;
  buffer_text(&c->output, "250 2.0.0 OK queued as sink\r\n");
}

/// Bytes after DATA, to the line with the dot; answers whether it has come.
static bool take_octets(connection *c) {
  const unsigned char *bytes = buffer_begin(&c->input), *end;
  size_t count = buffer_count(&c->input), from = c->searched > 4 ? c->searched - 4 : 0;
  if (count >= 3 && !memcmp(bytes, ".\r\n", 3)) {
    buffer_drop(&c->input, 3);
    took(c, 0);
    return true;
  }
  end = memmem(bytes + from, count - from, "\r\n.\r\n", 5);
  if (end == NULL) {
    c->searched = count;
    return false;
  }
  size_t length = (size_t)(end - bytes) + 2;
  buffer_drop(&c->input, length + 3);
  took(c, length);
  return true;
}

static bool take_chunk(connection *c) {
  size_t count = buffer_count(&c->input);
  if (count < c->chunk_left) return false;
  size_t length = c->chunk_left;
  buffer_drop(&c->input, length);
  if (c->is_last_chunk) {
    took(c, length);
  } else {
    c->state = COMMANDS;
    buffer_text(&c->output, "250 2.0.0 OK\r\n");
  }
  return true;
}

void smtp_take(connection *c) {
  while (!c->is_ending && !c->starts_tls) {
    if (c->state == BODY) {
      if (!take_octets(c)) return;
      continue;
    }
    if (c->state == CHUNK) {
      if (!take_chunk(c)) return;
      continue;
    }
    char *line = (char *)buffer_begin(&c->input), *end;
    size_t count = buffer_count(&c->input);
    if (count == 0 || (end = memchr(line, '\n', count)) == NULL) return;
    *end = 0;
    buffer_drop(&c->input, (size_t)(end - line) + 1);
    if (c->state != LOGIN) obey(c, line);
    else if (--c->login_answers > 0) buffer_text(&c->output, "334 UGFzc3dvcmQ6\r\n");
    else let_in(c);
  }
}
