import PabalTesting
import Testing

@testable import PabalCore

/// What becomes of mail that waits when an edit changes the route, or lets a closed transport be tried.
@Suite struct DispatcherRouteTests {
  private let old = ScriptedTransport("old", [.deferred()])
  private let new = ScriptedTransport("new")

  private func rules() -> DispatcherRules {
    var rules = DispatcherRules()
    rules.breakerThreshold = .max
    return rules
  }

  private func hastened(_ bench: DispatcherBench) -> [Int] {
    bench.events.compactMap { if case .hastened(let count) = $0 { count } else { nil } }
  }

  @Test func `mail that waits for its next try takes the new route at once`() async throws {
    let bench = DispatcherBench([old], rules: rules())
    for id in ["A", "B"] { try await bench.add(id, lane: .normal) }
    await bench.pass()
    bench.reroute([new])
    await bench.dispatcher.adopt(rules(), routeHasChanged: true)
    await bench.pass()
    #expect(Set(new.ids) == ["A", "B"])
    #expect(old.ids.count == 2)
    #expect(hastened(bench) == [2])
    await bench.pass(.seconds(1))
    #expect(hastened(bench) == [2])
  }

  @Test func `an edit that leaves the route as it is leaves waiting mail as it is, too`() async throws {
    let bench = DispatcherBench([old], rules: rules())
    try await bench.add("A")
    await bench.pass()
    old.answer(.sent)
    await bench.dispatcher.adopt(rules())
    await bench.pass(.seconds(4))
    #expect(old.ids.count == 1)
    await bench.pass(.seconds(1))
    #expect(old.ids.count == 2)
  }

  @Test func `mail of a transport whose breaker an edit lifts is due, and one of it tries`() async throws {
    var rules = DispatcherRules()
    rules.breakerThreshold = 3
    let bench = DispatcherBench([old], rules: rules)
    for number in 0..<6 { try await bench.add("A\(number)", lane: .normal) }
    await bench.pass()
    let tried = old.ids.count
    #expect(tried >= 3)
    await bench.dispatcher.adopt(rules)
    await bench.pass()
    // Nothing was mended: the others wait for the breaker, and are due.
    #expect(old.ids.count == tried + 1)
    #expect(hastened(bench).count == 1)
    old.answer(.sent)
    await bench.dispatcher.adopt(rules)
    for _ in 0..<3 { await bench.pass() }
    #expect(try await bench.outbox.look(OutboxQuery(withCounts: true)).counts == [.sent: 6])
  }

  @Test func `new routes that fail, too, bring nobody's end nearer`() async throws {
    let bench = DispatcherBench([old], rules: rules())
    try await bench.add("A", life: .seconds(600))
    await bench.pass()
    for wait in [5.0, 15, 45, 135] { await bench.pass(.seconds(wait)) }
    #expect(old.ids.count == 5)
    // The next one would be the last, a wait after it would go past the code's time.
    await bench.pass(.seconds(150))
    for _ in 0..<8 {
      await bench.dispatcher.adopt(rules(), routeHasChanged: true)
      await bench.pass()
    }
    #expect(old.ids.count == 13)
    #expect(try await bench.entry("A")?.state == .waiting)
    bench.reroute([new])
    await bench.dispatcher.adopt(rules(), routeHasChanged: true)
    await bench.pass()
    #expect(try await bench.entry("A")?.state == .sent)
  }

  @Test func `what was under way by the old route when it changed takes the new one next, at once`()
    async throws
  {
    let bench = DispatcherBench([old], rules: rules())
    try await bench.add("A", lane: .normal)
    old.shut()
    await bench.dispatcher.expectMore()
    _ = await bench.dispatcher.round()
    await old.given(1)
    bench.reroute([new])
    await bench.dispatcher.adopt(rules(), routeHasChanged: true)
    _ = await bench.dispatcher.round()
    old.open()
    await bench.dispatcher.landed()
    #expect(try await bench.entry("A")?.failures == 0)
    await bench.pass()
    #expect(new.ids == ["A"])
  }

  @Test func `a last attempt that the old route failed is followed by one through the new`() async throws {
    let bench = DispatcherBench([old], rules: rules())
    try await bench.add("A")
    await bench.pass()
    for wait in [5.0, 15, 45, 135] { await bench.pass(.seconds(wait)) }
    old.shut()
    bench.clock.advance(.seconds(300))
    await bench.dispatcher.expectMore()
    _ = await bench.dispatcher.round()
    await old.given(6)
    bench.reroute([new])
    await bench.dispatcher.adopt(rules(), routeHasChanged: true)
    old.open()
    await bench.dispatcher.landed()
    await bench.pass()
    #expect(try await bench.entry("A")?.state == .sent)
  }

  @Test func `what ended unknown is not sent again the sooner`() async throws {
    let lossy = ScriptedTransport("lossy", [.unknown])
    let bench = DispatcherBench([lossy], rules: rules())
    try await bench.add("A")
    await bench.pass()
    bench.reroute([new])
    await bench.dispatcher.adopt(rules(), routeHasChanged: true)
    await bench.pass(.seconds(4))
    #expect(new.ids.isEmpty)
    await bench.pass(.seconds(1))
    #expect(new.ids == ["A"])
  }

  @Test func `a store that refuses is asked again until the mail is due`() async throws {
    let outbox = CountingOutbox()
    let bench = DispatcherBench([old], rules: rules(), outbox: outbox)
    try await bench.add("A", lane: .normal)
    await bench.pass()
    bench.reroute([new])
    await bench.dispatcher.adopt(rules(), routeHasChanged: true)
    outbox.refuse(1)
    await bench.pass()
    #expect(new.ids.isEmpty)
    await bench.pass()
    #expect(new.ids == ["A"])
  }

  @Test func `more mail than is made due at once is all made due, and told of once`() async throws {
    let bench = DispatcherBench([old], rules: rules())
    for number in 0..<2_001 {
      let entry = try await bench.add("A\(number)", lane: .bulk)
      let lease = bench.dispatcher.owner
      let claimed = try await bench.outbox.claim(
        OutboxClaim(.init(owner: lease, until: bench.clock.second(60)), now: bench.clock.now, limit: 1))
      #expect(claimed.first?.id == entry.id)
      _ = try await bench.outbox.settle(
        claimed.map {
          OutboxSettlement(
            $0, .retry(due: bench.clock.second(60), content: nil), outcome: "deferred", now: bench.clock.now)
        })
    }
    await bench.dispatcher.adopt(rules(), routeHasChanged: true)
    #expect(await bench.dispatcher.hasten())
    #expect(await !bench.dispatcher.hasten())
    #expect(hastened(bench) == [2_001])
  }
}
