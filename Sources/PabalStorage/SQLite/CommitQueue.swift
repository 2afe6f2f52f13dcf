internal import GRDB
internal import PabalCore
internal import Synchronization

/// Something to be written in the next commit, whatever its answer is.
protocol CommitJob: Sendable {
  /// Does it inside of the transaction; what it throws undoes the whole transaction, and it may be run again.
  func run(_ database: Database) throws
  /// Does it in a savepoint of its own: its failure undoes nothing else. Throws only what does all the same.
  func runInSavepoint(_ database: Database) throws
  /// Answers its caller after the commit, or with the problem that undid it.
  func answer(_ problem: StorageError?)
}

/// A job and the answer it has until its commit.
final class ValueCommitJob<Value: Sendable>: CommitJob {
  private let body: @Sendable (Database) throws -> Value
  private let caller: @Sendable (Result<Value, StorageError>) -> Void
  private let place: String
  private let result = Mutex<Result<Value, StorageError>?>(nil)

  init(
    _ body: @escaping @Sendable (Database) throws -> Value, place: String,
    caller: @escaping @Sendable (Result<Value, StorageError>) -> Void
  ) {
    self.body = body
    self.place = place
    self.caller = caller
  }

  func run(_ database: Database) throws {
    let value = try body(database)
    result.withLock { $0 = .success(value) }
  }

  func runInSavepoint(_ database: Database) throws {
    try database.cachedStatement(sql: "SAVEPOINT job").execute()
    do {
      let value = try body(database)
      try database.cachedStatement(sql: "RELEASE SAVEPOINT job").execute()
      result.withLock { $0 = .success(value) }
    } catch {
      guard database.isInsideTransaction else { throw error }
      try database.cachedStatement(sql: "ROLLBACK TO SAVEPOINT job").execute()
      try database.cachedStatement(sql: "RELEASE SAVEPOINT job").execute()
      result.withLock { $0 = .failure(StorageError(error, place: place)) }
    }
  }

  func answer(_ problem: StorageError?) {
    if let problem { return caller(.failure(problem)) }
    let result = result.withLock { $0 }
    caller(result ?? .failure(StorageError(.closed, place: place)))
  }
}
