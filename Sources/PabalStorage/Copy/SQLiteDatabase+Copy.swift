internal import FoundationEssentials
internal import GRDB
internal import PabalCore

extension SQLiteDatabase {
  /// Records that this database is being moved. Returns the id of the move, which is made at the first call.
  func beginMoving() throws(StorageError) -> [UInt8] {
    try SQLiteDatabase.storageCall(path) {
      try pool.write { database in
        if let id = try database.meta(movingName) { return id }
        let id = [UInt8].random(count: 16)
        try database.run("INSERT INTO meta (name, value) VALUES (?, ?)", [movingName, id])
        return id
      }
    }
  }

  /// Permits the use of this database again.
  func endMoving() throws(StorageError) {
    try SQLiteDatabase.storageCall(path) {
      try pool.write { try $0.run("DELETE FROM meta WHERE name = ?", [movingName]) }
    }
  }
}

extension Database {
  /// Returns a value of the table `meta`.
  func meta(_ name: String) throws -> [UInt8]? {
    try first("SELECT value FROM meta WHERE name = ?", [name]) { $0.bytes(0) }
  }

  /// Reads a table in batches.
  func rows(of table: StoredTable, _ body: ([StoredRow]) throws -> Void) throws {
    let cursor = try Row.fetchCursor(
      self, sql: "SELECT \(table.columnList) FROM \(table.name) ORDER BY \(table.order)")
    var batch: [StoredRow] = []
    while let row = try cursor.next() {
      batch.append(
        StoredRow(
          values: table.columns.enumerated().map { index, column in
            switch column.kind {
            case .integer, .boolean: (row[index] as Int64?).map { .integer($0) } ?? .null
            case .text: (row[index] as String?).map { .text($0) } ?? .null
            case .bytes: (row[index] as Data?).map { .bytes([UInt8]($0)) } ?? .null
            }
          }))
      if batch.count == StorageCopy.batchSize {
        try body(batch)
        batch = []
      }
    }
    if !batch.isEmpty { try body(batch) }
  }

  /// Receives the rows that `read` passes on, within the current transaction.
  func receive(
    _ id: [UInt8], place: String, _ read: ((StoredTable, [StoredRow]) throws -> Void) throws -> Void
  ) throws -> StorageCopy.Result {
    var result = StorageCopy.Result()
    if try meta(movedFromName) == id {
      result.wasCopied = true
    } else {
      for name in ["mail", "verification", "suppression"]
      where try first("SELECT 1 FROM \(name) LIMIT 1", [], { $0.count(0) }) != nil {
        throw StorageError(.notEmpty, place: place)
      }
      try read { table, rows in
        let holes = table.columns.map { _ in "?" }.joined(separator: ", ")
        for row in rows {
          try self.run(
            "INSERT INTO \(table.name) (\(table.columnList)) VALUES (\(holes))",
            row.values.map { value -> any SQLiteValue in
              switch value {
              case .null: Int64?.none
              case .integer(let number): number
              case .text(let text): text
              case .bytes(let bytes): bytes
              }
            })
        }
      }
      try run("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", [movedFromName, id])
    }
    func count(_ rest: String) throws -> Int {
      try first("SELECT count(*) FROM \(rest)", []) { $0.count(0) } ?? 0
    }
    result.mails = try count("mail")
    result.unfinishedMails = try count("mail WHERE state IN ('waiting', 'sending')")
    result.verifications = try count("verification")
    return result
  }
}
