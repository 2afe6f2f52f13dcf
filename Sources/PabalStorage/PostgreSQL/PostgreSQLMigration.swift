internal import PabalCore

/// The tables of a PostgreSQL database, in a schema of their own so that a database may be shared with an application.
///
/// A change expands first and contracts one release later: what an older version needs is only removed by a step that raises
/// `compatibleFrom`.
struct PostgreSQLMigration: Sendable {
  /// The statements of the step.
  let statements: [String]

  /// All steps in order. The version of a database is the number of steps taken.
  static let all: [PostgreSQLMigration] = [.tables]
  /// The oldest version of the program that can use a database with all steps.
  static let compatibleFrom = 1

  // "PABAL" in ASCII; no other program is likely to use this advisory lock.
  static let lock: Int64 = 0x50_41_42_41_4C

  /// Takes the missing steps, all or none. A role without the right to change tables can use a database that has them all.
  static func migrate(_ transaction: PostgreSQLTransaction) throws(PostgreSQLError) {
    if try version(transaction) == all.count { return }
    _ = try transaction.run([
      PostgreSQLStatement("SELECT pg_advisory_xact_lock($1)", [.int(lock)])
    ])
    // Again with the lock, because another node may have taken them.
    let version = try version(transaction)
    for step in all[version...] {
      for statement in step.statements { transaction.queue(PostgreSQLStatement(statement)) }
    }
    transaction.queue(
      PostgreSQLStatement(
        """
        INSERT INTO pabal.schema_version (singleton, version, compatible_from) VALUES (true, $1, $2)
        ON CONFLICT (singleton) DO UPDATE SET version = excluded.version, compatible_from = excluded.compatible_from
        """, [.int(all.count), .int(compatibleFrom)]))
  }

  /// Returns the version of the tables: 0 if there are none, and that of this program for a newer one that this program can
  /// use.
  private static func version(_ transaction: PostgreSQLTransaction) throws(PostgreSQLError) -> Int {
    let found = try transaction.run([
      PostgreSQLStatement(
        """
        SELECT to_regclass('pabal.schema_version') IS NOT NULL, EXISTS (
          SELECT FROM pg_catalog.pg_class WHERE relnamespace = to_regnamespace('pabal') AND relkind IN ('r', 'p'))
        """)
    ])
    guard let row = found[0].rows.first else { throw .corrupt }
    guard row.bool(0) else {
      // A schema with tables that aren't Pabal's.
      if row.bool(1) { throw PostgreSQLError(kind: .statement, error: .foreign) }
      return 0
    }
    let rows = try transaction.run([
      PostgreSQLStatement("SELECT version, compatible_from FROM pabal.schema_version")
    ])
    guard let row = rows[0].rows.first else { throw .corrupt }
    let (version, compatibleFrom) = (row.count(0), row.count(1))
    if version <= all.count { return version }
    guard compatibleFrom <= all.count else {
      throw PostgreSQLError(kind: .statement, error: .newer(found: version, known: all.count))
    }
    return all.count
  }
}

extension PostgreSQLMigration {
  // Rows that change state often are vacuumed after a thousand changes, because the waiting mail is found through indexes
  // that dead rows stay in until then.
  private static let hot =
    "autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 1"

