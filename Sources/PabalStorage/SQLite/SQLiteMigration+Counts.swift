extension SQLiteMigration {
  /// What an outbox must know to tell attempts apart, and a clock that was set back.
  static let counts = SQLiteMigration(
    statements: """
      ALTER TABLE mail ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE mail ADD COLUMN unknowns INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE transport ADD COLUMN closed_at INTEGER;
      """)
}
