internal import Glibc
internal import PabalCore
internal import Synchronization

/// The connections to a database, and the threads that use them.
final class PostgreSQLPool: Sendable {
  /// How long a call may wait for a server that can't be reached.
  private static let patience = Duration.seconds(10)
  /// How long a transaction whose commit wasn't answered is asked for.
  private static let commitPatience = Duration.seconds(60)
  /// How often a transaction is run again because of others.
  private static let maxConflicts = 50

  let place: String
  let clock = PostgreSQLClock()
  private let parameters: [(keyword: String, value: String)]
  private let threads: WorkerThreads
  private let state = Mutex(State())

  private struct State {
    var idle: [PostgreSQLConnection] = []
    var isClosed = false
    var roundTrips = 0
  }

  /// No connection is opened before the first call.
  init(_ settings: PostgreSQLSettings) {
    place = settings.place
    parameters = settings.parameters
    threads = WorkerThreads(count: max(settings.connections, 2))
  }

  /// How often calls waited for the server; tests count round trips by it.
  var roundTrips: Int { state.withLock { $0.roundTrips } }

  /// Closes the connections that aren't in use; later calls fail.
  func close() {
    let idle = state.withLock { state in
      state.isClosed = true
      defer { state.idle = [] }
      return state.idle
    }
    _ = idle
    threads.stop()
  }

  /// Runs `work` on a thread of the pool, which may block.
  func onThread<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
    await threads.run(work)
  }

  /// Runs `body`, which only reads, on a connection; again if that turns out to be lost.
  func read<Value: Sendable>(
    _ body: @escaping @Sendable (PostgreSQLConnection) throws(PostgreSQLError) -> Value
  ) async throws(StorageError) -> Value {
    let deadline = ContinuousClock.now + Self.patience
    return try await onThread { self.readNow(until: deadline, body) }.get()
  }

  /// Runs `body` in a transaction, which is durable when this returns. It may run more than once.
  func write<Value: Sendable>(
    _ body: @escaping @Sendable (PostgreSQLTransaction) throws(PostgreSQLError) -> Value
  ) async throws(StorageError) -> Value {
    let deadline = ContinuousClock.now + Self.patience
    return try await onThread { self.writeNow(until: deadline, body) }.get()
  }

  // MARK: On a thread of the pool

  func readNow<Value>(
    until deadline: ContinuousClock.Instant = .now + patience,
    _ body: (PostgreSQLConnection) throws(PostgreSQLError) -> Value
  ) -> Result<Value, StorageError> {
    retrying(until: deadline) { () throws(PostgreSQLError) in
      try withConnection { connection throws(PostgreSQLError) in try body(connection) }
    }
  }

  func writeNow<Value>(
    until deadline: ContinuousClock.Instant = .now + patience,
    _ body: (PostgreSQLTransaction) throws(PostgreSQLError) -> Value
  ) -> Result<Value, StorageError> {
    retrying(until: deadline) { () throws(PostgreSQLError) in
      var committing: (value: Value, marker: [UInt8])?
      do throws(PostgreSQLError) {
        return try withConnection { connection throws(PostgreSQLError) in
          let transaction = PostgreSQLTransaction(connection)
          do throws(PostgreSQLError) {
            let value = try body(transaction)
            if let marker = transaction.marker { committing = (value, marker) }
            try transaction.commit()
            return value
          } catch {
            if error.kind != .connection {
              committing = nil
              transaction.rollBack()
            }
            throw error
          }
        }
      } catch {
        guard let committing, try hasCommitted(committing.marker) else { throw error }
        return committing.value
      }
    }
  }

  /// Finds out whether the transaction with this marker was committed although its answer was lost. If not, it never will
  /// be, because it would insert the same row.
  private func hasCommitted(_ marker: [UInt8]) throws(PostgreSQLError) -> Bool {
    let deadline = ContinuousClock.now + Self.commitPatience
    let found = retrying(until: deadline) { () throws(PostgreSQLError) in
      try withConnection { connection throws(PostgreSQLError) in
        try connection.run([PostgreSQLTransaction.insertMarker(marker, ignoresExisting: true)])[0].count == 0
      }
    }
    do throws(StorageError) {
      return try found.get()
    } catch {
      throw PostgreSQLError(kind: .statement, error: .unresolved)
    }
  }

  /// Runs `work` until it succeeds, or fails in a way that another run doesn't change.
  private func retrying<Value>(
    until deadline: ContinuousClock.Instant, _ work: () throws(PostgreSQLError) -> Value
  ) -> Result<Value, StorageError> {
    var delay: UInt32 = 0
    var conflicts = 0
    while true {
      if state.withLock({ $0.isClosed }) { return .failure(StorageError(.closed, place: place)) }
      do throws(PostgreSQLError) {
        return .success(try work())
      } catch {
        switch error.kind {
        case .statement: return .failure(StorageError(error.error, place: place))
        case .conflict:
          conflicts += 1
          guard conflicts <= Self.maxConflicts else { return .failure(StorageError(.busy, place: place)) }
          // At random, so that two nodes don't meet again.
          if conflicts > 1 { usleep(.random(in: 0...UInt32(min(conflicts, 20)) * 1_000)) }
        case .connection:
          if case .refused = error.error { return .failure(StorageError(error.error, place: place)) }
          guard ContinuousClock.now + .microseconds(Int(delay)) < deadline else {
            return .failure(StorageError(error.error, place: place))
          }
          if delay > 0 { usleep(delay) }
          delay = min(max(delay * 2, 20_000), 1_000_000)
        }
      }
    }
  }

  private func withConnection<Value>(
    _ body: (PostgreSQLConnection) throws(PostgreSQLError) -> Value
  ) throws(PostgreSQLError) -> Value {
    let connection =
      if let idle = state.withLock({ $0.idle.popLast() }) { idle } else {
        try PostgreSQLConnection(parameters)
      }
    // Before it is counted, because tests count the round trips of what was asked for.
    if clock.isDue { try clock.read(connection) }
    let before = connection.roundTrips
    defer {
      state.withLock { state in
        state.roundTrips += connection.roundTrips - before
        if !connection.isLost, !state.isClosed { state.idle.append(connection) }
      }
    }
    return try body(connection)
  }
}
