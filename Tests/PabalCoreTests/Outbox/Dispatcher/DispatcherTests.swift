import PabalTesting
import Testing

@testable import PabalCore

/// The way of one mail through the outbox, attempt by attempt.
@Suite struct DispatcherTests {
  @Test func `an accepted mail becomes sent and its content is erased`() async throws {
    let smtp = ScriptedTransport("smtp", [.sent], reply: "250 2.0.0 OK for bob@example.org")
    let fixture = DispatcherFixture([smtp])
    try await fixture.add("A")
    await fixture.advance()
    let entry = try #require(try await fixture.entry("A"))
    #expect(entry.state == .sent)
    #expect(entry.transport == "smtp")
    #expect(entry.outcome == "sent")
    #expect(entry.status == "250 2.0.0")
    #expect(entry.content == nil)
    await fixture.advance(.seconds(3_600))
    #expect(smtp.ids == ["A"])
  }

  @Test func `a deferred mail takes the next transport at once`() async throws {
    let (first, second) = (ScriptedTransport("a", [.deferred()]), ScriptedTransport("b"))
    let fixture = DispatcherFixture([first, second])
    try await fixture.add("A")
    await fixture.advance()
    #expect(first.ids == ["A"])
    #expect(second.ids == ["A"])
    #expect(try await fixture.entry("A")?.state == .sent)
  }

  @Test func `a rejected mail does not take the next transport`() async throws {
    let (first, second) = (ScriptedTransport("a", [.rejected], reply: "550 5.1.1 no"), ScriptedTransport("b"))
    let fixture = DispatcherFixture([first, second])
    try await fixture.add("A")
    await fixture.advance()
    #expect(second.ids.isEmpty)
    #expect(try await fixture.entry("A")?.state == .rejected)
    #expect(try await fixture.entry("A")?.status == "550 5.1.1")
  }

  @Test func `a retry carries only the undecided recipients`() async throws {
    let smtp = ScriptedTransport("smtp", [.sent])
    smtp.answer(.deferred(), for: "two@example.org")
    let fixture = DispatcherFixture([smtp])
    try await fixture.add("A", to: ["one@example.org", "two@example.org", "three@example.org"])
    await fixture.advance()
    #expect(try await fixture.entry("A")?.state == .waiting)
    #expect(try await fixture.entry("A")?.outcome == "deferred")
    smtp.answer(.sent, for: "two@example.org")
    await fixture.advance(.seconds(6))
    #expect(smtp.received.last?.envelope.recipients.map(\.description) == ["two@example.org"])
    #expect(try await fixture.entry("A")?.state == .sent)
  }

  @Test func `one rejected recipient among sent ones makes the mail rejected`() async throws {
    let smtp = ScriptedTransport("smtp", [.sent])
    smtp.answer(.rejected, for: "two@example.org")
    let fixture = DispatcherFixture([smtp])
    try await fixture.add("A", to: ["one@example.org", "two@example.org"])
    await fixture.advance()
    #expect(try await fixture.entry("A")?.state == .rejected)
  }

