internal import PabalCore
internal import Synchronization

/// Joins calls that arrive while others run, so that they share round trips and a commit.
final class PostgreSQLCoalescer<Element: Sendable, Value: Sendable>: Sendable {
  private struct Call {
    let elements: [Element]
    let answer: @Sendable (Result<[Value], StorageError>) -> Void
  }

  private struct State {
    var calls: [Call] = []
    var isDraining = false
  }

  private let pool: PostgreSQLPool
  private let limit: Int
  private let body: @Sendable ([Element], PostgreSQLTransaction) throws(PostgreSQLError) -> [Value]
  private let state = Mutex(State())

  /// Runs `body` in one transaction for up to about `limit` elements, for each of which it returns a value.
  init(
    _ pool: PostgreSQLPool, limit: Int,
    _ body: @escaping @Sendable ([Element], PostgreSQLTransaction) throws(PostgreSQLError) -> [Value]
  ) {
    self.pool = pool
    self.limit = limit
    self.body = body
  }

  /// Returns the values of the elements after the commit.
  func run(_ elements: [Element]) async throws(StorageError) -> [Value] {
    guard !elements.isEmpty else { return [] }
    let result = await withCheckedContinuation { continuation in
      let startsDrain = state.withLock { state in
        state.calls.append(Call(elements: elements) { continuation.resume(returning: $0) })
        defer { state.isDraining = true }
        return !state.isDraining
      }
      if startsDrain { startDrain() }
    }
    return try result.get()
  }

  private func startDrain() {
    Task { await pool.onThread { self.drain() } }
  }

  /// Runs the waiting calls once. The next ones wait for a thread again, so that claims and reads get their turn.
  private func drain() {
    let calls = state.withLock { state in
      var count = 0
      let next = state.calls.prefix { call in
        defer { count += call.elements.count }
        return count < limit
      }
      state.calls.removeFirst(next.count)
      return Array(next)
    }
    if !calls.isEmpty { commit(calls) }
    let goesOn = state.withLock { state in
      if state.calls.isEmpty { state.isDraining = false }
      return !state.calls.isEmpty
    }
    if goesOn { startDrain() }
  }

  private func commit(_ calls: [Call]) {
    let elements = calls.flatMap(\.elements)
    switch pool.writeNow({ transaction throws(PostgreSQLError) in try self.body(elements, transaction) }) {
    case .success(let values):
      var rest = values[...]
      for call in calls {
        call.answer(.success(Array(rest.prefix(call.elements.count))))
        rest = rest.dropFirst(call.elements.count)
      }
    case .failure(let error):
      // One of the calls may be the cause.
      if calls.count > 1, case .other = error.kind {
        for call in calls { commit([call]) }
      } else {
        for call in calls { call.answer(.failure(error)) }
      }
    }
  }
}
