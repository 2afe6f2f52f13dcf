/* pabal_transport.h: how Pabal and a transport meet. ABI 1.
 *
 * A transport hands a finished mail to a next hop. It is a shared object,
 * libpabal-NAME.so, that exports one symbol, pabal_transport_entry. The host
 * (the command `pabal`, or a program that links PabalCore) loads it, reads its
 * table, checks what config.json says against the settings the table declares,
 * opens it, and calls send for each mail.
 *
 * The whole of a transport, in order:
 *
 *   1. pabal_transport_entry gives the table: name, version, summary,
 *      settings, functions. No work is done here.
 *   2. open runs once for a transport that config.json configures. It reads
 *      its settings by host->setting, keeps what it needs in an object of its
 *      own, and says how many threads may call send at once.
 *   3. send runs once a mail, on a thread of the host's, and BLOCKS until the
 *      attempt has ended. At most `parallel` calls run at a time. It gives a
 *      verdict. It never throws (C++), exits, or uses another call's attempt.
 *   4. check (optional) reaches the far side and logs in, but sends nothing.
 *   5. close runs once, when no call is under way any more.
 *
 * Rules that hold everywhere:
 *
 *   - Text is UTF-8. What the host lends (`const char *`) ends with a NUL and
 *     holds no other; it holds no control character either.
 *   - What the host lends lives until the call it was lent to returns, except
 *     the host table itself and the values from host->setting, which live
 *     until close has returned.
 *   - What the plugin reports (replies, ids, reasons) the host copies at once.
 *     Any length, any octets; what isn't UTF-8 is repaired, what isn't
 *     printable is escaped before anybody sees it.
 *   - Every struct begins with its size. Structs only grow at their end: look
 *     at `size` before reading a field that a later ABI added. There is
 *     nothing to look at in ABI 1.
 *   - The process is the host's: SIGPIPE is ignored already; leave signal
 *     handlers, the locale, the environment and the current folder alone.
 *
 * The copy-me example is Plugins/Console/console.c. Before you ship, run the
 * contract test on your own file:  ./dev contract ./libpabal-NAME.so key=value…
 *
 * C11 and C++17. No other header of Pabal's is needed.
 */
#ifndef PABAL_TRANSPORT_H
#define PABAL_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PABAL_TRANSPORT_ABI 1u

/* ---- Settings ---------------------------------------------------------- */

/* The kinds of value a setting takes in config.json. */
enum {
  PABAL_TEXT = 1,     /* a string */
  PABAL_NUMBER = 2,   /* a whole number; `minimum`/`maximum` bound it */
  PABAL_BOOLEAN = 3,  /* true or false */
  PABAL_CHOICE = 4,   /* one of `choices` */
  PABAL_DURATION = 5, /* "500ms", "30s", "10m", "1h"; arrives in milliseconds,
                         which `minimum`/`maximum` bound */
  PABAL_PATH = 6,     /* a path; arrives absolute */
  PABAL_ACCOUNT = 7   /* the name of an entry in `accounts`; gives tokens */
};

/* One setting the transport understands. Any other key is an error that the
 * host reports with its place in config.json, before open.
 *
 * A transport with a far side names it by a setting `host` (a name or an
 * address) or `endpoint` (a URL): tools that send mail by the thousand look
 * there whether it is this machine. */
typedef struct pabal_setting {
  uint32_t size;             /* sizeof(pabal_setting) */
  int32_t kind;              /* PABAL_TEXT … PABAL_ACCOUNT */
  const char *key;           /* [a-z][a-z0-9_]*; "plugin" is the host's */
  const char *help;          /* one sentence for a person */
  const char *default_value; /* as text ("465", "true", "30s"), or NULL */
  const char *const *choices;/* PABAL_CHOICE: ends with NULL; else NULL */
  int64_t minimum, maximum;  /* inclusive; both 0: no bounds */
  int32_t required;          /* not 0: config.json must give it */
  int32_t secret;            /* not 0: never shown to anybody */
} pabal_setting;

/* A setting's value, checked and in the form its kind arrives in. */
typedef struct pabal_value {
  uint32_t size;
  int32_t given;    /* 0: neither configured nor defaulted; text is "" */
  const char *text; /* every kind, as text; PABAL_ACCOUNT: the account's name */
  int64_t number;   /* number; duration in ms; boolean as 0 or 1 */
  const char *user; /* PABAL_ACCOUNT: the mailbox the tokens are for; else "" */
} pabal_value;

/* ---- Outcomes ---------------------------------------------------------- */

/* How an attempt ended, for the whole mail or for one recipient. */
enum {
  PABAL_SENT = 1,     /* the next hop took responsibility */
  PABAL_DEFERRED = 2, /* not taken, try later: 4xx, rate, network, anything
                         that failed before the last octet was handed over */
  PABAL_UNSUITED = 3, /* this transport cannot carry this mail and nothing
                         left: too big, SMTPUTF8 or 8BITMIME missing */
  PABAL_REJECTED = 4, /* this mail or recipient will never be taken */
  PABAL_HELD = 5,     /* the account or the set-up is at fault, not the
                         recipient; `scope` says how far it reaches */
  PABAL_UNKNOWN = 6,  /* the last octet was handed over, no reply decides */
  PABAL_READY = 7     /* from check only: reached and logged in */
};

/* How far PABAL_HELD reaches. */
enum {
  PABAL_SCOPE_TRANSPORT = 1, /* no mail can leave this way now: bad password */
  PABAL_SCOPE_MAIL = 2       /* this mail only: its sender isn't ours to use */
};

