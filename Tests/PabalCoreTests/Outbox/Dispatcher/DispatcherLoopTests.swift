import PabalTesting
import Testing

@testable import PabalCore

/// The dispatcher's loop: waking, finishing, leases, immediate and interactive deliveries.
@Suite struct DispatcherLoopTests {
  @Test func `a mail added in this process wakes the loop`() async throws {
    let smtp = ScriptedTransport("smtp")
    let fixture = DispatcherFixture([smtp])
    let loop = Task { await fixture.dispatcher.run() }
    try await fixture.add("A")
    fixture.dispatcher.wake()
    await smtp.received(1)
    await fixture.dispatcher.finish()
    await loop.value
    #expect(try await fixture.entry("A")?.state == .sent)
  }

  @Test func `finishing waits for the mail in flight and starts no other`() async throws {
    var options = DispatcherOptions()
    options.maxConcurrentAttempts = 1
    let smtp = ScriptedTransport("smtp")
    let fixture = DispatcherFixture([smtp], options: options)
    smtp.shut()
    try await fixture.add("A")
    try await fixture.add("B")
    let loop = Task { await fixture.dispatcher.run() }
    await smtp.received(1)
    let finishing = Task { await fixture.dispatcher.finish() }
    while await !fixture.dispatcher.isFinishing { await Task.yield() }
    smtp.open()
    await finishing.value
    await loop.value
    #expect(smtp.ids == ["A"])
    #expect(try await fixture.entry("A")?.state == .sent)
    #expect(try await fixture.entry("B")?.state == .waiting)
  }

  @Test func `a mail added with a lease starts without another commit`() async throws {
    let smtp = ScriptedTransport("smtp")
    let outbox = CountingOutbox()
    let fixture = DispatcherFixture([smtp], outbox: outbox)
    _ = await fixture.dispatcher.round()
    smtp.shut()
    let lease = try #require(await fixture.dispatcher.reserve(.code, unknown: .resend))
    let mail = try Mail.sample(id: "A")
    let entry = OutboxEntry(
      id: "A", lane: .code, created: fixture.clock.now,
      content: PlainSealing().seal(OutboxContent(mail).bytes, id: "A")
    ).claimed(by: lease)
    try await outbox.add([entry])
    let before = outbox.calls
    await fixture.dispatcher.handOver(entry, mail)
    await smtp.received(1)
    #expect(outbox.calls == before)
    smtp.open()
    await fixture.dispatcher.drain()
    #expect(try await fixture.entry("A")?.state == .sent)
  }

  @Test func `reserve refuses mail that must not be sent twice, and all mail when every slot is taken`()
    async throws
  {
    var options = DispatcherOptions()
    options.maxConcurrentAttempts = 2
    let fixture = DispatcherFixture([ScriptedTransport("smtp")], options: options)
    #expect(await fixture.dispatcher.reserve(.code, unknown: .resend) == nil)
    _ = await fixture.dispatcher.round()
    #expect(await fixture.dispatcher.reserve(.code, unknown: .keep) == nil)
    #expect(await fixture.dispatcher.reserve(.bulk, unknown: .resend) != nil)
    #expect(await fixture.dispatcher.reserve(.bulk, unknown: .resend) == nil)
    #expect(await fixture.dispatcher.reserve(.code, unknown: .resend) != nil)
    #expect(await fixture.dispatcher.reserve(.code, unknown: .resend) == nil)
    await fixture.dispatcher.release()
    #expect(await fixture.dispatcher.reserve(.code, unknown: .resend) != nil)
  }

  @Test func `an interactive delivery is attempted through a closed transport`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()], reply: "451 4.3.0 later")
    let fixture = DispatcherFixture([smtp])
    let state: @Sendable (inout [String: TransportState]) -> Void = {
      (states: inout [String: TransportState]) in
      var closed = TransportState()
      closed.pausedUntil = Timestamp(milliseconds: .max)
      states["smtp"] = closed
    }
    _ = try await fixture.outbox.transports(state)
    try await fixture.add("A")
    try await fixture.add("B")
    let entry = try #require(try await fixture.dispatcher.deliver("A"))
    #expect(entry.state == .waiting)
    #expect(entry.status == "451 4.3.0")
    #expect(smtp.ids == ["A"])
    #expect(try await fixture.dispatcher.deliver("A")?.attempts == 1)
    #expect(try await fixture.dispatcher.deliver("C") == nil)
  }

  @Test func `leases are renewed while a mail is in flight`() async throws {
    let smtp = ScriptedTransport("smtp")
    let fixture = DispatcherFixture([smtp])
    let other = DispatcherFixture([smtp], outbox: fixture.outbox, clock: fixture.clock)
    smtp.shut()
    try await fixture.add("A")
    _ = await fixture.dispatcher.round()
    await smtp.received(1)
    for _ in 0..<10 {
      while fixture.clock.sleepers == 0 { await Task.yield() }
      fixture.clock.advance(.seconds(20))
      while fixture.clock.sleepers == 0 { await Task.yield() }
      _ = await other.dispatcher.round()
    }
    smtp.open()
    await fixture.dispatcher.drain()
    #expect(smtp.ids == ["A"])
    #expect(try await fixture.entry("A")?.state == .sent)
    #expect(try await fixture.entry("A")?.attempts == 1)
  }

  @Test func `another process sends the mail of a dead one, whose late answer changes nothing`() async throws
  {
    let (dead, alive) = (ScriptedTransport("smtp"), ScriptedTransport("smtp"))
    let fixture = DispatcherFixture([dead])
    let other = DispatcherFixture([alive], outbox: fixture.outbox)
    dead.shut()
    try await fixture.add("A")
    _ = await fixture.dispatcher.round()
    await dead.received(1)
    // Only the other fixture's clock moves, so the first process does not renew its lease.
    await other.advance(.seconds(61))
    #expect(alive.ids == ["A"])
    #expect(try await fixture.entry("A")?.state == .sent)
    dead.answer(.rejected)
    dead.open()
    await fixture.dispatcher.drain()
    #expect(fixture.events.contains { if case .lost("A") = $0 { true } else { false } })
  }

  @Test func `a code that waits for half a minute is reported once`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.transport)])
    let fixture = DispatcherFixture([smtp])
    try await fixture.add("A")
    func reportCount() -> Int {
      fixture.events.filter { if case .codesDelayed = $0 { true } else { false } }.count
    }
    await fixture.advance()
    await fixture.advance(.seconds(29))
    #expect(reportCount() == 0)
    await fixture.advance(.seconds(1))
    await fixture.advance(.seconds(1))
    #expect(reportCount() == 1)
    smtp.answer(.sent)
    await fixture.advance(.seconds(60))
    try await fixture.add("B")
    await fixture.advance(.seconds(1))
    smtp.answer(.held(.transport))
    try await fixture.add("C")
    await fixture.advance()
    await fixture.advance(.seconds(31))
    #expect(reportCount() == 2)
  }
}
