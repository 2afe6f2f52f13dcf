internal import GRDB
internal import PabalCore
internal import Synchronization

/// Writes to a database on behalf of concurrent callers, with many of their jobs in one commit.
///
/// A commit costs one fsync however many jobs it holds, so jobs that arrive while one is running join it.
final class CommitQueue: Sendable {
  private struct State {
    var jobs: [any CommitJob] = []
    var isDraining = false
  }

  private static let maxJobsPerCommit = 512

  private let pool: DatabasePool
  private let path: String
  private let files: DatabaseFileWatch
  private let damage: DamageRecord
  private let state = Mutex(State())

  init(_ pool: DatabasePool, path: String, files: DatabaseFileWatch, damage: DamageRecord) {
    self.pool = pool
    self.path = path
    self.files = files
    self.damage = damage
  }

  /// Runs `body` in a transaction and returns when it is durable. An error that it throws undoes its own changes
  /// only. `body` may run more than once.
  func write<Value: Sendable>(
    _ body: @escaping @Sendable (Database) throws -> Value
  ) async throws(StorageError) -> Value {
    let result = await withCheckedContinuation { continuation in
      let job = ValueCommitJob(body, place: path) { continuation.resume(returning: $0) }
      let isFirst = state.withLock { state in
        state.jobs.append(job)
        defer { state.isDraining = true }
        return !state.isDraining
      }
      if isFirst { pool.asyncWriteWithoutTransaction { self.drain($0) } }
    }
    return try result.get()
  }

  private func drain(_ database: Database) {
    while true {
      let jobs = take(CommitQueue.maxJobsPerCommit, endsDraining: true)
      guard !jobs.isEmpty else { return }
      commit(jobs, to: database)
    }
  }

  /// Removes up to `count` waiting jobs from the queue. If there are none and `endsDraining` is set, the next job
  /// starts a new drain.
  private func take(_ count: Int, endsDraining: Bool) -> [any CommitJob] {
    state.withLock { state in
      let next = Array(state.jobs.prefix(count))
      state.jobs.removeFirst(next.count)
      if next.isEmpty, endsDraining { state.isDraining = false }
      return next
    }
  }

  /// Runs `jobs` and those that arrive meanwhile, commits once, and answers them all.
  private func commit(_ jobs: [any CommitJob], to database: Database) {
    var jobs = jobs
    if let error = missingFile(database) {
      for job in jobs { job.answer(error) }
      return
    }
    var error = transaction(on: database) {
      var done = 0
      repeat {
        for job in jobs[done...] { try run(job.run, on: database) }
        done = jobs.count
        // Callers that the last commit answered return quickly, and one more job is far cheaper than one more commit.
        // The limit exists because a long transaction would lock out other processes.
        jobs += take(CommitQueue.maxJobsPerCommit - done, endsDraining: false)
      } while jobs.count > done
    }
    if let error { damage.record(error) }
    // Only a commit that failed uses savepoints, because they make each job half as expensive again. While another
    // process holds the lock, no job can succeed, and another wait for it would double the time to the answer.
    if let first = error, first.kind != .busy, jobs.count > 1 {
      error = transaction(on: database) {
        for job in jobs { try run(job.runInSavepoint, on: database) }
      }
    }
    // Checked again, because a commit to a file that was deleted meanwhile succeeds, and is lost.
    if error == nil { error = missingFile(database) }
    for job in jobs { job.answer(error) }
  }

  /// Returns the error if one of the database's files was deleted or replaced.
  private func missingFile(_ database: Database) -> StorageError? {
    do throws(StorageError) {
      try files.check()
      return nil
    } catch {
      // What is committed in a deleted log is moved to the database, which still is in its place.
      if files.hasLostSidecarsOnly { try? database.execute(sql: "PRAGMA wal_checkpoint(PASSIVE)") }
      return error
    }
  }

  /// Runs `work` in one transaction. Returns the error that undid it.
  private func transaction(on database: Database, _ work: () throws -> Void) -> StorageError? {
    do {
      try database.beginTransaction(.immediate)
      try work()
      try database.commit()
      return nil
    } catch {
      try? database.rollback()
      return StorageError(error, place: path)
    }
  }

  private func run(_ job: (Database) throws -> Void, on database: Database) throws {
    try job(database)
    // On a full disk, SQLite rolls back the whole transaction on its own.
    guard database.isInsideTransaction else { throw StorageError(.full, place: path) }
  }
}

/// A job of a `CommitQueue`, whatever the type of its result.
private protocol CommitJob: Sendable {
  /// Runs the job. An error undoes the whole transaction, after which the job may run again.
  func run(_ database: Database) throws
  /// Runs the job in a savepoint, so that its error doesn't undo other jobs. Throws if the transaction has ended.
  func runInSavepoint(_ database: Database) throws
  /// Answers the caller: with the result after the commit, or with the error that undid the transaction.
  func answer(_ error: StorageError?)
}

/// A job and its result until the commit.
private final class ValueCommitJob<Value: Sendable>: CommitJob {
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

  func answer(_ error: StorageError?) {
    if let error { return caller(.failure(error)) }
    let result = result.withLock { $0 }
    caller(result ?? .failure(StorageError(.closed, place: place)))
  }
}
