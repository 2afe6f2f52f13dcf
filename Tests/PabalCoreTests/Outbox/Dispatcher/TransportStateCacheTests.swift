import PabalTesting
import Synchronization
import Testing

@testable import PabalCore

/// The transport states that a process knows while the outbox's answers overtake each other.
@Suite struct TransportStateCacheTests {
  private func answer(_ sequence: Int, failures: Int) -> TransportStateCache.Snapshot {
    var state = TransportState()
    state.failures = failures
    return TransportStateCache.Snapshot(sequence: sequence, states: ["smtp": state])
  }

  private func fail(_ states: inout [String: TransportState]) {
    states["smtp", default: TransportState()].failures += 1
  }

  // MARK: The cache

  @Test func `the later of two answers counts, whichever arrives first`() {
    for answers in [
      [answer(1, failures: 1), answer(2, failures: 2)], [answer(2, failures: 2), answer(1, failures: 1)],
    ] {
      var stateCache = TransportStateCache()
      for answer in answers { stateCache.adopt(answer) }
      #expect(stateCache["smtp"].failures == 2)
    }
  }

  @Test func `an answer that later ones overtook restores nothing older`() {
    var stateCache = TransportStateCache()
    let number = stateCache.begin(fail)
    stateCache.adopt(answer(2, failures: 7))
    #expect(stateCache["smtp"].failures == 8)
    stateCache.end(number, answer(1, failures: 1))
    #expect(stateCache["smtp"].failures == 7)
  }

  @Test func `pending changes apply on top of every answer, until their own arrives`() {
    var stateCache = TransportStateCache()
    let (first, second) = (stateCache.begin(fail), stateCache.begin(fail))
    #expect(stateCache["smtp"].failures == 2)
    stateCache.adopt(answer(1, failures: 10))
    #expect(stateCache["smtp"].failures == 12)
    // The outbox applied the second change first.
    stateCache.end(second, answer(2, failures: 11))
    #expect(stateCache["smtp"].failures == 12)
    stateCache.end(first, answer(3, failures: 12))
    #expect(stateCache["smtp"].failures == 12)
  }

  @Test func `a refused change is reverted to the latest answer`() {
    var stateCache = TransportStateCache()
    stateCache.adopt(answer(1, failures: 3))
    let (refused, other) = (stateCache.begin(fail), stateCache.begin(fail))
    stateCache.end(refused, nil)
    #expect(stateCache["smtp"].failures == 4)
    stateCache.end(other, answer(2, failures: 4))
    #expect(stateCache["smtp"].failures == 4)
  }

  // MARK: The dispatcher

  /// A dispatcher with one transport, whose pace allows one send at once, and then one every twelve seconds.
  private func fixture(_ outbox: ReorderingOutbox) -> DispatcherFixture {
    var options = DispatcherOptions()
    options.paces = ["gmail": Pace(sends: 6, per: .seconds(60))]
    return DispatcherFixture([ScriptedTransport("gmail")], options: options, outbox: outbox)
  }

  @Test func `a used send stays used when an older answer arrives later`() async throws {
    let outbox = ReorderingOutbox()
    let fixture = fixture(outbox)
    await fixture.advance()
    outbox.delayNext(.applied)
    let refresh = Task { await fixture.dispatcher.refreshStates() }
    await outbox.delayed()
    try await fixture.add("A")
    await fixture.advance()
    #expect(try await fixture.entry("A")?.state == .sent)
    let nextSend = try #require(await fixture.dispatcher.nextPacedSend())
    outbox.release()
    await refresh.value
    #expect(await fixture.dispatcher.nextPacedSend() == nextSend)
  }

  @Test func `a change that the outbox applied twice counts as late as the second time`() async throws {
    let outbox = ReorderingOutbox()
    let fixture = fixture(outbox)
    await fixture.advance()
    outbox.delayNext(.rolledBack)
    let refresh = Task { await fixture.dispatcher.refreshStates() }
    await outbox.delayed()
    try await fixture.add("A")
    await fixture.advance()
    // Another process closes the transport.
    let until = fixture.clock.now + .seconds(60)
    _ = try await outbox.transports { $0["gmail"]?.pausedUntil = until }
    outbox.release()
    await refresh.value
    #expect(await fixture.dispatcher.conditions().map(\.until) == [until])
  }
}

/// A memory outbox that delays its answer to one change of the transport states until later changes are answered.
final class ReorderingOutbox: Outbox {
  /// How far the delayed change has come.
  enum DelayPoint {
    /// The change is applied, and its answer is delayed.
    case applied
    /// The change was applied in a transaction that was rolled back, and will be applied again.
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

  /// Delays the next change until `release`.
  func delayNext(_ delay: DelayPoint) { state.withLock { $0.delay = delay } }

  /// Returns when a change is delayed.
  func delayed() async {
    await withCheckedContinuation { continuation in
      let isDelayed = state.withLock { state in
        if !state.isDelayed { state.watcher = continuation }
        return state.isDelayed
      }
      if isDelayed { continuation.resume() }
    }
  }

  /// Lets the delayed change continue.
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
      let (isReleased, watcher) = state.withLock { state in
        state.isDelayed = true
        if !state.isReleased { state.waiting = continuation }
        return (state.isReleased, state.watcher)
      }
      watcher?.resume()
      if isReleased { continuation.resume() }
    }
  }

  // MARK: Calls that are passed on

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
