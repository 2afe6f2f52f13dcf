internal import GRDB
internal import PabalCore

/// One step from a version of the database to the next; what has shipped is never changed.
struct SQLiteMigration: Sendable {
  /// The statements of the step.
  let statements: String

  /// The steps in order; the version is how many have been taken.
  static let all: [SQLiteMigration] = [.outbox, .verifications, .counts, .requests]

  // "PABA": whose file it is, as `file` and we tell it.
  private static let applicationID = 0x5041_4241

  /// Takes the steps that are missing, all or none; refuses another program's file and a newer Pabal's.
  static func migrate(_ database: Database, place: String) throws {
    guard try verifiedVersion(database, place: place) != all.count else { return }
    try database.inTransaction(.immediate) {
      // Another process may have taken them meanwhile.
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
      throw StorageError(.corrupt, place: place)
    }
    guard version <= all.count else {
      throw StorageError(.newer(found: version, known: all.count), place: place)
    }
    return version
  }
}

extension SQLiteMigration {
  /// The outbox as it began.
  ///
  /// Content stands by itself: the small rows that claims and lists read stay small, and a change of state
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
  /// Verifications and what limits them, as they began.
  ///
  /// Notes lie in the order they are asked for, by key and time; the salt tells those of one moment apart.
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
  /// What an outbox must know to tell attempts apart, and a clock that was set back.
  static let counts = SQLiteMigration(
    statements: """
      ALTER TABLE mail ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE mail ADD COLUMN unknowns INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE transport ADD COLUMN closed_at INTEGER;
      """)
}

extension SQLiteMigration {
  /// The requests that an idempotency key makes one.
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
