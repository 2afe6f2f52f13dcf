internal import GRDB
public import PabalCore

/// Verifications in a SQLite file, in one transaction with the outbox there.
public struct SQLiteVerificationStore: VerificationStore {
  let database: SQLiteDatabase

  /// The verifications in `database`.
  public init(_ database: SQLiteDatabase) { self.database = database }

  /// Runs `body` as one transaction, which shares its commit with others that wait.
  public func transact<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    try await database.write { try body(SQLiteVerificationTransaction(database: $0)) }
  }

  /// Runs `body` on the file as the last commit left it.
  public func read<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    try await database.read { try body(SQLiteVerificationTransaction(database: $0)) }
  }
}

extension SQLiteDatabase {
  /// Opens the file at `path` as the one that belongs to `keys`; blocks.
  public convenience init(
    _ path: String, keys: Keyring, busyTimeout: Duration = .seconds(10)
  ) throws(StorageError) {
    let known = keys.checkValue
    do {
      try self.init(
        path, keyCheck: known, previousKeyChecks: keys.previousCheckValues, busyTimeout: busyTimeout)
    } catch {
      // A rotation in another process may have come between the keys' reading and the file's opening.
      keys.reload()
      guard error.kind == .wrongKey, keys.checkValue != known else { throw error }
      try self.init(
        path, keyCheck: keys.checkValue, previousKeyChecks: keys.previousCheckValues, busyTimeout: busyTimeout)
    }
  }
}
