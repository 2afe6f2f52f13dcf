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
