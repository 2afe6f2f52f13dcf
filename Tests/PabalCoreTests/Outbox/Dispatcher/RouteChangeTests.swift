import PabalTesting
import Testing

@testable import PabalCore

/// What happens to waiting mail when an edit changes the route or ends the suspension of a transport.
@Suite struct RouteChangeTests {
  private let old = ScriptedTransport("old", [.deferred()])
  private let new = ScriptedTransport("new")

  private func options() -> DispatcherOptions {
    var options = DispatcherOptions()
    options.breakerThreshold = .max
    return options
  }

  private func expedited(_ fixture: DispatcherFixture) -> [Int] {
    fixture.events.compactMap { if case .expedited(let count) = $0 { count } else { nil } }
  }

  @Test func `mail that waits for a retry takes the new route at once`() async throws {
    let fixture = DispatcherFixture([old], options: options())
    for id in ["A", "B"] { try await fixture.add(id, lane: .normal) }
    await fixture.advance()
    fixture.reroute([new])
    await fixture.dispatcher.adopt(options(), routeHasChanged: true)
    await fixture.advance()
    #expect(Set(new.ids) == ["A", "B"])
    #expect(old.ids.count == 2)
    #expect(expedited(fixture) == [2])
    await fixture.advance(.seconds(1))
    #expect(expedited(fixture) == [2])
  }

  @Test func `an edit that does not change the route does not make mail due`() async throws {
    let fixture = DispatcherFixture([old], options: options())
    try await fixture.add("A")
    await fixture.advance()
    old.answer(.sent)
    await fixture.dispatcher.adopt(options())
    await fixture.advance(.seconds(4))
    #expect(old.ids.count == 1)
    await fixture.advance(.seconds(1))
    #expect(old.ids.count == 2)
  }

  @Test func `mail of a suspended transport is due after an edit, and one mail probes it`() async throws {
    var options = DispatcherOptions()
    options.breakerThreshold = 3
    let fixture = DispatcherFixture([old], options: options)
    for number in 0..<6 { try await fixture.add("A\(number)", lane: .normal) }
    await fixture.advance()
    let tried = old.ids.count
    #expect(tried >= 3)
    await fixture.dispatcher.adopt(options)
    await fixture.advance()
    // The transport still fails: the other mail waits for its suspension, and is due.
    #expect(old.ids.count == tried + 1)
    #expect(expedited(fixture).count == 1)
    old.answer(.sent)
    await fixture.dispatcher.adopt(options)
    for _ in 0..<3 { await fixture.advance() }
    #expect(try await fixture.outbox.read(OutboxQuery(withCounts: true)).counts == [.sent: 6])
  }

  @Test func `failures of new routes don't use up a mail's retries`() async throws {
    let fixture = DispatcherFixture([old], options: options())
    try await fixture.add("A", life: .seconds(600))
    await fixture.advance()
    for wait in [5.0, 15, 45, 135] { await fixture.advance(.seconds(wait)) }
    #expect(old.ids.count == 5)
    // The next attempt would be the last, because the wait after it would exceed the code's lifetime.
    await fixture.advance(.seconds(150))
    for _ in 0..<8 {
      await fixture.dispatcher.adopt(options(), routeHasChanged: true)
      await fixture.advance()
    }
    #expect(old.ids.count == 13)
    #expect(try await fixture.entry("A")?.state == .waiting)
    fixture.reroute([new])
    await fixture.dispatcher.adopt(options(), routeHasChanged: true)
    await fixture.advance()
    #expect(try await fixture.entry("A")?.state == .sent)
  }

