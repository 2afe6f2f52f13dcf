import PabalCore
import Synchronization

/// A memory outbox that answers one change of the transports' states only after others that came later.
final class OvertakenOutbox: Outbox {
  /// What has become of the change that waits.
  enum Delay {
    /// It is made, and its answer is on its way.
    case made
    /// It was made in vain, as in a transaction that another one got in the way of, and will be made again.
    case tried
  }

  private struct State {
    var delay: Delay?
    var isKept = false
    var isReleased = false
    var waiting: CheckedContinuation<Void, Never>?
    var watcher: CheckedContinuation<Void, Never>?
  }

  private let inner = MemoryOutbox()
  private let state = Mutex(State())

  /// Keeps the next change until `release`.
  func keepNext(_ delay: Delay) { state.withLock { $0.delay = delay } }

  /// Returns when a change is kept.
  func kept() async {
    await withCheckedContinuation { continuation in
      let isKept = state.withLock { state in
        if !state.isKept { state.watcher = continuation }
        return state.isKept
      }
      if isKept { continuation.resume() }
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
  ) async throws(StorageProblem) -> [String: TransportState] {
    let delay = state.withLock { state in
      defer { state.delay = nil }
      return state.delay
    }
    switch delay {
    case nil: return try await inner.transports(change)
    case .made:
      let states = try await inner.transports(change)
      await released()
      return states
    case .tried:
      var vain = try await inner.transports { _ in }
      change(&vain)
      await released()
      return try await inner.transports(change)
    }
  }

  private func released() async {
    await withCheckedContinuation { continuation in
      let (mayGo, watcher) = state.withLock { state in
        state.isKept = true
        if !state.isReleased { state.waiting = continuation }
        return (state.isReleased, state.watcher)
      }
      watcher?.resume()
      if mayGo { continuation.resume() }
    }
  }

  // MARK: As the memory outbox does

  func add(_ entries: [OutboxEntry]) async throws(StorageProblem) { try await inner.add(entries) }
  func claim(_ claim: OutboxClaim) async throws(StorageProblem) -> [OutboxEntry] {
    try await inner.claim(claim)
  }
  func settle(_ settlements: [OutboxSettlement]) async throws(StorageProblem) -> [OutboxEntry?] {
    try await inner.settle(settlements)
  }
  func extend(_ ids: [String], _ lease: OutboxEntry.Lease) async throws(StorageProblem) -> Set<String> {
    try await inner.extend(ids, lease)
  }
  func look(_ query: OutboxQuery) async throws(StorageProblem) -> OutboxView {
    try await inner.look(query)
  }
  func amend(_ amendment: OutboxAmendment, now: Timestamp) async throws(StorageProblem) -> Int {
    try await inner.amend(amendment, now: now)
  }
  func sweep(_ sweep: OutboxSweep) async throws(StorageProblem) -> OutboxForecast {
    try await inner.sweep(sweep)
  }
}
