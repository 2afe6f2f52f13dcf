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
