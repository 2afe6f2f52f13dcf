/* pabal_transport.h: the interface between Pabal and a transport. ABI 1.
 *
 * A transport hands a finished mail to a next hop. It is a shared object,
 * libpabal-NAME.so, that exports one symbol, pabal_transport_entry. The host
 * (the command `pabal`, or a program that links PabalCore) loads it, reads its
 * table, checks config.json against the settings that the table declares,
 * opens it, and calls send for each mail.
 *
 * The calls, in order:
 *
 *   1. pabal_transport_entry returns the table: name, version, summary,
 *      settings, functions. It must do nothing else.
 *   2. open is called once for a transport in config.json. It reads its
 *      settings by host->setting, keeps what it needs in an object of its
 *      own, and states how many threads may call send at once.
 *   3. send is called once per attempt at a mail, on a thread of the host, and
 *      BLOCKS until the attempt has ended. At most `parallel` calls run at
 *      once. It fills a verdict. It must not throw (C++), exit, or use the
 *      attempt of another call.
 *   4. check (optional) connects and logs in, but sends nothing.
 *   5. close is called once, after all other calls have returned.
 *
 * Rules for all calls:
 *
 *   - Text is UTF-8. Strings from the host (`const char *`) end with a NUL and
 *     contain no other, and no control characters.
 *   - Pointers from the host are valid until the call that received them
 *     returns, except the host table and the values from host->setting, which
 *     are valid until close has returned.
 *   - The host copies what the plugin reports (replies, ids, reasons) at once.
 *     It may have any length and any bytes; invalid UTF-8 is repaired, and
 *     unprintable characters are escaped before they are shown.
 *   - Every struct begins with its size. Structs only grow at their end, and
 *     fields marked "may be missing" were added after the first release of
 *     ABI 1: a struct without them is shorter and still valid.
 *   - The process belongs to the host: SIGPIPE is already ignored; don't change
 *     signal handlers, the locale, the environment or the current directory.
 *
 * Plugins/Console/console.c is an example to copy. Run the contract test on
 * your plugin before you ship it:  ./dev contract ./libpabal-NAME.so key=value…
 *
 * C11 and C++17. No other header of Pabal is needed.
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
  PABAL_ACCOUNT = 7   /* the name of an entry in `accounts`, for tokens */
};

/* A setting of the transport. The host reports any other key in config.json as
 * an error, with its position, before open.
 *
 * A transport that connects to a server must name it by a setting `host` (a
 * name or an address) or `endpoint` (a URL): load tests read it to refuse
 * servers other than this machine. */
typedef struct pabal_setting {
  uint32_t size;             /* sizeof(pabal_setting) */
  int32_t kind;              /* PABAL_TEXT … PABAL_ACCOUNT */
  const char *key;           /* [a-z][a-z0-9_]*; "plugin" is the host's */
  const char *help;          /* one sentence for the operator */
  const char *default_value; /* as text ("465", "true", "30s"), or NULL */
  const char *const *choices;/* PABAL_CHOICE: ends with NULL; else NULL */
  int64_t minimum, maximum;  /* inclusive; both 0: no limits */
  int32_t required;          /* not 0: config.json must set it */
  int32_t secret;            /* not 0: never shown */

  /* May be missing. PABAL_ACCOUNT: the OAuth scopes that sending needs, one per
   * provider, separated by spaces; NULL: those of the account's configuration.
   * Each is PROVIDER:SCOPE, or PROVIDER+SETTING:SCOPE if it applies instead
   * when that setting is given, for example
   *   "google:https://mail.google.com/ microsoft:https://outlook.office.com/SMTP.Send"
   * `pabal account login` requests the scopes of all transports that use the
   * account, and the host lends each transport a token for its own scope. */
  const char *scopes;
} pabal_setting;

/* A setting's value, checked and converted according to its kind. */
typedef struct pabal_value {
  uint32_t size;
  int32_t given;    /* 0: neither set nor defaulted; text is "" */
  const char *text; /* every kind, as text; PABAL_ACCOUNT: the account's name */
  int64_t number;   /* number; duration in ms; boolean as 0 or 1 */
  const char *user; /* PABAL_ACCOUNT: the mailbox of the tokens; else "" */
} pabal_value;

/* ---- Outcomes ---------------------------------------------------------- */

/* The outcome of an attempt, for the whole mail or for one recipient. */
enum {
  PABAL_SENT = 1,     /* the next hop took responsibility */
  PABAL_DEFERRED = 2, /* not accepted, try later: 4xx, rate, network, anything
                         that failed before the last byte was sent */
  PABAL_UNSUITED = 3, /* this transport cannot carry this mail and nothing
                         left: too large, no SMTPUTF8 or 8BITMIME */
  PABAL_REJECTED = 4, /* this mail or recipient will never be accepted */
  PABAL_HELD = 5,     /* the account or the set-up is at fault, not the
                         recipient; `scope` says which mail it affects */
  PABAL_UNKNOWN = 6,  /* the last byte was sent and no reply decided */
  PABAL_READY = 7     /* from check only: connected and logged in */
};

/* Which mail PABAL_HELD affects. */
enum {
  PABAL_SCOPE_TRANSPORT = 1, /* all mail: a wrong password */
  PABAL_SCOPE_MAIL = 2       /* only this mail: a sender that isn't allowed */
};

typedef struct pabal_verdict {
  uint32_t size;       /* set by the host */
  int32_t outcome;     /* PABAL_SENT …; 0 isn't valid, but a plugin's bug */
  int32_t scope;       /* with PABAL_HELD, else 0 */
  int32_t reserved;    /* 0 */
  int64_t retry_after; /* with DEFERRED and HELD: seconds from now until which
                          retrying is useless; 0: unknown */
} pabal_verdict;

