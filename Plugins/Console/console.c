/* console: prints each mail. An example to copy.
 *
 * In the order of pabal_transport.h: settings, open, send, close, table, entry.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pabal_transport.h"
#include "readable.h"

/* The state of one opened transport. The host may open several. */
struct console {
  const pabal_host *host;
  FILE *stream;
  int envelope;
  int decoded;
};

static const char *const streams[] = {"stdout", "stderr", NULL};

static const pabal_setting settings[] = {
    {.size = sizeof(pabal_setting),
     .kind = PABAL_CHOICE,
     .key = "stream",
     .help = "The stream to print to.",
     .default_value = "stdout",
     .choices = streams},
    {.size = sizeof(pabal_setting),
     .kind = PABAL_BOOLEAN,
     .key = "envelope",
     .help = "Whether to print sender and recipients before the mail.",
     .default_value = "true"},
    {.size = sizeof(pabal_setting),
     .kind = PABAL_BOOLEAN,
     .key = "decoded",
     .help = "Whether to print the main header fields and the text, decoded, before the mail.",
     .default_value = "true"},
};

static void fail(const pabal_host *host, pabal_opening *opening, const char *reason) {
  host->fail(opening, reason, strlen(reason));
}

static int32_t console_open(const pabal_host *host, pabal_opening *opening, void **transport,
                            uint32_t *parallel) {
  struct console *console = malloc(sizeof *console);
  if (console == NULL) {
    fail(host, opening, "out of memory; free some memory");
    return 1;
  }
  console->host = host;
  console->stream =
      strcmp(host->setting(opening, "stream")->text, "stderr") == 0 ? stderr : stdout;
  console->envelope = host->setting(opening, "envelope")->number != 0;
  console->decoded = host->setting(opening, "decoded")->number != 0;
  *transport = console;
  /* One thread at a time, because output of two mails would mix. */
  *parallel = 1;
  return 0;
}

/* On a terminal, replaces control characters: mail may contain escape sequences. */
static int print(FILE *stream, const unsigned char *bytes, size_t count) {
  if (!isatty(fileno(stream))) return fwrite(bytes, 1, count, stream) == count;
  for (size_t i = 0; i < count; i++) {
    int shown = bytes[i];
    if ((shown < 32 && shown != '\n' && shown != '\t') || shown == 127) {
      if (shown == '\r' && i + 1 < count && bytes[i + 1] == '\n') continue;
      shown = '?';
    }
    if (putc(shown, stream) == EOF) return 0;
  }
  return 1;
}

static void console_send(void *transport, const pabal_mail *mail, pabal_attempt *attempt,
                         pabal_verdict *verdict) {
  struct console *console = transport;
  if (console->envelope) {
    fprintf(console->stream, "MAIL FROM:<%s>\n", mail->sender);
    for (size_t i = 0; i < mail->recipient_count; i++)
      fprintf(console->stream, "RCPT TO:<%s>\n", mail->recipients[i]);
    fputc('\n', console->stream);
  }
  if (console->decoded) {
    print_readable(console->stream, mail->octets, mail->octet_count);
    fputs("\n-- the mail as it is sent --\n", console->stream);
  }
  print(console->stream, mail->octets, mail->octet_count);
  /* A pipe whose reader has exited fails here at the earliest. Whatever it read,
   * it didn't take responsibility for the mail. */
  if (fflush(console->stream) != 0 || ferror(console->stream)) {
    static const char reply[] = "the stream can't be written: its reader has exited or its disk is full; correct that";
    console->host->reply(attempt, reply, strlen(reply));
    clearerr(console->stream);
    verdict->outcome = PABAL_DEFERRED;
    return;
  }
  verdict->outcome = PABAL_SENT;
}

static void console_close(void *transport) { free(transport); }

static const pabal_transport table = {
    .abi = PABAL_TRANSPORT_ABI,
    .size = sizeof(pabal_transport),
    .name = "console",
    .version = "1",
    .summary = "Prints each mail on standard output or standard error.",
    .settings = settings,
    .setting_count = sizeof settings / sizeof *settings,
    .open = console_open,
    .send = console_send,
    .close = console_close,
};

const pabal_transport *pabal_transport_entry(uint32_t host_abi) {
  return host_abi >= PABAL_TRANSPORT_ABI ? &table : NULL;
}