typedef struct pabal_verdict {
  uint32_t size;       /* set by the host */
  int32_t outcome;     /* PABAL_SENT …; 0 is no outcome, a fault of the plugin */
  int32_t scope;       /* with PABAL_HELD, else 0 */
  int32_t reserved;    /* 0 */
  int64_t retry_after; /* with DEFERRED and HELD: seconds from now before which
                          trying is useless; 0: unknown */
} pabal_verdict;

/* ---- A mail ------------------------------------------------------------ */

enum {
  PABAL_NEEDS_SMTPUTF8 = 1, /* an address or a header holds non-ASCII */
  PABAL_NEEDS_8BITMIME = 2  /* an octet is above 127 */
};

/* An envelope and finished RFC 5322 octets. Lines end with CRLF, so does the
 * last one; no line ends otherwise. Domains are A-labels. Never altered. */
typedef struct pabal_mail {
  uint32_t size;
  uint32_t needs;                 /* PABAL_NEEDS_… or-ed */
  const char *id;                 /* Pabal's own id: [A-Za-z0-9-]+, file-safe */
  const char *message_id;         /* the Message-ID header, with < and >, or "" */
  const char *sender;             /* reverse path without <>; "" is the null one */
  const char *const *recipients;  /* addresses without <>; ends with NULL */
  size_t recipient_count;         /* at least 1 */
  const unsigned char *octets;
  size_t octet_count;
} pabal_mail;

/* ---- What the host lends ------------------------------------------------ */

typedef struct pabal_host pabal_host;
typedef struct pabal_opening pabal_opening; /* one call of open */
typedef struct pabal_attempt pabal_attempt; /* one call of send or check */

typedef struct pabal_token {
  uint32_t size;
  uint32_t reserved;
  const char *text;   /* the access token: printable ASCII, no blanks */
  int64_t expires_in; /* seconds it still lives, or 0: unknown */
} pabal_token;

enum {
  PABAL_LOG_DEBUG = 1,
  PABAL_LOG_INFO = 2,
  PABAL_LOG_WARNING = 3,
  PABAL_LOG_ERROR = 4
};

struct pabal_host {
  uint32_t abi;  /* the host's PABAL_TRANSPORT_ABI */
  uint32_t size; /* sizeof(pabal_host) as the host knows it */

  /* A line for the operator. Never a password, a token or a mail's content.
   * From any thread, between open and close. */
  void (*log)(const pabal_host *host, int32_t level, const char *text,
              size_t length);

  /* Only during open. The value of a declared setting; never NULL for one. */
  const pabal_value *(*setting)(pabal_opening *opening, const char *key);

  /* Only during open. Why it fails, for a person: what, why, what to do. */
  void (*fail)(pabal_opening *opening, const char *reason, size_t length);

  /* Only during send or check, on the thread that was called. A token for the
   * account the setting `key` names; it lives until send or check returns.
   * `rejected` is the token the far side has just refused, or NULL; passing it
   * makes the host renew once, however many threads ask. Returns 0 and fills
   * `token`, or not 0: then the host has set the attempt's verdict and reply
   * (held, or deferred); return at once and leave both as they are. */
  int32_t (*access_token)(pabal_attempt *attempt, const char *key,
                          const char *rejected, pabal_token *token);

  /* Only during send or check. The far side's reply that decided, or in check
   * what was found and what to do about it. The last call counts. */
  void (*reply)(pabal_attempt *attempt, const char *text, size_t length);

  /* Only during send. The id under which the next hop knows the mail. */
  void (*remote_id)(pabal_attempt *attempt, const char *text, size_t length);

  /* Only during send. What became of recipients[index], where the far side
   * says so for each. Recipients not reported share the mail's verdict. The
   * host makes the mail's outcome the first present of unknown, held,
   * deferred, unsuited, rejected, sent. */
  void (*recipient)(pabal_attempt *attempt, size_t index,
                    const pabal_verdict *verdict, const char *reply,
                    size_t length);
};

/* ---- The table ---------------------------------------------------------- */

typedef struct pabal_transport {
  uint32_t abi;  /* PABAL_TRANSPORT_ABI */
  uint32_t size; /* sizeof(pabal_transport) */

  const char *name;    /* [a-z][a-z0-9-]*, as in libpabal-NAME.so */
  const char *version; /* for people */
  const char *summary; /* one sentence for people */

  const pabal_setting *settings; /* setting_count of them, or NULL */
  size_t setting_count;

  /* Opens. Sets *transport (any pointer, NULL too) and *parallel (how many
   * threads may call send at once, 1 to 256) and returns 0; or says why by
   * host->fail and returns not 0, and close is not called. `host` lives until
   * close has returned: keep it to log. Required. */
  int32_t (*open)(const pabal_host *host, pabal_opening *opening,
                  void **transport, uint32_t *parallel);

  /* Makes one attempt. Fills *verdict, which arrives zeroed. Required. */
  void (*send)(void *transport, const pabal_mail *mail, pabal_attempt *attempt,
               pabal_verdict *verdict);

  /* Gives everything back. No call is under way. Required. */
  void (*close)(void *transport);

  /* Reaches the far side and logs in; sends nothing. PABAL_READY, or the
   * verdict a mail would get now. NULL: there is nothing to reach. */
  void (*check)(void *transport, pabal_attempt *attempt,
                pabal_verdict *verdict);
} pabal_transport;

/* The one exported symbol. `host_abi` is the host's PABAL_TRANSPORT_ABI.
 * Returns a table that lives as long as the process, or NULL when the plugin
 * cannot work with such a host. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const pabal_transport *pabal_transport_entry(uint32_t host_abi);

typedef const pabal_transport *(*pabal_transport_entry_function)(
    uint32_t host_abi);

#ifdef __cplusplus
}
#endif
#endif
