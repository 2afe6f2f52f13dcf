import PabalTesting
import Testing

@testable import PabalCore

/// What several processes share on one outbox: the transports' states and their paces.
@Suite struct DispatcherMultiProcessTests {
  private func pacedOptions() -> DispatcherOptions {
    var options = DispatcherOptions()
    // One send at once, and then one every twelve seconds.
    options.paces = ["gmail": Pace(sends: 6, per: .seconds(60))]
    return options
  }

  private func paces(_ fixture: DispatcherFixture) -> [String] {
    fixture.events.compactMap { event in
      guard case .paced(let id, let name, let until, let isReturned) = event else { return nil }
      let wait = (until - fixture.clock.second(0)).components
      let seconds = Double(wait.seconds) + Double(wait.attoseconds) / 1e18
      return "\(id) by \(name) at \(seconds)\(isReturned ? ", returned" : "")"
    }
  }

  private func holds(_ fixture: DispatcherFixture) -> [String] {
    fixture.events.compactMap { event in
      switch event {
      case .held(let name, let cause): "held \(name): \(cause ?? "")"
      case .restored(let name): "restored \(name)"
      default: nil
      }
    }
  }

  @Test func `every process reports a hold found by another one once`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.transport), .sent], reply: "535 5.7.8 no")
    let fixture = DispatcherFixture([smtp])
    let other = DispatcherFixture([smtp], outbox: fixture.outbox, clock: fixture.clock)
    await other.advance()
    try await fixture.add("A")
    await fixture.advance()
    await other.advance(.seconds(1))
    await other.advance(.seconds(1))
    #expect(holds(other) == ["held smtp: 535 5.7.8 no"])
    await fixture.advance(.seconds(300))
    await fixture.advance(.seconds(1))
    await other.advance(.seconds(1))
    #expect(holds(other) == ["held smtp: 535 5.7.8 no", "restored smtp"])
    #expect(holds(fixture) == holds(other))
  }

  @Test func `two processes never use the same send`() async throws {
    let gmail = ScriptedTransport("gmail")
    let fixture = DispatcherFixture([gmail], options: pacedOptions())
    let other = DispatcherFixture(
      [gmail], options: pacedOptions(), outbox: fixture.outbox, clock: fixture.clock)
    await fixture.advance()
    await other.advance()
    try await fixture.add("A")
    await fixture.advance()
    try await fixture.add("B")
    // The other process does not know yet that the send is used.
    await other.advance()
    #expect(gmail.ids == ["A"])
    #expect(try await fixture.entry("B")?.state == .waiting)
    #expect(try await fixture.entry("B")?.attempts == 0)
    await other.advance(.seconds(12.1))
    #expect(gmail.ids == ["A", "B"])
  }

  @Test func `an interactive delivery keeps to the pace and leaves its mail waiting`() async throws {
    let gmail = ScriptedTransport("gmail")
    let fixture = DispatcherFixture([gmail], options: pacedOptions())
    let other = DispatcherFixture(
      [gmail], options: pacedOptions(), outbox: fixture.outbox, clock: fixture.clock)
    try await fixture.add("A")
    try await fixture.add("B")
    _ = try await fixture.dispatcher.deliver("A")
    #expect(try await other.dispatcher.deliver("B")?.state == .waiting)
    #expect(gmail.ids == ["A"])
    #expect(paces(other) == ["B by gmail at 12.001, returned"])
  }

  @Test func `an interactive delivery reports until when it waits for the pace`() async throws {
    let gmail = ScriptedTransport("gmail")
    var options = pacedOptions()
    options.interactivePaceWaitLimit = .seconds(20)
    let fixture = DispatcherFixture([gmail], options: options)
    try await fixture.add("A")
    try await fixture.add("B")
    _ = try await fixture.dispatcher.deliver("A")
    let delivery = Task { try await fixture.dispatcher.deliver("B") }
    while paces(fixture).isEmpty || fixture.clock.sleepers < 2 { await Task.yield() }
    #expect(paces(fixture) == ["B by gmail at 12.001"])
    fixture.clock.advance(.seconds(12.1))
    #expect(try await delivery.value?.state == .sent)
  }

  @Test func `a mail that expires before the next send returns to the queue`() async throws {
    let gmail = ScriptedTransport("gmail")
    let fixture = DispatcherFixture([gmail], options: pacedOptions())
    try await fixture.add("A")
    try await fixture.add("B", life: .seconds(5))
    _ = try await fixture.dispatcher.deliver("A")
    #expect(try await fixture.dispatcher.deliver("B")?.state == .waiting)
    await fixture.advance(.seconds(5))
    #expect(try await fixture.entry("B")?.state == .expired)
  }

  @Test func `deferred recipients don't suspend the transport`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()], reply: "450 4.2.0 greylisted")
    let fixture = DispatcherFixture([smtp])
    for number in 0..<6 {
      try await fixture.add("A\(number)", lane: .normal)
      await fixture.advance()
    }
    #expect(smtp.ids.count == 6)
    smtp.answer(.deferred(), reply: "421 4.7.0 too many connections")
    for number in 0..<6 {
      try await fixture.add("B\(number)", lane: .normal)
      await fixture.advance()
    }
    #expect(smtp.ids.count == 11)
  }

  @Test func `an interactive delivery gives up if its settlement can't be stored`() async throws {
    let smtp = ScriptedTransport("smtp")
    let outbox = CountingOutbox()
    let fixture = DispatcherFixture([smtp], outbox: outbox)
    try await fixture.add("A")
    smtp.shut()
    let delivery = Task { () -> StorageError? in
      do throws(StorageError) {
        _ = try await fixture.dispatcher.deliver("A")
        return nil
      } catch { return error }
    }
    await smtp.received(1)
    outbox.refuse(1_000)
    smtp.open()
    for _ in 1..<DispatcherOptions().maxSettlementTries {
      while fixture.clock.sleepers < 2 { await Task.yield() }
      fixture.clock.advance(.seconds(1))
    }
    #expect(await delivery.value?.kind == .full)
    #expect(fixture.events.contains { if case .unsettled("A", _) = $0 { true } else { false } })
  }

  // MARK: A clock set back

  @Test func `after the clock is set back a pace frees sends within its period`() async throws {
    let gmail = ScriptedTransport("gmail")
    let fixture = DispatcherFixture([gmail], options: pacedOptions())
    try await fixture.add("A")
    await fixture.advance()
    fixture.clock.advance(.seconds(-86_400))
    try await fixture.add("B")
    await fixture.advance()
    await fixture.advance(.seconds(61))
    #expect(gmail.ids == ["A", "B"])
  }

  @Test func `after the clock is set back a transport stays closed no longer than before`()
    async throws
  {
    let smtp = ScriptedTransport("smtp", [.held(.transport), .sent])
    let fixture = DispatcherFixture([smtp])
    try await fixture.add("A")
    await fixture.advance()
    fixture.clock.advance(.seconds(-86_400))
    try await fixture.add("B")
    await fixture.advance()
    #expect(smtp.ids == ["A"])
    await fixture.advance(.seconds(61))
    #expect(smtp.ids.count == 2)
  }

  @Test func `after the clock is set back a mail waits no longer than the longest wait`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred(), .sent])
    let fixture = DispatcherFixture([smtp])
    try await fixture.add("A")
    await fixture.advance()
    fixture.clock.advance(.seconds(-86_400))
    await fixture.advance()
    await fixture.advance(.seconds(361))
    #expect(try await fixture.entry("A")?.state == .sent)
  }

  // MARK: Counting

  @Test func `holds count neither as retries of a code nor as unknown outcomes`() async throws {
    let smtp = ScriptedTransport(
      "smtp", Array(repeating: .held(.mail), count: 6) + [.unknown, .deferred(), .sent])
    let fixture = DispatcherFixture([smtp])
    try await fixture.add("A")
    await fixture.advance()
    for _ in 0..<6 { await fixture.advance(.seconds(3_601)) }
    #expect(try await fixture.entry("A")?.unknownAttempts == 1)
    #expect(try await fixture.entry("A")?.state == .waiting)
    await fixture.advance(.seconds(6))
    #expect(try await fixture.entry("A")?.failures == 2)
    await fixture.advance(.seconds(16))
    #expect(try await fixture.entry("A")?.state == .sent)
  }
}
