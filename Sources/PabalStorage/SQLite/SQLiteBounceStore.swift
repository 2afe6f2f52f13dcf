internal import GRDB
public import PabalCore

/// What a SQLite file keeps for bounces.
public struct SQLiteBounceStore: BounceStore {
  private let database: SQLiteDatabase

  /// The traces in `database`.
  public init(_ database: SQLiteDatabase) { self.database = database }

  /// Returns the mails with a trace under any of `keys`, the newest of each first.
  public func traces(
    _ keys: [[UInt8]]
  ) async throws(StorageError) -> [(mail: String, recipients: [UInt8])] {
    guard !keys.isEmpty else { return [] }
    return try await database.read { database in
      var found: [(mail: String, recipients: [UInt8])] = []
      for key in keys.prefix(100) {
        try database.run(
          "SELECT mail, recipients FROM mail_trace WHERE key = ? ORDER BY at DESC LIMIT 50", [key]
        ) { row in
          guard let mail = row.text(0), let recipients = row.bytes(1) else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT)
          }
          if !found.contains(where: { $0.mail == mail }) { found.append((mail, recipients)) }
        }
      }
      return found
    }
  }

  /// Marks recipients of a mail.
  public func mark(_ mail: String, _ marks: [RecipientMark]) async throws(StorageError) -> Int {
    try await database.write { database in
      guard let number = try MailTable.find(mail, in: database)?.number else { return 0 }
      return try marks.count { try RecipientMarkTable.add($0, to: number, in: database) }
    }
  }

  /// Returns what was last read of a mailbox.
  public func cursor(_ mailbox: [[UInt8]]) async throws(StorageError) -> [UInt8]? {
    try await database.read { database in
      for key in mailbox {
        let cursor = try database.first("SELECT cursor FROM mailbox WHERE key = ?", [key]) { $0.bytes(0) }
        if let cursor { return cursor }
      }
      return nil
    }
  }

  /// Stores what was last read of a mailbox.
  public func setCursor(_ cursor: [UInt8], _ mailbox: [UInt8]) async throws(StorageError) {
    try await database.write {
      try $0.run("INSERT OR REPLACE INTO mailbox (key, cursor) VALUES (?, ?)", [mailbox, cursor])
    }
  }
}

/// The statements on the table of traces.
enum TraceTable {
  /// Adds the trace of a mail under each of its keys.
  static func add(_ trace: OutboxTrace, of mail: String, at now: Timestamp, in database: Database) throws {
    for key in trace.keys {
      try database.run(
        "INSERT OR REPLACE INTO mail_trace (key, mail, recipients, at) VALUES (?, ?, ?, ?)",
        [key, mail, trace.recipients, now])
    }
  }

  /// Deletes up to `limit` old traces. Returns how many.
  static func deleteOld(at now: Timestamp, limit: Int, in database: Database) throws -> Int {
    try database.run(
      "DELETE FROM mail_trace WHERE (key, mail) IN (SELECT key, mail FROM mail_trace WHERE at <= ? ORDER BY at LIMIT ?)",
      [now - OutboxTrace.lifetime, limit])
    return database.changesCount
  }
}
