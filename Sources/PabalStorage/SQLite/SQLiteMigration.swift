internal import GRDB
internal import PabalCore

/// The step from one version of the schema to the next. Shipped steps must not change.
struct SQLiteMigration: Sendable {
  /// The statements of the step.
  let statements: String

  /// All steps in order. The version of a database is the number of steps taken.
  static let all: [SQLiteMigration] = [
    .outbox, .verifications, .counts, .requests, .callers, .references, .suppressions, .recipients,
    .reports, .traces, .routes, .traceKeys,
  ]

  // "PABA" in ASCII; identifies a database of Pabal, also to `file`.
  private static let applicationID = 0x5041_4241

  /// Takes the missing steps, all or none. Throws if the file belongs to another program or to a newer version.
  static func migrate(_ database: Database, place: String) throws {
    // In one transaction, because another process may create the tables meanwhile.
    var isCurrent = false
    try database.inTransaction(.deferred) {
      isCurrent = try verifiedVersion(database, place: place) == all.count
      return .commit
    }
    if isCurrent { return }
    try database.inTransaction(.immediate) {
      // Checked again inside the transaction, because another process may have taken them.
      let version = try verifiedVersion(database, place: place)
      for step in all[version...] { try database.execute(sql: step.statements) }
      try database.execute(
        sql: "PRAGMA user_version = \(all.count); PRAGMA application_id = \(applicationID)")
      return .commit
    }
  }

  private static func verifiedVersion(_ database: Database, place: String) throws -> Int {
    let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
    let owner = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
    let isEmpty = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") == 0
    guard owner == applicationID || (owner == 0 && version == 0 && isEmpty) else {
      throw StorageError(.foreign, place: place)
    }
    guard version <= all.count else {
      throw StorageError(.newer(found: version, known: all.count), place: place)
    }
    return version
  }
}

extension SQLiteMigration {
  /// Version 1: the outbox.
  ///
  /// Content has a table of its own, so that the rows that claims and lists read stay small and a change of state
  /// doesn't write the mail again.
  static let outbox = SQLiteMigration(
    statements: """
      CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

      CREATE TABLE mail (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        lane TEXT NOT NULL,
        created INTEGER NOT NULL,
        not_after INTEGER,
        unknown TEXT NOT NULL,
        family TEXT,
        state TEXT NOT NULL,
        due INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        owner TEXT,
        until INTEGER,
        wish TEXT,
        hold TEXT,
        transport TEXT,
        outcome TEXT,
        status TEXT,
        ended INTEGER
      );
      CREATE INDEX mail_due ON mail (lane, due) WHERE state = 'waiting';
      CREATE INDEX mail_code ON mail (created) WHERE state = 'waiting' AND lane = 'code';
      CREATE INDEX mail_end ON mail (not_after) WHERE state = 'waiting' AND not_after IS NOT NULL;
      CREATE INDEX mail_lease ON mail (until) WHERE state = 'sending';
      CREATE INDEX mail_family ON mail (family) WHERE state IN ('waiting', 'sending') AND family IS NOT NULL;
      CREATE INDEX mail_ended ON mail (ended) WHERE ended IS NOT NULL;

      CREATE TABLE mail_content (
        mail INTEGER PRIMARY KEY REFERENCES mail (number) ON DELETE CASCADE,
        sealed BLOB NOT NULL
      );

      CREATE TABLE transport (
        name TEXT PRIMARY KEY,
        failures INTEGER NOT NULL,
        closed_until INTEGER,
        probe_owner TEXT,
        probe_until INTEGER,
        held_since INTEGER,
        cause BLOB,
        spent_until INTEGER
      ) WITHOUT ROWID;
      """)
}

