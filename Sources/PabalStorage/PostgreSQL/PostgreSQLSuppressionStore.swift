public import PabalCore

/// The suppression list in a PostgreSQL database.
public struct PostgreSQLSuppressionStore: SuppressionStore {
  private let pool: PostgreSQLPool
  private static let columns = "key, sealed, reason, status, mail, added"

  init(_ pool: PostgreSQLPool) { self.pool = pool }

  /// Adds a record unless one under any of `keys` exists.
  public func add(_ record: SuppressionRecord, unless keys: [[UInt8]]) async throws(StorageError) -> Bool {
    try await pool.write { transaction throws(PostgreSQLError) in
      // The list is short and rarely changed, so one lock for all of it does.
      let found = try transaction.run([
        PostgreSQLStatement("SELECT pg_advisory_xact_lock($1)", [.int(PostgreSQLMigration.lock + 2)]),
        Self.select("WHERE key = ANY ($1)", [.bytes(keys)]),
      ])[1]
      guard found.rows.isEmpty else { return false }
      transaction.queue(Self.insert([record]))
      return true
    }
  }

  /// Removes the records under `keys`.
  public func remove(_ keys: [[UInt8]]) async throws(StorageError) -> Bool {
    guard !keys.isEmpty else { return false }
    return try await pool.write { transaction throws(PostgreSQLError) in
      try transaction.update(
        PostgreSQLStatement("DELETE FROM pabal.suppression WHERE key = ANY ($1)", [.bytes(keys)])) > 0
    }
  }

  /// Returns the records under any of `keys`.
  public func find(_ keys: [[UInt8]]) async throws(StorageError) -> [SuppressionRecord] {
    guard !keys.isEmpty else { return [] }
    return try await fetch("WHERE key = ANY ($1)", [.bytes(keys)])
  }

  /// Returns the newest `limit` records.
  public func list(limit: Int) async throws(StorageError) -> [SuppressionRecord] {
    try await fetch("ORDER BY added DESC LIMIT $1", [.int(max(limit, 0))])
  }

  /// Returns how many records there are.
  public func count() async throws(StorageError) -> Int {
    try await pool.read { connection throws(PostgreSQLError) in
      try connection.run([PostgreSQLStatement("SELECT count(*) FROM pabal.suppression")])[0].rows.first?
        .count(0) ?? 0
    }
  }

  /// Returns whether the list is empty.
  public func isEmpty() async throws(StorageError) -> Bool {
    try await pool.read { connection throws(PostgreSQLError) in
      try connection.run([PostgreSQLStatement("SELECT FROM pabal.suppression LIMIT 1")])[0].count == 0
    }
  }

  /// Returns up to `limit` records sealed with another key.
  public func list(
    notSealedWith version: [UInt8], limit: Int
  ) async throws(StorageError) -> [SuppressionRecord] {
    // The expression of an index, which can't look for what differs.
    try await fetch(
      "WHERE substring(sealed FROM 1 FOR 4) < $1 OR substring(sealed FROM 1 FOR 4) > $1 LIMIT $2",
      [.bytes(version), .int(limit)])
  }

  /// Replaces the record under each key, if it still exists.
  public func replace(
    _ replacements: [(key: [UInt8], record: SuppressionRecord)]
  ) async throws(StorageError) {
    guard !replacements.isEmpty else { return }
    try await pool.write { transaction throws(PostgreSQLError) in
      let removed = try transaction.runWriting([
        PostgreSQLStatement("SELECT pg_advisory_xact_lock($1)", [.int(PostgreSQLMigration.lock + 2)]),
        PostgreSQLStatement(
          "DELETE FROM pabal.suppression WHERE key = ANY ($1) RETURNING key",
          [.bytes(replacements.map(\.key))]),
      ])[1]
      let keys = Set(removed.rows.compactMap { $0.bytes(0) })
      let records = replacements.filter { keys.contains($0.key) }.map(\.record)
      if !records.isEmpty { transaction.queue(Self.insert(records)) }
    }
  }

  private func fetch(
    _ rest: String, _ values: [PostgreSQLValue]
  ) async throws(StorageError) -> [SuppressionRecord] {
    try await pool.read { connection throws(PostgreSQLError) in
      var records: [SuppressionRecord] = []
      for row in try connection.run([Self.select(rest, values)])[0].rows {
        guard let key = row.bytes(0), let sealed = row.bytes(1),
          let reason = row.text(2).flatMap(Suppression.Reason.init), let added = row.time(5)
        else { throw .corrupt }
        records.append(
          SuppressionRecord(
            key: key, sealed: sealed, reason: reason, status: row.text(3), mail: row.text(4), added: added))
      }
      return records
    }
  }

  private static func select(_ rest: String, _ values: [PostgreSQLValue]) -> PostgreSQLStatement {
    PostgreSQLStatement("SELECT \(columns) FROM pabal.suppression \(rest)", values)
  }

  private static func insert(_ records: [SuppressionRecord]) -> PostgreSQLStatement {
    PostgreSQLStatement(
      """
      INSERT INTO pabal.suppression (\(columns))
      SELECT DISTINCT ON (key) * FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::bigint[])
        AS n (\(columns))
      ON CONFLICT (key) DO UPDATE SET sealed = excluded.sealed, reason = excluded.reason,
        status = excluded.status, mail = excluded.mail, added = excluded.added
      """,
      [
        .bytes(records.map(\.key)), .bytes(records.map(\.sealed)), .texts(records.map(\.reason.rawValue)),
        .texts(records.map(\.status)), .texts(records.map(\.mail)), .times(records.map(\.added)),
      ])
  }
}