/* ---- A mail ------------------------------------------------------------ */

enum {
  PABAL_NEEDS_SMTPUTF8 = 1, /* an address or a header isn't ASCII */
  PABAL_NEEDS_8BITMIME = 2  /* a byte is above 127 */
};

/* An envelope and the finished RFC 5322 bytes. All lines, including the last,
 * end with CRLF and nothing else. Domains are A-labels. Must not be changed. */
typedef struct pabal_mail {
  uint32_t size;
  uint32_t needs;                 /* PABAL_NEEDS_… or-ed */
  const char *id;                 /* Pabal's id: [A-Za-z0-9-]+, safe in files */
  const char *message_id;         /* the Message-ID header, with < and >, or "" */
  const char *sender;             /* reverse path without <>; "" if null */
  const char *const *recipients;  /* addresses without <>; ends with NULL */
  size_t recipient_count;         /* at least 1 */
  const unsigned char *octets;
  size_t octet_count;
} pabal_mail;

/* ---- The host ----------------------------------------------------------- */

typedef struct pabal_host pabal_host;
typedef struct pabal_opening pabal_opening; /* one call of open */
typedef struct pabal_attempt pabal_attempt; /* one call of send or check */

typedef struct pabal_token {
  uint32_t size;
  uint32_t reserved;
  const char *text;   /* the access token: printable ASCII, no spaces */
  int64_t expires_in; /* seconds until it expires; 0: unknown */
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

  /* Logs a line for the operator, which must not contain a password, a token or
   * a mail's content. May be called from any thread, between open and close. */
  void (*log)(const pabal_host *host, int32_t level, const char *text,
              size_t length);

  /* Only during open. Returns the value of a declared setting; not NULL. */
  const pabal_value *(*setting)(pabal_opening *opening, const char *key);

  /* Only during open. Reports why it fails: what is wrong and what to do. */
  void (*fail)(pabal_opening *opening, const char *reason, size_t length);

  /* Only during send or check, on the thread that was called. Fills `token`
   * with a token for the account in the setting `key`, valid until send or
   * check returns, and returns 0. `rejected` is the token that the server has
   * just refused, or NULL; the host then renews it, once for all threads that
   * ask. If the result isn't 0, the host has set the attempt's verdict and
   * reply (held or deferred): return at once and leave both unchanged. */
  int32_t (*access_token)(pabal_attempt *attempt, const char *key,
                          const char *rejected, pabal_token *token);

  /* Only during send or check. Reports the server's reply that decided, or in
   * check what was found and what to do. The last call counts. */
  void (*reply)(pabal_attempt *attempt, const char *text, size_t length);

  /* Only during send. Reports the id by which the next hop knows the mail. */
  void (*remote_id)(pabal_attempt *attempt, const char *text, size_t length);

  /* Only during send. Reports the outcome for recipients[index], if the server
   * replies for each of them. Recipients not reported have the mail's verdict.
   * The mail's outcome is the first that occurs of unknown, held, deferred,
   * unsuited, rejected, sent. */
  void (*recipient)(pabal_attempt *attempt, size_t index,
                    const pabal_verdict *verdict, const char *reply,
                    size_t length);
};

/* ---- The table ---------------------------------------------------------- */

typedef struct pabal_transport {
  uint32_t abi;  /* PABAL_TRANSPORT_ABI */
  uint32_t size; /* sizeof(pabal_transport) */

  const char *name;    /* [a-z][a-z0-9-]*, as in libpabal-NAME.so */
  const char *version; /* any text */
  const char *summary; /* one sentence for the operator */

  const pabal_setting *settings; /* setting_count of them, or NULL */
  size_t setting_count;

  /* Opens the transport. Sets *transport (any pointer, including NULL) and
   * *parallel (how many threads may call send at once, 1 to 256) and returns 0;
   * or reports the reason by host->fail and returns another number, and close
   * isn't called. `host` is valid until close has returned. Required. */
  int32_t (*open)(const pabal_host *host, pabal_opening *opening,
                  void **transport, uint32_t *parallel);

  /* Makes one attempt. Fills *verdict, which arrives zeroed. Required. */
  void (*send)(void *transport, const pabal_mail *mail, pabal_attempt *attempt,
               pabal_verdict *verdict);

  /* Releases everything. No other call is running. Required. */
  void (*close)(void *transport);

  /* Connects and logs in, but sends nothing. Fills *verdict with PABAL_READY or
   * with the verdict that a mail would get now. NULL if it has no server. */
  void (*check)(void *transport, pabal_attempt *attempt,
                pabal_verdict *verdict);

  /* May be missing. How many mails the server accepts from one account in a
   * period of `pace_seconds`, unless config.json sets another pace; both 0: no
   * limit. The host queues mail accordingly. */
  uint32_t pace_sends;
  uint32_t pace_seconds;

  /* May be missing. For a transport that sends every mail as one address, such
   * as that of its mailbox: the keys of the settings that have it, separated by
   * spaces. The first that is given counts; of PABAL_ACCOUNT, its mailbox. The
   * host warns if submitters may use other senders. NULL: any sender. */
  const char *sender_settings;
} pabal_transport;

/* The one exported symbol. `host_abi` is the host's PABAL_TRANSPORT_ABI.
 * Returns a table that is valid as long as the process, or NULL if the plugin
 * doesn't support such a host. */
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