  @Test func `a code is tried six times with growing waits and then expires`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()])
    var options = DispatcherOptions()
    options.breakerThreshold = .max
    let fixture = DispatcherFixture([smtp], options: options)
    try await fixture.add("A")
    for (wait, attempts) in [
      (0.0, 1), (4.9, 1), (0.1, 2), (14.9, 2), (0.1, 3), (45, 4), (135, 5), (299, 5), (1, 6),
    ] {
      await fixture.advance(.seconds(wait))
      #expect(smtp.ids.count == attempts)
    }
    #expect(try await fixture.entry("A")?.state == .expired)
  }

  @Test func `other mail is tried for five days`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()])
    var options = DispatcherOptions()
    options.breakerThreshold = .max
    let fixture = DispatcherFixture([smtp], options: options)
    try await fixture.add("A", lane: .normal)
    for _ in 0..<(5 * 24) { await fixture.advance(.seconds(3_600)) }
    #expect(try await fixture.entry("A")?.state == .waiting)
    for _ in 0..<3 { await fixture.advance(.seconds(3_600)) }
    #expect(try await fixture.entry("A")?.state == .expired)
    #expect((50...70).contains(smtp.ids.count))
  }

  @Test func `an expired mail is not attempted, not even through the next transport`() async throws {
    let (first, second) = (ScriptedTransport("a", [.deferred()]), ScriptedTransport("b"))
    let fixture = DispatcherFixture([first, second])
    try await fixture.add("A", life: .seconds(10))
    first.shut()
    await fixture.dispatcher.signalWork()
    _ = await fixture.dispatcher.round()
    await first.received(1)
    fixture.clock.advance(.seconds(10))
    first.open()
    await fixture.dispatcher.drain()
    #expect(second.ids.isEmpty)
    #expect(try await fixture.entry("A")?.state == .expired)
    try await fixture.add("B", life: .zero)
    await fixture.advance()
    #expect(first.ids == ["A"])
    #expect(try await fixture.entry("B")?.state == .expired)
  }

  @Test func `after an unknown outcome the policy decides, with three attempts at most`() async throws {
    let smtp = ScriptedTransport("smtp", [.unknown])
    let fixture = DispatcherFixture([smtp])
    try await fixture.add("KEEP", unknown: .keep)
    try await fixture.add("RESEND", unknown: .resend)
    await fixture.advance()
    #expect(try await fixture.entry("KEEP")?.state == .unknown)
    #expect(try await fixture.entry("RESEND")?.state == .waiting)
    await fixture.advance(.seconds(6))
    await fixture.advance(.seconds(16))
    #expect(smtp.ids.filter { $0 == "RESEND" }.count == 3)
    #expect(try await fixture.entry("RESEND")?.state == .unknown)
  }

  @Test func `a held mail waits without delaying others`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.mail), .sent])
    let fixture = DispatcherFixture([smtp])
    try await fixture.add("A")
    await fixture.advance()
    try await fixture.add("B")
    await fixture.advance()
    #expect(try await fixture.entry("A")?.state == .waiting)
    #expect(try await fixture.entry("A")?.hold == .mail)
    #expect(try await fixture.entry("B")?.state == .sent)
    await fixture.advance(.seconds(301))
    #expect(try await fixture.entry("A")?.state == .sent)
  }

  @Test func `a mail unsuited to the open transports waits for the closed one`() async throws {
    let (first, second) = (ScriptedTransport("a", [.held(.transport)]), ScriptedTransport("b", [.unsuited]))
    let fixture = DispatcherFixture([first, second])
    try await fixture.add("A")
    await fixture.advance()
    try await fixture.add("B")
    await fixture.advance()
    #expect(Set(second.ids) == ["A", "B"])
    #expect(try await fixture.entry("B")?.state == .waiting)
    let alone = ScriptedTransport("c", [.unsuited])
    fixture.reroute([alone])
    await fixture.advance(.seconds(6))
    #expect(try await fixture.entry("B")?.state == .rejected)
    #expect(try await fixture.entry("B")?.outcome == "unsuited")
  }

  @Test func `the outcome of a mail is that of the transport that could carry it`() async throws {
    let (first, second) = (ScriptedTransport("a", [.unsuited]), ScriptedTransport("b", [.rejected]))
    for route in [[first, second], [second], [second, first]] {
      let fixture = DispatcherFixture(route)
      try await fixture.add("A")
      await fixture.advance()
      #expect(try await fixture.entry("A")?.state == .rejected)
      #expect(try await fixture.entry("A")?.outcome == "rejected")
    }
  }

  @Test func `waiting mail takes the new route`() async throws {
    let (old, new) = (ScriptedTransport("old", [.deferred()]), ScriptedTransport("new"))
    let fixture = DispatcherFixture([old])
    try await fixture.add("A")
    await fixture.advance()
    fixture.reroute([new])
    await fixture.advance(.seconds(6))
    #expect(old.ids.count == 1)
    #expect(new.ids == ["A"])
  }

  @Test func `a mail that can't be unsealed waits for its key and is reported`() async throws {
    let smtp = ScriptedTransport("smtp")
    let fixture = DispatcherFixture([smtp])
    try await fixture.outbox.add([
      OutboxEntry(id: "A", lane: .code, created: fixture.clock.now, content: [1, 2])
    ])
    await fixture.advance()
    #expect(smtp.ids.isEmpty)
    #expect(try await fixture.entry("A")?.hold == .mail)
    #expect(try await fixture.entry("A")?.content == [1, 2])
    #expect(fixture.events.contains { if case .unreadable("A") = $0 { true } else { false } })
  }

  @Test func `codes don't wait for other mail`() async throws {
    var options = DispatcherOptions()
    options.maxConcurrentAttempts = 3
    let smtp = ScriptedTransport("smtp")
    let fixture = DispatcherFixture([smtp], options: options)
    smtp.shut()
    for number in 0..<5 { try await fixture.add("BULK\(number)", lane: .bulk) }
    await fixture.dispatcher.signalWork()
    _ = await fixture.dispatcher.round()
    await smtp.received(2)
    try await fixture.add("CODE")
    fixture.clock.advance(.seconds(1))
    _ = await fixture.dispatcher.round()
    await smtp.received(3)
    #expect(smtp.ids.last == "CODE")
    smtp.open()
    await fixture.dispatcher.drain()
    await fixture.advance(.seconds(1))
    #expect(smtp.ids.count >= 5)
  }

  @Test func `a mail superseded in flight is not tried again`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()])
    let fixture = DispatcherFixture([smtp])
    try await fixture.add("OLD", group: "V")
    smtp.shut()
    await fixture.dispatcher.signalWork()
    _ = await fixture.dispatcher.round()
    await smtp.received(1)
    try await fixture.outbox.amend(.supersede(group: "V", newest: "NEW"), now: fixture.clock.now)
    smtp.open()
    await fixture.dispatcher.drain()
    #expect(try await fixture.entry("OLD")?.state == .superseded)
  }
}
