import PabalTesting
import Testing

@testable import PabalCore

/// The loop itself: waking, finishing, leases, the fast path, one mail alone.
@Suite struct DispatcherLoopTests {
  @Test func `a mail added in this process wakes the loop`() async throws {
    let smtp = ScriptedTransport("smtp")
    let bench = DispatcherBench([smtp])
    let loop = Task { await bench.dispatcher.run() }
    try await bench.add("A")
    bench.dispatcher.wake()
    await smtp.given(1)
    await bench.dispatcher.finish()
    await loop.value
    #expect(try await bench.entry("A")?.state == .sent)
  }

  @Test func `what is under way ends before the loop does, and nothing new begins`() async throws {
    var rules = DispatcherRules()
    rules.maxConcurrentAttempts = 1
    let smtp = ScriptedTransport("smtp")
    let bench = DispatcherBench([smtp], rules: rules)
    smtp.shut()
    try await bench.add("A")
    try await bench.add("B")
    let loop = Task { await bench.dispatcher.run() }
    await smtp.given(1)
    let end = Task { await bench.dispatcher.finish() }
    while await !bench.dispatcher.isFinishing { await Task.yield() }
    smtp.open()
    await end.value
    await loop.value
    #expect(smtp.ids == ["A"])
    #expect(try await bench.entry("A")?.state == .sent)
    #expect(try await bench.entry("B")?.state == .waiting)
  }

  @Test func `a mail that its adder claimed begins without another commit`() async throws {
    let smtp = ScriptedTransport("smtp")
    let outbox = CountingOutbox()
    let bench = DispatcherBench([smtp], outbox: outbox)
    _ = await bench.dispatcher.round()
    smtp.shut()
    let lease = try #require(await bench.dispatcher.reserve(.code, unknown: .resend))
    let mail = try Mail.sample(id: "A")
    let entry = OutboxEntry(
      id: "A", lane: .code, created: bench.clock.now,
      content: PlainSealing().seal(OutboxContent(mail).octets, id: "A")
    ).claimed(by: lease)
    try await outbox.add([entry])
    let before = outbox.calls
    await bench.dispatcher.handOver(entry, mail)
    await smtp.given(1)
    #expect(outbox.calls == before)
    smtp.open()
    await bench.dispatcher.landed()
    #expect(try await bench.entry("A")?.state == .sent)
  }

  @Test func `the fast path is refused to mail that must not be sent twice, and where there is no room`()
    async throws
  {
    var rules = DispatcherRules()
    rules.maxConcurrentAttempts = 2
    let bench = DispatcherBench([ScriptedTransport("smtp")], rules: rules)
    #expect(await bench.dispatcher.reserve(.code, unknown: .resend) == nil)
    _ = await bench.dispatcher.round()
    #expect(await bench.dispatcher.reserve(.code, unknown: .keep) == nil)
    #expect(await bench.dispatcher.reserve(.bulk, unknown: .resend) != nil)
    #expect(await bench.dispatcher.reserve(.bulk, unknown: .resend) == nil)
    #expect(await bench.dispatcher.reserve(.code, unknown: .resend) != nil)
    #expect(await bench.dispatcher.reserve(.code, unknown: .resend) == nil)
    await bench.dispatcher.relinquish()
    #expect(await bench.dispatcher.reserve(.code, unknown: .resend) != nil)
  }

  @Test func `one mail alone is delivered, whatever is known of its transport`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()], reply: "451 4.3.0 later")
    let bench = DispatcherBench([smtp])
    let state: @Sendable (inout [String: TransportState]) -> Void = {
      (states: inout [String: TransportState]) in
      var closed = TransportState()
      closed.closedUntil = Timestamp(milliseconds: .max)
      states["smtp"] = closed
    }
    _ = try await bench.outbox.transports(state)
    try await bench.add("A")
    try await bench.add("B")
    let entry = try #require(try await bench.dispatcher.deliver("A"))
    #expect(entry.state == .waiting)
    #expect(entry.status == "451 4.3.0")
    #expect(smtp.ids == ["A"])
    #expect(try await bench.dispatcher.deliver("A")?.attempts == 1)
    #expect(try await bench.dispatcher.deliver("C") == nil)
  }

  @Test func `leases are extended while a mail is under way`() async throws {
    let smtp = ScriptedTransport("smtp")
    let bench = DispatcherBench([smtp])
    let other = DispatcherBench([smtp], outbox: bench.outbox, clock: bench.clock)
    smtp.shut()
    try await bench.add("A")
    _ = await bench.dispatcher.round()
    await smtp.given(1)
    for _ in 0..<10 {
      while bench.clock.sleepers == 0 { await Task.yield() }
      bench.clock.advance(.seconds(20))
      while bench.clock.sleepers == 0 { await Task.yield() }
      _ = await other.dispatcher.round()
    }
    smtp.open()
    await bench.dispatcher.landed()
    #expect(smtp.ids == ["A"])
    #expect(try await bench.entry("A")?.state == .sent)
    #expect(try await bench.entry("A")?.attempts == 1)
  }

  @Test func `what a dead process held is sent by another, and the late answer changes nothing`() async throws
  {
    let (dead, alive) = (ScriptedTransport("smtp"), ScriptedTransport("smtp"))
    let bench = DispatcherBench([dead])
    let other = DispatcherBench([alive], outbox: bench.outbox)
    dead.shut()
    try await bench.add("A")
    _ = await bench.dispatcher.round()
    await dead.given(1)
    // Only the other one's clock moves: the first one is as good as dead.
    await other.pass(.seconds(61))
    #expect(alive.ids == ["A"])
    #expect(try await bench.entry("A")?.state == .sent)
    dead.answer(.rejected)
    dead.open()
    await bench.dispatcher.landed()
    #expect(bench.events.contains { if case .lost("A") = $0 { true } else { false } })
  }

  @Test func `a code that waits for half a minute is told once`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.transport)])
    let bench = DispatcherBench([smtp])
    try await bench.add("A")
    func told() -> Int { bench.events.filter { if case .codesWait = $0 { true } else { false } }.count }
    await bench.pass()
    await bench.pass(.seconds(29))
    #expect(told() == 0)
    await bench.pass(.seconds(1))
    await bench.pass(.seconds(1))
    #expect(told() == 1)
    smtp.answer(.sent)
    await bench.pass(.seconds(60))
    try await bench.add("B")
    await bench.pass(.seconds(1))
    smtp.answer(.held(.transport))
    try await bench.add("C")
    await bench.pass()
    await bench.pass(.seconds(31))
    #expect(told() == 2)
  }
}
