import PabalCore
import Synchronization

/// A memory outbox that counts the calls that may write, and refuses as many as a test asks for.
final class CountingOutbox: Outbox {
  private let inner = MemoryOutbox()
  private let state = Mutex((calls: 0, refusals: 0))

  /// The number of calls so far.
  var calls: Int { state.withLock { $0.calls } }

  /// Makes the next `count` calls fail.
  func refuse(_ count: Int) { state.withLock { $0.refusals = count } }

  private func count() throws(StorageError) {
    let isRefused = state.withLock { state in
      state.calls += 1
      if state.refusals > 0 { state.refusals -= 1 } else { return false }
      return true
    }
    if isRefused { throw StorageError(.full, place: "memory") }
  }

  func add(_ entries: [OutboxEntry]) async throws(StorageError) {
    try count()
    try await inner.add(entries)
  }
  func claim(_ claim: OutboxClaim) async throws(StorageError) -> [OutboxEntry] {
    try count()
    return try await inner.claim(claim)
  }
  func settle(_ settlements: [OutboxSettlement]) async throws(StorageError) -> [OutboxEntry?] {
    try count()
    return try await inner.settle(settlements)
  }
  func extend(_ ids: [String], _ lease: OutboxEntry.Lease) async throws(StorageError) -> Set<String> {
    try count()
    return try await inner.extend(ids, lease)
  }
  func read(_ query: OutboxQuery) async throws(StorageError) -> OutboxView {
    try await inner.read(query)
  }
  func amend(_ amendment: OutboxAmendment, now: Timestamp) async throws(StorageError) -> Int {
    try count()
    return try await inner.amend(amendment, now: now)
  }
  func transports(
    _ change: @escaping @Sendable (inout [String: TransportState]) -> Void
  ) async throws(StorageError) -> [String: TransportState] {
    try count()
    return try await inner.transports(change)
  }
  func sweep(_ sweep: OutboxSweep) async throws(StorageError) -> OutboxForecast {
    try count()
    return try await inner.sweep(sweep)
  }
}