extension SQLiteMigration {
  /// Version 2: verifications and their limits.
  ///
  /// Rows of `limit_note` are stored in the order of queries, by key and time. The salt makes those of the same
  /// millisecond unique.
  static let verifications = SQLiteMigration(
    statements: """
      CREATE TABLE verification (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        purpose TEXT NOT NULL,
        identity BLOB NOT NULL,
        recipient BLOB NOT NULL,
        request BLOB,
        state TEXT NOT NULL,
        generation INTEGER NOT NULL,
        code BLOB NOT NULL,
        earlier BLOB NOT NULL,
        attempts INTEGER NOT NULL,
        created INTEGER NOT NULL,
        renewed INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        ended INTEGER,
        proof BLOB,
        mail TEXT NOT NULL,
        language TEXT
      );
      CREATE INDEX verification_identity ON verification (identity) WHERE state = 'pending';
      CREATE INDEX verification_expires ON verification (expires) WHERE state = 'pending';
      CREATE INDEX verification_ended ON verification (ended) WHERE ended IS NOT NULL;

      CREATE TABLE limit_note (
        key BLOB NOT NULL,
        at INTEGER NOT NULL,
        salt INTEGER NOT NULL DEFAULT (random()),
        mail TEXT,
        PRIMARY KEY (key, at, salt)
      ) WITHOUT ROWID;
      CREATE INDEX limit_note_at ON limit_note (at);
      CREATE INDEX limit_note_mail ON limit_note (mail) WHERE mail IS NOT NULL;

      CREATE TRIGGER limit_refund AFTER UPDATE OF state ON mail
        WHEN new.state = 'rejected' AND old.state <> 'rejected'
        BEGIN DELETE FROM limit_note WHERE mail = new.id; END;

      CREATE TABLE failure (
        key BLOB PRIMARY KEY,
        count INTEGER NOT NULL,
        last INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX failure_last ON failure (last);
      """)
}

extension SQLiteMigration {
  /// Version 3: counts of failed and unknown attempts, and when a transport was closed, to detect a clock set back.
  static let counts = SQLiteMigration(
    statements: """
      ALTER TABLE mail ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE mail ADD COLUMN unknowns INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE transport ADD COLUMN closed_at INTEGER;
      """)
}

extension SQLiteMigration {
  /// Version 4: requests with an idempotency key.
  static let requests = SQLiteMigration(
    statements: """
      CREATE TABLE request (
        key BLOB PRIMARY KEY,
        payload BLOB NOT NULL,
        made TEXT NOT NULL,
        at INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX request_at ON request (at);
      """)
}

extension SQLiteMigration {
  /// Version 5: the callers that records belong to, searches by address, and what a rejected mail ends.
  ///
  /// A rejected mail ends its verification, and its notes are refunded at most once an hour for each key of a note with
  /// `refunds` set.
  static let callers = SQLiteMigration(
    statements: """
      ALTER TABLE verification ADD COLUMN caller TEXT NOT NULL DEFAULT '';
      ALTER TABLE verification ADD COLUMN mailbox BLOB;
      CREATE INDEX verification_mailbox ON verification (mailbox) WHERE mailbox IS NOT NULL;

      ALTER TABLE mail ADD COLUMN caller TEXT NOT NULL DEFAULT '';
      CREATE INDEX mail_caller ON mail (lane, caller, due) WHERE state = 'waiting';

      ALTER TABLE limit_note ADD COLUMN refunds INTEGER NOT NULL DEFAULT 0;
      CREATE TABLE refund (
        key BLOB PRIMARY KEY,
        at INTEGER NOT NULL,
        mail TEXT NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX refund_at ON refund (at);

      DROP TRIGGER limit_refund;
      CREATE TRIGGER mail_rejected AFTER UPDATE OF state ON mail
        WHEN new.state = 'rejected' AND old.state <> 'rejected'
        BEGIN
          UPDATE verification SET state = 'undeliverable', ended = new.ended, request = NULL
            WHERE id = new.family AND mail = new.id AND state = 'pending';
          INSERT INTO refund (key, at, mail)
            SELECT key, new.ended, new.id FROM limit_note WHERE mail = new.id AND refunds = 1
            ON CONFLICT (key) DO UPDATE SET at = excluded.at, mail = excluded.mail
              WHERE at > excluded.at OR at <= excluded.at - 3600000;
          DELETE FROM limit_note WHERE mail = new.id AND EXISTS (
            SELECT 1 FROM limit_note AS counted JOIN refund ON refund.key = counted.key
              WHERE counted.mail = new.id AND counted.refunds = 1 AND refund.mail = new.id);
        END;
      """)
}

