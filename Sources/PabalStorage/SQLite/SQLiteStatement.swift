internal import GRDB
internal import GRDBSQLite
internal import PabalCore

// SQLite's own API is used because GRDB boxes and copies each value several times, which costs more than SQLite's work
// on rows this small.

/// A value that can be bound to a parameter of a statement.
protocol SQLiteValue {
  /// Binds the value to the parameter at `index`, which counts from 1.
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32
}

extension Int64: SQLiteValue {
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    sqlite3_bind_int64(statement, index, self)
  }
}

extension Int: SQLiteValue {
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    sqlite3_bind_int64(statement, index, Int64(self))
  }
}

extension Timestamp: SQLiteValue {
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    sqlite3_bind_int64(statement, index, milliseconds)
  }
}

extension String: SQLiteValue {
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    var text = self
    return text.withUTF8 {
      $0.withMemoryRebound(to: CChar.self) {
        sqlite3_bind_text64(
          statement, index, $0.baseAddress, UInt64($0.count), copied, UInt8(SQLITE_UTF8))
      }
    }
  }
}

extension [UInt8]: SQLiteValue {
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    // An empty array has no base address, which SQLite would take for NULL.
    isEmpty
      ? sqlite3_bind_zeroblob(statement, index, 0)
      : withUnsafeBytes { sqlite3_bind_blob64(statement, index, $0.baseAddress, UInt64($0.count), copied) }
  }
}

extension Optional: SQLiteValue where Wrapped: SQLiteValue {
  func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
    self?.bind(to: statement, at: index) ?? sqlite3_bind_null(statement, index)
  }
}

/// `SQLITE_TRANSIENT`, a macro that Swift doesn't import: SQLite copies the value before the call returns.
private var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

/// The current row of a statement. Columns count from 0.
struct SQLiteRow {
  fileprivate let statement: OpaquePointer

  func number(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }
  func count(_ column: Int32) -> Int { Int(sqlite3_column_int64(statement, column)) }

  func time(_ column: Int32) -> Timestamp? {
    sqlite3_column_type(statement, column) == SQLITE_NULL
      ? nil : Timestamp(milliseconds: sqlite3_column_int64(statement, column))
  }

  func text(_ column: Int32) -> String? {
    guard let bytes = sqlite3_column_text(statement, column) else { return nil }
    let count = Int(sqlite3_column_bytes(statement, column))
    return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
  }

  func bytes(_ column: Int32) -> [UInt8]? {
    guard sqlite3_column_type(statement, column) != SQLITE_NULL else { return nil }
    // SQLite's documentation asks for the address before the size (sqlite3_column_blob).
    let address = sqlite3_column_blob(statement, column)
    return [UInt8](
      UnsafeRawBufferPointer(start: address, count: Int(sqlite3_column_bytes(statement, column))))
  }
}

extension Database {
  /// Runs a statement to its end and calls `body` with each row.
  func run(_ sql: String, _ values: [any SQLiteValue] = [], each body: (SQLiteRow) throws -> Void = { _ in })
    throws
  {
    let prepared = try cachedStatement(sql: sql)
    let statement = prepared.sqliteStatement
    defer {
      sqlite3_reset(statement)
      sqlite3_clear_bindings(statement)
      withExtendedLifetime(prepared) {}
    }
    precondition(
      sqlite3_bind_parameter_count(statement) == values.count,
      "the number of values differs from the number of parameters")
    for (index, value) in values.enumerated() {
      guard value.bind(to: statement, at: Int32(index + 1)) == SQLITE_OK else { throw failure(of: statement) }
    }
    while true {
      switch sqlite3_step(statement) {
      case SQLITE_ROW: try body(SQLiteRow(statement: statement))
      case SQLITE_DONE: return
      default: throw failure(of: statement)
      }
    }
  }

  /// Runs a statement and returns the result of `body` for its first row, or `nil` without rows.
  func first<Value>(
    _ sql: String, _ values: [any SQLiteValue] = [], _ body: (SQLiteRow) throws -> Value?
  ) throws -> Value? {
    var first: Value?
    try run(sql, values) { row in if first == nil { first = try body(row) } }
    return first
  }

  private func failure(of statement: OpaquePointer) -> DatabaseError {
    let connection = sqlite3_db_handle(statement)
    return DatabaseError(
      resultCode: ResultCode(rawValue: sqlite3_extended_errcode(connection)),
      message: sqlite3_errmsg(connection).map { String(cString: $0) })
  }
}
