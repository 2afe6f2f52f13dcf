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
