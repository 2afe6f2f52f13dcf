#include "readable.h"

#include <string.h>
#include <strings.h>

/* The bytes from `start` up to `end`. */
struct span {
  const unsigned char *start, *end;
};

/* A stream for readable text. `after_c2`: the last byte was C2, which may begin a control character of two bytes. */
struct output {
  FILE *stream;
  int after_c2;
};

static void put(struct output *output, unsigned char byte) {
  if (output->after_c2) {
    output->after_c2 = 0;
    if (byte >= 0x80 && byte < 0xA0) {
      putc('?', output->stream);
      return;
    }
    putc(0xC2, output->stream);
  }
  if (byte == 0xC2)
    output->after_c2 = 1;
  else if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F)
    putc('?', output->stream);
  else
    putc(byte, output->stream);
}

static size_t length(struct span span) { return (size_t)(span.end - span.start); }

static int is_blank(unsigned char byte) { return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'; }

static struct span trimmed(struct span span) {
  while (span.start < span.end && is_blank(*span.start)) span.start++;
  while (span.start < span.end && is_blank(span.end[-1])) span.end--;
  return span;
}

static int begins_with(struct span span, const char *word) {
  return length(span) >= strlen(word) && strncasecmp((const char *)span.start, word, strlen(word)) == 0;
}

/* Takes the next line of `rest`, without its line end. */
static int next_line(struct span *rest, struct span *line) {
  if (rest->start == rest->end) return 0;
  const unsigned char *end = memchr(rest->start, '\n', length(*rest));
  line->start = rest->start;
  line->end = end == NULL ? rest->end : end;
  rest->start = end == NULL ? rest->end : end + 1;
  if (line->end > line->start && line->end[-1] == '\r') line->end--;
  return 1;
}

/* Splits an entity at its first empty line. */
static void split(struct span entity, struct span *header, struct span *body) {
  struct span rest = entity, line;
  *header = entity;
  body->start = body->end = entity.end;
  while (next_line(&rest, &line))
    if (length(line) == 0) {
      header->end = line.start;
      body->start = rest.start;
      return;
    }
}

/* Returns the value of a field with its folds; empty if there is none. `name` ends with a colon. */
static struct span field(struct span header, const char *name) {
  struct span rest = header, line;
  while (next_line(&rest, &line)) {
    if (!begins_with(line, name)) continue;
    struct span value = {line.start + strlen(name), line.end};
    while (rest.start < rest.end && (*rest.start == ' ' || *rest.start == '\t')) {
      next_line(&rest, &line);
      value.end = line.end;
    }
    return trimmed(value);
  }
  return (struct span){header.start, header.start};
}

static int base64_digit(unsigned char byte) {
  if (byte >= 'A' && byte <= 'Z') return byte - 'A';
  if (byte >= 'a' && byte <= 'z') return byte - 'a' + 26;
  if (byte >= '0' && byte <= '9') return byte - '0' + 52;
  return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

static int hex_digit(unsigned char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* A line ends with CR LF there, and with LF here. */
static void put_text(struct output *output, unsigned char byte) {
  if (byte != '\r') put(output, byte);
}

static void put_base64(struct output *output, struct span text) {
  unsigned bits = 0;
  int count = 0;
  for (; text.start < text.end; text.start++) {
    int digit = base64_digit(*text.start);
    if (digit < 0) continue;
    bits = (bits << 6 | (unsigned)digit) & 0xFFFF;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    put_text(output, (unsigned char)(bits >> count));
  }
}

/* Quoted-printable, or with `is_word` the Q encoding of a header, where _ is a space. */
static void put_quoted(struct output *output, struct span text, int is_word) {
  for (; text.start < text.end; text.start++) {
    unsigned char byte = *text.start;
    if (is_word && byte == '_') byte = ' ';
    if (*text.start != '=') {
      put_text(output, byte);
      continue;
    }
    size_t left = length(text);
    int high = left > 2 ? hex_digit(text.start[1]) : -1, low = left > 2 ? hex_digit(text.start[2]) : -1;
    if (high >= 0 && low >= 0) {
      put_text(output, (unsigned char)(high << 4 | low));
      text.start += 2;
      continue;
    }
    /* A soft line break; at the end of the text too. */
    while (text.start + 1 < text.end && is_blank(text.start[1]) && *text.start != '\n') text.start++;
  }
}

/* Prints the encoded word at the start of `text` and returns its length; 0 if there is none in UTF-8. */
static size_t put_word(struct output *output, struct span text) {
  if (!begins_with(text, "=?utf-8?") || length(text) < 12 || text.start[9] != '?') return 0;
  struct span word = {text.start + 10, text.start + 10};
  while (word.end + 1 < text.end && !(word.end[0] == '?' && word.end[1] == '=')) {
    if (is_blank(*word.end)) return 0;
    word.end++;
  }
  if (word.end + 1 >= text.end) return 0;
  if (text.start[8] == 'B' || text.start[8] == 'b')
    put_base64(output, word);
  else if (text.start[8] == 'Q' || text.start[8] == 'q')
    put_quoted(output, word, 1);
  else
    return 0;
  return (size_t)(word.end + 2 - text.start);
}

static void print_field(struct output *output, struct span header, const char *name) {
  struct span value = field(header, name);
  if (length(value) == 0) return;
  fprintf(output->stream, "%s ", name);
  while (value.start < value.end) {
    size_t count = put_word(output, value);
    if (count == 0) {
      /* A fold is its blank. */
      if (*value.start != '\r' && *value.start != '\n') put(output, *value.start);
      value.start++;
      continue;
    }
    value.start += count;
    /* The blanks between two encoded words aren't shown (RFC 2047, 6.2). */
    struct span next = trimmed(value);
    if (begins_with(next, "=?utf-8?")) value.start = next.start;
  }
  put(output, '\n');
}

/* Returns the boundary of a multipart; empty if there is none. */
static struct span boundary_of(struct span type) {
  struct span found = {type.end, type.end};
  for (const unsigned char *at = type.start; at < type.end; at++) {
    struct span rest = {at, type.end};
    if (!begins_with(rest, "boundary=")) continue;
    found.start = at + strlen("boundary=");
    int is_quoted = found.start < type.end && *found.start == '"';
    if (is_quoted) found.start++;
    found.end = found.start;
    while (found.end < type.end && (is_quoted ? *found.end != '"' : *found.end != ';' && !is_blank(*found.end)))
      found.end++;
    break;
  }
  return found;
}

/* Finds the first text part of an entity; returns whether there is one. */
static int find_text(struct span entity, int depth, struct span *header, struct span *body) {
  split(entity, header, body);
  struct span type = field(*header, "content-type:");
  if (length(type) == 0 || begins_with(type, "text/plain")) return 1;
  struct span boundary = boundary_of(type);
  if (!begins_with(type, "multipart/") || length(boundary) == 0 || depth == 8) return 0;
  struct span rest = *body, line, part = {NULL, NULL};
  while (next_line(&rest, &line)) {
    if (length(line) < length(boundary) + 2 || line.start[0] != '-' || line.start[1] != '-' ||
        memcmp(line.start + 2, boundary.start, length(boundary)) != 0)
      continue;
    part.end = line.start;
    if (part.start != NULL && find_text(part, depth + 1, header, body)) return 1;
    part.start = rest.start;
  }
  part.end = rest.end;
  return part.start != NULL && find_text(part, depth + 1, header, body);
}

void print_readable(FILE *stream, const unsigned char *mail, size_t count) {
  struct output output = {stream, 0};
  struct span entity = {mail, mail + count}, header, body;
  split(entity, &header, &body);
  static const char *const shown[] = {"From:", "To:", "Cc:", "Subject:"};
  for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) print_field(&output, header, shown[i]);
  put(&output, '\n');
  if (!find_text(entity, 0, &header, &body)) {
    fputs("(no text part)\n", stream);
    return;
  }
  struct span encoding = field(header, "content-transfer-encoding:");
  if (begins_with(encoding, "base64"))
    put_base64(&output, body);
  else if (begins_with(encoding, "quoted-printable"))
    put_quoted(&output, body, 0);
  else
    for (; body.start < body.end; body.start++) put_text(&output, *body.start);
  if (output.after_c2) putc('?', stream);
}
