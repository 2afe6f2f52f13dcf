import PabalTesting
import Testing

@testable import PabalCore

/// What a process knows of the transports while the outbox's answers overtake each other.
@Suite struct TransportStateCacheTests {
  private func answer(_ sequence: Int, failures: Int) -> TransportStateCache.Snapshot {
    var state = TransportState()
    state.failures = failures
    return TransportStateCache.Snapshot(sequence: sequence, states: ["smtp": state])
  }

  private func fail(_ states: inout [String: TransportState]) {
    states["smtp", default: TransportState()].failures += 1
  }

  // MARK: The board

  @Test func `the later of two answers holds, whichever comes first`() {
    for answers in [
      [answer(1, failures: 1), answer(2, failures: 2)], [answer(2, failures: 2), answer(1, failures: 1)],
    ] {
      var stateCache = TransportStateCache()
      for answer in answers { stateCache.adopt(answer) }
      #expect(stateCache["smtp"].failures == 2)
    }
  }

  @Test func `an answer to a change that later ones overtook brings nothing older back`() {
    var stateCache = TransportStateCache()
    let number = stateCache.begin(fail)
    stateCache.adopt(answer(2, failures: 7))
    #expect(stateCache["smtp"].failures == 8)
    stateCache.end(number, answer(1, failures: 1))
    #expect(stateCache["smtp"].failures == 7)
  }

  @Test func `changes on their way stand over every answer, and end with their own`() {
    var stateCache = TransportStateCache()
    let (first, second) = (stateCache.begin(fail), stateCache.begin(fail))
    #expect(stateCache["smtp"].failures == 2)
    stateCache.adopt(answer(1, failures: 10))
    #expect(stateCache["smtp"].failures == 12)
    // The outbox made the second one first.
    stateCache.end(second, answer(2, failures: 11))
    #expect(stateCache["smtp"].failures == 12)
    stateCache.end(first, answer(3, failures: 12))
    #expect(stateCache["smtp"].failures == 12)
  }

  @Test func `a change that the outbox refused leaves what it said last`() {
    var stateCache = TransportStateCache()
    stateCache.adopt(answer(1, failures: 3))
    let (refused, other) = (stateCache.begin(fail), stateCache.begin(fail))
    stateCache.end(refused, nil)
    #expect(stateCache["smtp"].failures == 4)
    stateCache.end(other, answer(2, failures: 4))
    #expect(stateCache["smtp"].failures == 4)
  }

  // MARK: The dispatcher

  /// A dispatcher whose one transport makes one send at once, and then one every twelve seconds.
  private func fixture(_ outbox: ReorderingOutbox) -> DispatcherFixture {
    var options = DispatcherOptions()
    options.paces = ["gmail": Pace(sends: 6, per: .seconds(60))]
    return DispatcherFixture([ScriptedTransport("gmail")], options: options, outbox: outbox)
  }

  @Test func `a send that was spent stays so when an older answer comes after`() async throws {
    let outbox = ReorderingOutbox()
    let fixture = fixture(outbox)
    await fixture.advance()
    outbox.delayNext(.applied)
    let late = Task { await fixture.dispatcher.refreshStates() }
    await outbox.delayed()
    try await fixture.add("A")
    await fixture.advance()
    #expect(try await fixture.entry("A")?.state == .sent)
    let availableSends = try #require(await fixture.dispatcher.pacedUntil())
    outbox.release()
    await late.value
    #expect(await fixture.dispatcher.pacedUntil() == availableSends)
  }

  @Test func `a change that the outbox had to make twice counts as late as the second time`() async throws {
    let outbox = ReorderingOutbox()
    let fixture = fixture(outbox)
    await fixture.advance()
    outbox.delayNext(.rolledBack)
    let late = Task { await fixture.dispatcher.refreshStates() }
    await outbox.delayed()
    try await fixture.add("A")
    await fixture.advance()
    // Another process meets a hold.
    let until = fixture.clock.now + .seconds(60)
    _ = try await outbox.transports { $0["gmail"]?.closedUntil = until }
    outbox.release()
    await late.value
    #expect(await fixture.dispatcher.conditions().map(\.until) == [until])
  }
}
