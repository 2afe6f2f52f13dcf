import PabalCore
import Synchronization

/// A memory outbox that counts its calls, and refuses as long as a test says.
final class CountingOutbox: Outbox {
  private let inner = MemoryOutbox()
  private let state = Mutex((calls: 0, refusals: 0))

  /// How many calls there were.
  var calls: Int { state.withLock { $0.calls } }

  /// The next so many calls fail.
  func refuse(_ count: Int) { state.withLock { $0.refusals = count } }

  private func count() throws(StorageProblem) {
    let isRefused = state.withLock { state in
      state.calls += 1
      if state.refusals > 0 { state.refusals -= 1 } else { return false }
      return true
    }
    if isRefused { throw StorageProblem(.full, place: "memory") }
  }

  func add(_ entries: [OutboxEntry]) async throws(StorageProblem) {
    try count()
    try await inner.add(entries)
  }
  func claim(_ claim: OutboxClaim) async throws(StorageProblem) -> [OutboxEntry] {
    try count()
    return try await inner.claim(claim)
  }
  func settle(_ settlements: [OutboxSettlement]) async throws(StorageProblem) -> [OutboxEntry?] {
    try count()
    return try await inner.settle(settlements)
  }
  func extend(_ ids: [String], _ lease: OutboxEntry.Lease) async throws(StorageProblem) -> Set<String> {
    try count()
    return try await inner.extend(ids, lease)
  }
  func look(_ query: OutboxQuery) async throws(StorageProblem) -> OutboxView {
    try await inner.look(query)
  }
  func amend(_ amendment: OutboxAmendment, now: Timestamp) async throws(StorageProblem) -> Int {
    try count()
    return try await inner.amend(amendment, now: now)
  }
  func transports(
    _ change: @escaping @Sendable (inout [String: TransportState]) -> Void
  ) async throws(StorageProblem) -> [String: TransportState] {
    try count()
    return try await inner.transports(change)
  }
  func sweep(_ sweep: OutboxSweep) async throws(StorageProblem) -> OutboxForecast {
    try count()
    return try await inner.sweep(sweep)
  }
}
