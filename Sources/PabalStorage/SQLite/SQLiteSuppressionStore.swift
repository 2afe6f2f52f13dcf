internal import GRDB
public import PabalCore

/// The suppression list in a SQLite file.
public struct SQLiteSuppressionStore: SuppressionStore {
  private let database: SQLiteDatabase
  private static let columns = "key, sealed, reason, status, mail, added"

  /// The list in `database`.
  public init(_ database: SQLiteDatabase) { self.database = database }

  /// Adds a record unless one under any of `keys` exists.
  public func add(_ record: SuppressionRecord, unless keys: [[UInt8]]) async throws(StorageError) -> Bool {
    try await database.write { database in
      guard try Self.find(keys, in: database).isEmpty else { return false }
      try Self.insert(record, in: database)
      return true
    }
  }

  /// Removes the records under `keys`.
  public func remove(_ keys: [[UInt8]]) async throws(StorageError) -> Bool {
    guard !keys.isEmpty else { return false }
    return try await database.write { database in
      try database.run("DELETE FROM suppression WHERE key IN (\(Self.placeholders(keys)))", keys)
      return database.changesCount > 0
    }
  }

  /// Returns the records under any of `keys`.
  public func find(_ keys: [[UInt8]]) async throws(StorageError) -> [SuppressionRecord] {
    try await database.read { try Self.find(keys, in: $0) }
  }

  /// Returns the newest `limit` records.
  public func list(limit: Int) async throws(StorageError) -> [SuppressionRecord] {
    try await database.read { try Self.fetch("ORDER BY added DESC LIMIT ?", [max(limit, 0)], in: $0) }
  }

  /// Returns how many records there are.
  public func count() async throws(StorageError) -> Int {
    try await database.read { try $0.first("SELECT count(*) FROM suppression", []) { $0.count(0) } ?? 0 }
  }

  /// Returns whether the list is empty.
  public func isEmpty() async throws(StorageError) -> Bool {
    try await database.read { try $0.first("SELECT 1 FROM suppression LIMIT 1", []) { $0.count(0) } == nil }
  }

  /// Returns up to `limit` records sealed with another key.
  public func list(
    notSealedWith version: [UInt8], limit: Int
  ) async throws(StorageError) -> [SuppressionRecord] {
    try await database.read {
      // The expression of an index, which has to be literally the same; an index can't look for what differs.
      try Self.fetch(
        "WHERE substr(sealed, 1, 4) < ? OR substr(sealed, 1, 4) > ? LIMIT ?", [version, version, limit],
        in: $0)
    }
  }

  /// Replaces the record under each key, if it still exists.
  public func replace(
    _ replacements: [(key: [UInt8], record: SuppressionRecord)]
  ) async throws(StorageError) {
    try await database.write { database in
      for (key, record) in replacements {
        try database.run("DELETE FROM suppression WHERE key = ?", [key])
        if database.changesCount == 1 { try Self.insert(record, in: database) }
      }
    }
  }

  private static func insert(_ record: SuppressionRecord, in database: Database) throws {
    try database.run(
      "INSERT OR REPLACE INTO suppression (\(columns)) VALUES (?, ?, ?, ?, ?, ?)",
      [record.key, record.sealed, record.reason.rawValue, record.status, record.mail, record.added])
  }

  private static func find(_ keys: [[UInt8]], in database: Database) throws -> [SuppressionRecord] {
    guard !keys.isEmpty else { return [] }
    return try fetch("WHERE key IN (\(placeholders(keys)))", keys, in: database)
  }

  private static func fetch(
    _ rest: String, _ values: [any SQLiteValue], in database: Database
  ) throws -> [SuppressionRecord] {
    var records: [SuppressionRecord] = []
    try database.run("SELECT \(columns) FROM suppression \(rest)", values) { row in
      guard let key = row.bytes(0), let sealed = row.bytes(1),
        let reason = row.text(2).flatMap(Suppression.Reason.init), let added = row.time(5)
      else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
      records.append(
        SuppressionRecord(
          key: key, sealed: sealed, reason: reason, status: row.text(3), mail: row.text(4), added: added))
    }
    return records
  }

  private static func placeholders(_ keys: [[UInt8]]) -> String {
    keys.map { _ in "?" }.joined(separator: ", ")
  }
}