  /// Version 1: the tables of SQLite's version 12.
  ///
  /// Content has a table of its own, so that rows that change stay narrow, and no foreign keys, which would cost a lock of a
  /// row for each insert. `revision` counts the changes of a verification.
  static let tables = PostgreSQLMigration(statements: [
    // IF NOT EXISTS needs the right to create one even if it exists.
    """
    DO $$ BEGIN IF to_regnamespace('pabal') IS NULL THEN CREATE SCHEMA pabal; END IF; END $$
    """,
    """
    CREATE TABLE pabal.schema_version (
      singleton BOOLEAN PRIMARY KEY CHECK (singleton),
      version BIGINT NOT NULL,
      compatible_from BIGINT NOT NULL
    )
    """,
    "CREATE TABLE pabal.meta (name TEXT PRIMARY KEY, value BYTEA NOT NULL)",
    "CREATE TABLE pabal.commit_marker (id BYTEA PRIMARY KEY, at BIGINT NOT NULL) WITH (\(hot))",
    "CREATE INDEX commit_marker_at ON pabal.commit_marker (at)",

    """
    CREATE TABLE pabal.mail (
      number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      id TEXT COLLATE "C" NOT NULL UNIQUE,
      lane TEXT COLLATE "C" NOT NULL,
      route TEXT COLLATE "C" NOT NULL,
      caller TEXT COLLATE "C" NOT NULL,
      created BIGINT NOT NULL,
      not_after BIGINT,
      unknown TEXT COLLATE "C" NOT NULL,
      family TEXT COLLATE "C",
      report TEXT COLLATE "C" NOT NULL,
      state TEXT COLLATE "C" NOT NULL,
      due BIGINT NOT NULL,
      attempts BIGINT NOT NULL,
      failures BIGINT NOT NULL,
      unknowns BIGINT NOT NULL,
      owner TEXT COLLATE "C",
      until BIGINT,
      wish TEXT COLLATE "C",
      hold TEXT COLLATE "C",
      transport TEXT COLLATE "C",
      outcome TEXT COLLATE "C",
      status TEXT COLLATE "C",
      ended BIGINT
    ) WITH (fillfactor = 80, \(hot))
    """,
    "CREATE INDEX mail_queue ON pabal.mail (lane, route, caller, due, number) WHERE state = 'waiting'",
    "CREATE INDEX mail_due ON pabal.mail (lane, due) WHERE state = 'waiting'",
    "CREATE INDEX mail_end ON pabal.mail (not_after) WHERE state = 'waiting' AND not_after IS NOT NULL",
    "CREATE INDEX mail_lease ON pabal.mail (until) WHERE state = 'sending'",
    """
    CREATE INDEX mail_family ON pabal.mail (family)
      WHERE state IN ('waiting', 'sending') AND family IS NOT NULL
    """,
    "CREATE INDEX mail_ended ON pabal.mail (ended) WHERE ended IS NOT NULL",
    "CREATE TABLE pabal.mail_content (mail BIGINT PRIMARY KEY, sealed BYTEA NOT NULL) WITH (\(hot))",
    // Sealed content can't be compressed.
    "ALTER TABLE pabal.mail_content ALTER COLUMN sealed SET STORAGE EXTERNAL",
    """
    CREATE TABLE pabal.mail_recipient (
      mail BIGINT NOT NULL, digest BYTEA NOT NULL, PRIMARY KEY (mail, digest)
    ) WITH (\(hot))
    """,
    "CREATE INDEX mail_recipient_digest ON pabal.mail_recipient (digest)",
    """
    CREATE TABLE pabal.mail_mark (
      mail BIGINT NOT NULL, position BIGINT NOT NULL, kind TEXT NOT NULL, status TEXT,
      sealed BYTEA NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (mail, position)
    )
    """,
    """
    CREATE TABLE pabal.mail_trace (
      key BYTEA NOT NULL, mail TEXT COLLATE "C" NOT NULL, recipients BYTEA NOT NULL, at BIGINT NOT NULL,
      PRIMARY KEY (key, mail)
    ) WITH (\(hot))
    """,
    "CREATE INDEX mail_trace_at ON pabal.mail_trace (at)",
    "CREATE TABLE pabal.mailbox (key BYTEA PRIMARY KEY, cursor BYTEA NOT NULL)",
    """
    CREATE TABLE pabal.transport (
      name TEXT COLLATE "C" PRIMARY KEY, failures BIGINT NOT NULL, closed_until BIGINT, closed_at BIGINT,
      probe_owner TEXT, probe_until BIGINT, held_since BIGINT, cause BYTEA, spent_until BIGINT
    ) WITH (fillfactor = 50, \(hot))
    """,

    """
    CREATE TABLE pabal.verification (
      number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      id TEXT COLLATE "C" NOT NULL UNIQUE,
      purpose TEXT NOT NULL,
      identity BYTEA NOT NULL,
      mailbox BYTEA,
      caller TEXT NOT NULL,
      recipient BYTEA NOT NULL,
      request BYTEA,
      state TEXT COLLATE "C" NOT NULL,
      generation BIGINT NOT NULL,
      code BYTEA NOT NULL,
      earlier BYTEA NOT NULL,
      attempts BIGINT NOT NULL,
      created BIGINT NOT NULL,
      renewed BIGINT NOT NULL,
      expires BIGINT NOT NULL,
      ended BIGINT,
      proof BYTEA,
      mail TEXT COLLATE "C" NOT NULL,
      language TEXT,
      revision BIGINT NOT NULL DEFAULT 1
    ) WITH (fillfactor = 80, \(hot))
    """,
    "CREATE INDEX verification_identity ON pabal.verification (identity) WHERE state = 'pending'",
    "CREATE INDEX verification_expires ON pabal.verification (expires) WHERE state = 'pending'",
    "CREATE INDEX verification_ended ON pabal.verification (ended) WHERE ended IS NOT NULL",
    "CREATE INDEX verification_mailbox ON pabal.verification (mailbox) WHERE mailbox IS NOT NULL",
    "CREATE INDEX verification_reference ON pabal.verification (right(id, 6))",
    """
    CREATE TABLE pabal.limit_note (
      key BYTEA NOT NULL, at BIGINT NOT NULL, mail TEXT COLLATE "C", refunds BOOLEAN NOT NULL
    ) WITH (\(hot))
    """,
    "CREATE INDEX limit_note_key ON pabal.limit_note (key, at DESC)",
    "CREATE INDEX limit_note_at ON pabal.limit_note (at)",
    "CREATE INDEX limit_note_mail ON pabal.limit_note (mail) WHERE mail IS NOT NULL",
    """
    CREATE TABLE pabal.refund (
      key BYTEA PRIMARY KEY, at BIGINT NOT NULL, mail TEXT COLLATE "C" NOT NULL
    ) WITH (\(hot))
    """,
    "CREATE INDEX refund_at ON pabal.refund (at)",
    "CREATE TABLE pabal.failure (key BYTEA PRIMARY KEY, count BIGINT NOT NULL, last BIGINT NOT NULL) WITH (\(hot))",
    "CREATE INDEX failure_last ON pabal.failure (last)",
    """
    CREATE TABLE pabal.request (
      key BYTEA PRIMARY KEY, payload BYTEA NOT NULL, made TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL
    ) WITH (\(hot))
    """,
    "CREATE INDEX request_at ON pabal.request (at)",
    """
    CREATE TABLE pabal.suppression (
      key BYTEA PRIMARY KEY, sealed BYTEA NOT NULL, reason TEXT NOT NULL, status TEXT,
      mail TEXT COLLATE "C", added BIGINT NOT NULL
    )
    """,
    "CREATE INDEX suppression_added ON pabal.suppression (added)",
    "CREATE INDEX suppression_version ON pabal.suppression (substring(sealed FROM 1 FOR 4))",
  ])
}