extension SQLiteMigration {
  /// Version 6: searches by reference, the last six characters of an id.
  static let references = SQLiteMigration(
    statements: "CREATE INDEX verification_reference ON verification (substr(id, -6));")
}

extension SQLiteMigration {
  /// Version 7: the suppression list, and what became of recipients after the content is erased.
  static let suppressions = SQLiteMigration(
    statements: """
      CREATE TABLE suppression (
        key BLOB PRIMARY KEY,
        sealed BLOB NOT NULL,
        reason TEXT NOT NULL,
        status TEXT,
        mail TEXT,
        added INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX suppression_added ON suppression (added);
      CREATE INDEX suppression_version ON suppression (substr(sealed, 1, 4));

      CREATE TABLE mail_mark (
        mail INTEGER NOT NULL REFERENCES mail (number) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        kind TEXT NOT NULL,
        status TEXT,
        sealed BLOB NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (mail, position)
      ) WITHOUT ROWID;
      """)
}

extension SQLiteMigration {
  /// Version 8: the recipients of mail, as keyed digests by which it is found.
  static let recipients = SQLiteMigration(
    statements: """
      CREATE TABLE mail_recipient (
        mail INTEGER NOT NULL REFERENCES mail (number) ON DELETE CASCADE,
        digest BLOB NOT NULL,
        PRIMARY KEY (mail, digest)
      ) WITHOUT ROWID;
      CREATE INDEX mail_recipient_digest ON mail_recipient (digest);
      """)
}

extension SQLiteMigration {
  /// Version 9: whether the sender of a mail gets delivery reports.
  static let reports = SQLiteMigration(
    statements: "ALTER TABLE mail ADD COLUMN report TEXT NOT NULL DEFAULT '';")
}

extension SQLiteMigration {
  /// Version 10: what bounces are matched by, and what has been read of mailboxes.
  static let traces = SQLiteMigration(
    statements: """
      CREATE TABLE mail_trace (
        key BLOB PRIMARY KEY,
        mail TEXT NOT NULL,
        recipients BLOB NOT NULL,
        at INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX mail_trace_at ON mail_trace (at);

      CREATE TABLE mailbox (key BLOB PRIMARY KEY, cursor BLOB NOT NULL) WITHOUT ROWID;
      """)
}

extension SQLiteMigration {
  /// Version 11: the routes of mail. The index finds the waiting mail of one route and caller, however much mail of other
  /// routes waits.
  static let routes = SQLiteMigration(
    statements: """
      ALTER TABLE mail ADD COLUMN route TEXT NOT NULL DEFAULT '';
      DROP INDEX mail_caller;
      CREATE INDEX mail_queue ON mail (lane, route, caller, due) WHERE state = 'waiting';
      """)
}

extension SQLiteMigration {
  /// Version 12: several mails may have the same Message-ID, such as one that a program sent again.
  static let traceKeys = SQLiteMigration(
    statements: """
      CREATE TABLE mail_trace_of_mail (
        key BLOB NOT NULL,
        mail TEXT NOT NULL,
        recipients BLOB NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (key, mail)
      ) WITHOUT ROWID;
      INSERT INTO mail_trace_of_mail SELECT key, mail, recipients, at FROM mail_trace;
      DROP TABLE mail_trace;
      ALTER TABLE mail_trace_of_mail RENAME TO mail_trace;
      CREATE INDEX mail_trace_at ON mail_trace (at);
      """)
}
