internal import PabalCore

extension PostgreSQLDatabase {
  private static func meta(_ name: String) -> PostgreSQLStatement {
    PostgreSQLStatement("SELECT value FROM pabal.meta WHERE name = $1", [.text(name)])
  }

  private static func setMeta(_ name: String, _ value: [UInt8]) -> PostgreSQLStatement {
    PostgreSQLStatement(
      "INSERT INTO pabal.meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      [.text(name), .bytes(value)])
  }

  /// Throws if nodes use this database, or if this role can't rename its schema.
  func checkMovable() throws(StorageError) {
    let row = try pool.readNow { connection throws(PostgreSQLError) in
      try connection.run([
        PostgreSQLStatement(
          """
          SELECT pg_has_role(nspowner, 'USAGE') AND has_database_privilege(current_database(), 'CREATE'), EXISTS (
            SELECT FROM pg_catalog.pg_stat_activity
            WHERE datname = current_database() AND application_name = 'pabal' AND pid <> pg_backend_pid())
          FROM pg_catalog.pg_namespace WHERE nspname = 'pabal'
          """)
      ])[0].rows.first
    }.get()
    guard let row, row.bool(0) else { throw StorageError(.notPermitted, place: place) }
    guard !row.bool(1) else { throw StorageError(.busy, place: place) }
  }

  /// Records that this database is being moved. Returns the id of the move, which is made at the first call.
  func beginMoving() throws(StorageError) -> [UInt8] {
    try pool.writeNow { transaction throws(PostgreSQLError) in
      if let id = try transaction.run([Self.meta(movingName)])[0].rows.first?.bytes(0) { return id }
      let id = [UInt8].random(count: 16)
      transaction.queue(Self.setMeta(movingName, id))
      return id
    }.get()
  }

  /// Permits the use of this database again.
  func endMoving() throws(StorageError) {
    try pool.writeNow { transaction throws(PostgreSQLError) in
      transaction.queue(PostgreSQLStatement("DELETE FROM pabal.meta WHERE name = $1", [.text(movingName)]))
    }.get()
  }

  /// Receives the rows that `read` passes on in one transaction; `read` may run more than once.
  func receive(
    _ id: [UInt8], _ read: ((StoredTable, [StoredRow]) throws -> Void) throws -> Void
  ) throws -> StorageCopy.Result {
    try pool.writeNow { transaction throws(PostgreSQLError) in
      var result = StorageCopy.Result()
      if try transaction.run([Self.meta(movedFromName)])[0].rows.first?.bytes(0) == id {
        result.wasCopied = true
      } else {
        let found = try transaction.run(
          ["mail", "verification", "suppression"].map {
            PostgreSQLStatement("SELECT FROM pabal.\($0) LIMIT 1")
          })
        guard found.allSatisfy({ $0.count == 0 }) else {
          throw PostgreSQLError(kind: .statement, error: .notEmpty)
        }
        do {
          try read { _ = try transaction.runWriting([Self.insert($1, into: $0)]) }
        } catch let error as PostgreSQLError {
          throw error
        } catch {
          throw PostgreSQLError(kind: .statement, error: StorageError(error, place: self.place).kind)
        }
        for table in StoredTable.all where table.isNumbered {
          transaction.queue(
            PostgreSQLStatement(
              """
              SELECT setval(pg_get_serial_sequence('pabal.\(table.name)', 'number'),
                (SELECT coalesce(max(number), 0) + 1 FROM pabal.\(table.name)), false)
              """))
        }
        transaction.queue(Self.setMeta(movedFromName, id))
      }
      let counts = try transaction.run(
        ["mail", "mail WHERE state IN ('waiting', 'sending')", "verification"].map {
          PostgreSQLStatement("SELECT count(*) FROM pabal.\($0)")
        }
      ).map { $0.rows.first?.count(0) ?? 0 }
      (result.mails, result.unfinishedMails, result.verifications) = (counts[0], counts[1], counts[2])
      return result
    }.get()
  }

  private static func insert(_ rows: [StoredRow], into table: StoredTable) -> PostgreSQLStatement {
    var types: [String] = []
    var values: [PostgreSQLValue] = []
    for (index, column) in table.columns.enumerated() {
      let column = (kind: column.kind, values: rows.map { $0.values[index] })
      switch column.kind {
      case .integer:
        types.append("bigint")
        values.append(.ints(column.values.map(\.integer)))
      case .text:
        types.append("text")
        values.append(.texts(column.values.map(\.text)))
      case .bytes:
        types.append("bytea")
        values.append(.bytes(column.values.map(\.bytes)))
      case .boolean:
        types.append("boolean")
        values.append(.bools(column.values.map { $0.integer == 1 }))
      }
    }
    let arrays = types.enumerated().map { "$\($0 + 1)::\($1)[]" }.joined(separator: ", ")
    return PostgreSQLStatement(
      """
      INSERT INTO pabal.\(table.name) (\(table.columnList)) \(table.isNumbered ? "OVERRIDING SYSTEM VALUE " : "")\
      SELECT * FROM unnest(\(arrays))
      """, values)
  }

  /// Reads all tables as they are at one moment.
  func readAll(_ body: (StoredTable, [StoredRow]) throws -> Void) throws {
    try pool.readNow { connection throws(PostgreSQLError) in
      try connection.run([
        PostgreSQLStatement("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
      ])
      for table in StoredTable.all {
        try connection.run([
          PostgreSQLStatement(
            "DECLARE rows CURSOR FOR SELECT \(table.columnList) FROM pabal.\(table.name) ORDER BY \(table.order)"
          )
        ])
        while true {
          let found = try connection.run([PostgreSQLStatement("FETCH \(StorageCopy.batchSize) FROM rows")])[0]
          if found.rows.isEmpty { break }
          do {
            try body(table, found.rows.map { Self.row($0, of: table) })
          } catch {
            _ = try? connection.run([PostgreSQLStatement("ROLLBACK")])
            throw PostgreSQLError(kind: .statement, error: StorageError(error, place: self.place).kind)
          }
        }
        try connection.run([PostgreSQLStatement("CLOSE rows")])
      }
      try connection.run([PostgreSQLStatement("COMMIT")])
    }.get()
  }

  private static func row(_ row: PostgreSQLRow, of table: StoredTable) -> StoredRow {
    StoredRow(
      values: table.columns.enumerated().map { index, column in
        switch column.kind {
        case .integer: row.optionalNumber(index).map { .integer($0) } ?? .null
        case .text: row.text(index).map { .text($0) } ?? .null
        case .bytes: row.bytes(index).map { .bytes($0) } ?? .null
        case .boolean: .integer(row.bool(index) ? 1 : 0)
        }
      })
  }

  /// Renames the schema, so that no node goes on with it. Returns the new name.
  func renameSchema(at now: Timestamp) throws(StorageError) -> String {
    let name = "pabal_copied_\(now.text.lowercased().filter { $0.isLetter || $0.isNumber })"
    _ = try pool.readNow { connection throws(PostgreSQLError) in
      try connection.run([PostgreSQLStatement("ALTER SCHEMA pabal RENAME TO \(name)")])
    }.get()
    return name
  }
}
