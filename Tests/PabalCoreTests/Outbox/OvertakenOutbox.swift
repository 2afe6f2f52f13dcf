import PabalCore
import Synchronization

/// A memory outbox that answers one change of the transports' states only after others that came later.
final class ReorderingOutbox: Outbox {
  /// What has become of the change that waits.
  enum DelayPoint {
    /// It is made, and its answer is on its way.
    case applied
    /// It was made in vain, as in a transaction that another one got in the way of, and will be made again.
    case rolledBack
  }

  private struct State {
    var delay: DelayPoint?
    var isDelayed = false
    var isReleased = false
    var waiting: CheckedContinuation<Void, Never>?
    var watcher: CheckedContinuation<Void, Never>?
  }

  private let inner = MemoryOutbox()
  private let state = Mutex(State())

  /// Keeps the next change until `release`.
  func delayNext(_ delay: DelayPoint) { state.withLock { $0.delay = delay } }

  /// Returns when a change is kept.
  func delayed() async {
    await withCheckedContinuation { continuation in
      let isDelayed = state.withLock { state in
        if !state.isDelayed { state.watcher = continuation }
        return state.isDelayed
      }
      if isDelayed { continuation.resume() }
    }
  }

  /// Lets the change that is kept go on.
  func release() {
    let waiting = state.withLock { state in
      state.isReleased = true
      return state.waiting
    }
    waiting?.resume()
  }

  func transports(
    _ change: @escaping @Sendable (inout [String: TransportState]) -> Void
  ) async throws(StorageError) -> [String: TransportState] {
    let delay = state.withLock { state in
      defer { state.delay = nil }
      return state.delay
    }
    switch delay {
    case nil: return try await inner.transports(change)
    case .applied:
      let states = try await inner.transports(change)
      await released()
      return states
    case .rolledBack:
      var discarded = try await inner.transports { _ in }
      change(&discarded)
      await released()
      return try await inner.transports(change)
    }
  }

  private func released() async {
    await withCheckedContinuation { continuation in
      let (mayGo, watcher) = state.withLock { state in
        state.isDelayed = true
        if !state.isReleased { state.waiting = continuation }
        return (state.isReleased, state.watcher)
      }
      watcher?.resume()
      if mayGo { continuation.resume() }
    }
  }

  // MARK: As the memory outbox does

  func add(_ entries: [OutboxEntry]) async throws(StorageError) { try await inner.add(entries) }
  func claim(_ claim: OutboxClaim) async throws(StorageError) -> [OutboxEntry] {
    try await inner.claim(claim)
  }
  func settle(_ settlements: [OutboxSettlement]) async throws(StorageError) -> [OutboxEntry?] {
    try await inner.settle(settlements)
  }
  func extend(_ ids: [String], _ lease: OutboxEntry.Lease) async throws(StorageError) -> Set<String> {
    try await inner.extend(ids, lease)
  }
  func read(_ query: OutboxQuery) async throws(StorageError) -> OutboxView {
    try await inner.read(query)
  }
  func amend(_ amendment: OutboxAmendment, now: Timestamp) async throws(StorageError) -> Int {
    try await inner.amend(amendment, now: now)
  }
  func sweep(_ sweep: OutboxSweep) async throws(StorageError) -> OutboxForecast {
    try await inner.sweep(sweep)
  }
}
