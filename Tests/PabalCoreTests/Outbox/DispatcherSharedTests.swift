import PabalTesting
import Testing

@testable import PabalCore

/// What several processes on one outbox know and spend together.
@Suite struct DispatcherSharedTests {
  private func pacedRules() -> DispatcherRules {
    var rules = DispatcherRules()
    // One send at once, and then one every twelve seconds.
    rules.paces = ["gmail": Pace(sends: 6, per: .seconds(60))]
    return rules
  }

  private func paces(_ bench: DispatcherBench) -> [String] {
    bench.events.compactMap { event in
      guard case .paced(let id, let name, let until, let isPutBack) = event else { return nil }
      let wait = (until - bench.clock.second(0)).components
      let seconds = Double(wait.seconds) + Double(wait.attoseconds) / 1e18
      return "\(id) by \(name) at \(seconds)\(isPutBack ? ", put back" : "")"
    }
  }

  private func holds(_ bench: DispatcherBench) -> [String] {
    bench.events.compactMap { event in
      switch event {
      case .held(let name, let cause): "held \(name): \(cause ?? "")"
      case .restored(let name): "restored \(name)"
      default: nil
      }
    }
  }

  @Test func `every process tells once of a hold that another one met`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.transport), .sent], reply: "535 5.7.8 no")
    let bench = DispatcherBench([smtp])
    let other = DispatcherBench([smtp], outbox: bench.outbox, clock: bench.clock)
    await other.pass()
    try await bench.add("A")
    await bench.pass()
    await other.pass(.seconds(1))
    await other.pass(.seconds(1))
    #expect(holds(other) == ["held smtp: 535 5.7.8 no"])
    await bench.pass(.seconds(300))
    await bench.pass(.seconds(1))
    await other.pass(.seconds(1))
    #expect(holds(other) == ["held smtp: 535 5.7.8 no", "restored smtp"])
    #expect(holds(bench) == holds(other))
  }

  @Test func `two processes never spend the same send`() async throws {
    let gmail = ScriptedTransport("gmail")
    let bench = DispatcherBench([gmail], rules: pacedRules())
    let other = DispatcherBench([gmail], rules: pacedRules(), outbox: bench.outbox, clock: bench.clock)
    await bench.pass()
    await other.pass()
    try await bench.add("A")
    await bench.pass()
    try await bench.add("B")
    // It doesn't know yet that the send is spent.
    await other.pass()
    #expect(gmail.ids == ["A"])
    #expect(try await bench.entry("B")?.state == .waiting)
    #expect(try await bench.entry("B")?.attempts == 0)
    await other.pass(.seconds(12.1))
    #expect(gmail.ids == ["A", "B"])
  }

  @Test func `one mail alone keeps to the pace, too, and is left waiting`() async throws {
    let gmail = ScriptedTransport("gmail")
    let bench = DispatcherBench([gmail], rules: pacedRules())
    let other = DispatcherBench([gmail], rules: pacedRules(), outbox: bench.outbox, clock: bench.clock)
    try await bench.add("A")
    try await bench.add("B")
    _ = try await bench.dispatcher.deliver("A")
    #expect(try await other.dispatcher.deliver("B")?.state == .waiting)
    #expect(gmail.ids == ["A"])
    #expect(paces(other) == ["B by gmail at 12.001, put back"])
  }

  @Test func `one mail alone says until when it waits for the pace`() async throws {
    let gmail = ScriptedTransport("gmail")
    var rules = pacedRules()
    rules.deliverWait = .seconds(20)
    let bench = DispatcherBench([gmail], rules: rules)
    try await bench.add("A")
    try await bench.add("B")
    _ = try await bench.dispatcher.deliver("A")
    let delivery = Task { try await bench.dispatcher.deliver("B") }
    while paces(bench).isEmpty || bench.clock.sleepers < 2 { await Task.yield() }
    #expect(paces(bench) == ["B by gmail at 12.001"])
    bench.clock.advance(.seconds(12.1))
    #expect(try await delivery.value?.state == .sent)
  }

  @Test func `a mail whose time ends before the next send gives its place back`() async throws {
    let gmail = ScriptedTransport("gmail")
    let bench = DispatcherBench([gmail], rules: pacedRules())
    try await bench.add("A")
    try await bench.add("B", life: .seconds(5))
    _ = try await bench.dispatcher.deliver("A")
    #expect(try await bench.dispatcher.deliver("B")?.state == .waiting)
    await bench.pass(.seconds(5))
    #expect(try await bench.entry("B")?.state == .expired)
  }

  @Test func `recipients that are put off don't close the transport to others`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()], reply: "450 4.2.0 greylisted")
    let bench = DispatcherBench([smtp])
    for number in 0..<6 {
      try await bench.add("A\(number)", lane: .normal)
      await bench.pass()
    }
    #expect(smtp.ids.count == 6)
    smtp.answer(.deferred(), reply: "421 4.7.0 too many connections")
    for number in 0..<6 {
      try await bench.add("B\(number)", lane: .normal)
      await bench.pass()
    }
    #expect(smtp.ids.count == 11)
  }

  @Test func `one mail alone ends where the store never takes down how it ended`() async throws {
    let smtp = ScriptedTransport("smtp")
    let outbox = CountingOutbox()
    let bench = DispatcherBench([smtp], outbox: outbox)
    try await bench.add("A")
    smtp.shut()
    let delivery = Task { () -> StorageProblem? in
      do throws(StorageProblem) {
        _ = try await bench.dispatcher.deliver("A")
        return nil
      } catch { return error }
    }
    await smtp.given(1)
    outbox.refuse(1_000)
    smtp.open()
    for _ in 1..<DispatcherRules().maxSettlementTries {
      while bench.clock.sleepers < 2 { await Task.yield() }
      bench.clock.advance(.seconds(1))
    }
    #expect(await delivery.value?.kind == .full)
    #expect(bench.events.contains { if case .unsettled("A", _) = $0 { true } else { false } })
  }

  // MARK: The clock is set back

  @Test func `after the clock is set back a pace leaves sends again within its time`() async throws {
    let gmail = ScriptedTransport("gmail")
    let bench = DispatcherBench([gmail], rules: pacedRules())
    try await bench.add("A")
    await bench.pass()
    bench.clock.advance(.seconds(-86_400))
    try await bench.add("B")
    await bench.pass()
    await bench.pass(.seconds(61))
    #expect(gmail.ids == ["A", "B"])
  }

  @Test func `after the clock is set back a transport stays closed for no longer than it was to be`()
    async throws
  {
    let smtp = ScriptedTransport("smtp", [.held(.transport), .sent])
    let bench = DispatcherBench([smtp])
    try await bench.add("A")
    await bench.pass()
    bench.clock.advance(.seconds(-86_400))
    try await bench.add("B")
    await bench.pass()
    #expect(smtp.ids == ["A"])
    await bench.pass(.seconds(61))
    #expect(smtp.ids.count == 2)
  }

  @Test func `after the clock is set back a mail waits no longer than the longest wait`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred(), .sent])
    let bench = DispatcherBench([smtp])
    try await bench.add("A")
    await bench.pass()
    bench.clock.advance(.seconds(-86_400))
    await bench.pass()
    await bench.pass(.seconds(361))
    #expect(try await bench.entry("A")?.state == .sent)
  }

  // MARK: Counting

  @Test func `holds use up neither a code's retries nor its unknown ends`() async throws {
    let smtp = ScriptedTransport(
      "smtp", Array(repeating: .held(.mail), count: 6) + [.unknown, .deferred(), .sent])
    let bench = DispatcherBench([smtp])
    try await bench.add("A")
    await bench.pass()
    for _ in 0..<6 { await bench.pass(.seconds(3_601)) }
    #expect(try await bench.entry("A")?.unknowns == 1)
    #expect(try await bench.entry("A")?.state == .waiting)
    await bench.pass(.seconds(6))
    #expect(try await bench.entry("A")?.failures == 2)
    await bench.pass(.seconds(16))
    #expect(try await bench.entry("A")?.state == .sent)
  }
}