  @Test func `mail in flight over the old route takes the new one next, at once`()
    async throws
  {
    let fixture = DispatcherFixture([old], options: options())
    try await fixture.add("A", lane: .normal)
    old.shut()
    await fixture.dispatcher.signalWork()
    _ = await fixture.dispatcher.round()
    await old.received(1)
    fixture.reroute([new])
    await fixture.dispatcher.adopt(options(), routeHasChanged: true)
    _ = await fixture.dispatcher.round()
    old.open()
    await fixture.dispatcher.drain()
    #expect(try await fixture.entry("A")?.failures == 0)
    await fixture.advance()
    #expect(new.ids == ["A"])
  }

  @Test func `a last attempt over the old route is followed by one over the new route`() async throws {
    let fixture = DispatcherFixture([old], options: options())
    try await fixture.add("A")
    await fixture.advance()
    for wait in [5.0, 15, 45, 135] { await fixture.advance(.seconds(wait)) }
    old.shut()
    fixture.clock.advance(.seconds(300))
    await fixture.dispatcher.signalWork()
    _ = await fixture.dispatcher.round()
    await old.received(6)
    fixture.reroute([new])
    await fixture.dispatcher.adopt(options(), routeHasChanged: true)
    old.open()
    await fixture.dispatcher.drain()
    await fixture.advance()
    #expect(try await fixture.entry("A")?.state == .sent)
  }

  @Test func `a new route does not repeat an unknown outcome any sooner`() async throws {
    let lossy = ScriptedTransport("lossy", [.unknown])
    let fixture = DispatcherFixture([lossy], options: options())
    try await fixture.add("A")
    await fixture.advance()
    fixture.reroute([new])
    await fixture.dispatcher.adopt(options(), routeHasChanged: true)
    await fixture.advance(.seconds(4))
    #expect(new.ids.isEmpty)
    await fixture.advance(.seconds(1))
    #expect(new.ids == ["A"])
  }

  @Test func `making mail due is repeated if the store refuses`() async throws {
    let outbox = CountingOutbox()
    let fixture = DispatcherFixture([old], options: options(), outbox: outbox)
    try await fixture.add("A", lane: .normal)
    await fixture.advance()
    fixture.reroute([new])
    await fixture.dispatcher.adopt(options(), routeHasChanged: true)
    outbox.refuse(1)
    await fixture.advance()
    #expect(new.ids.isEmpty)
    await fixture.advance()
    #expect(new.ids == ["A"])
  }

  @Test func `mail made due in several batches is reported once`() async throws {
    let fixture = DispatcherFixture([old], options: options())
    for number in 0..<2_001 {
      let entry = try await fixture.add("A\(number)", lane: .bulk)
      let owner = fixture.dispatcher.owner
      let claimed = try await fixture.outbox.claim(
        OutboxClaim(.init(owner: owner, until: fixture.clock.second(60)), now: fixture.clock.now, limit: 1))
      #expect(claimed.first?.id == entry.id)
      _ = try await fixture.outbox.settle(
        claimed.map {
          OutboxSettlement(
            $0, .retry(due: fixture.clock.second(60), content: nil), outcome: "deferred",
            now: fixture.clock.now)
        })
    }
    await fixture.dispatcher.adopt(options(), routeHasChanged: true)
    #expect(await fixture.dispatcher.expediteRerouted())
    #expect(await !fixture.dispatcher.expediteRerouted())
    #expect(expedited(fixture) == [2_001])
  }

  // MARK: State

  @Test func `batches are counted until one is not full`() {
    var change = RouteChange()
    #expect(!change.isExpediting)
    change.begin()
    #expect(change.generation == 1)
    #expect(change.recordBatch(of: RouteChange.batchSize, begunIn: 1) == nil)
    #expect(change.isExpediting)
    #expect(change.recordBatch(of: 1, begunIn: 1) == RouteChange.batchSize + 1)
    #expect(!change.isExpediting)
  }

  @Test func `a batch that a further change overtook is not the last`() {
    var change = RouteChange()
    change.begin()
    change.begin()
    #expect(change.recordBatch(of: 2, begunIn: 1) == nil)
    #expect(change.recordBatch(of: 1, begunIn: 2) == 3)
  }
}
