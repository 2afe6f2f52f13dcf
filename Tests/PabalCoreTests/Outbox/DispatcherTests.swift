import PabalTesting
import Testing

@testable import PabalCore

/// How a mail goes through the outbox, one attempt after the other.
@Suite struct DispatcherTests {
  @Test func `a mail that is taken is sent and its content erased`() async throws {
    let smtp = ScriptedTransport("smtp", [.sent], reply: "250 2.0.0 OK for bob@example.org")
    let bench = DispatcherBench([smtp])
    try await bench.add("A")
    await bench.pass()
    let entry = try #require(try await bench.entry("A"))
    #expect(entry.state == .sent)
    #expect(entry.transport == "smtp")
    #expect(entry.outcome == "sent")
    #expect(entry.status == "250 2.0.0")
    #expect(entry.content == nil)
    await bench.pass(.seconds(3_600))
    #expect(smtp.ids == ["A"])
  }

  @Test func `what is deferred goes to the next transport at once`() async throws {
    let (first, second) = (ScriptedTransport("a", [.deferred()]), ScriptedTransport("b"))
    let bench = DispatcherBench([first, second])
    try await bench.add("A")
    await bench.pass()
    #expect(first.ids == ["A"])
    #expect(second.ids == ["A"])
    #expect(try await bench.entry("A")?.state == .sent)
  }

  @Test func `what is rejected goes nowhere else`() async throws {
    let (first, second) = (ScriptedTransport("a", [.rejected], reply: "550 5.1.1 no"), ScriptedTransport("b"))
    let bench = DispatcherBench([first, second])
    try await bench.add("A")
    await bench.pass()
    #expect(second.ids.isEmpty)
    #expect(try await bench.entry("A")?.state == .rejected)
    #expect(try await bench.entry("A")?.status == "550 5.1.1")
  }

  @Test func `a retry carries only the recipients that nothing is decided for`() async throws {
    let smtp = ScriptedTransport("smtp", [.sent])
    smtp.answer(.deferred(), for: "two@example.org")
    let bench = DispatcherBench([smtp])
    try await bench.add("A", to: ["one@example.org", "two@example.org", "three@example.org"])
    await bench.pass()
    #expect(try await bench.entry("A")?.state == .waiting)
    #expect(try await bench.entry("A")?.outcome == "deferred")
    smtp.answer(.sent, for: "two@example.org")
    await bench.pass(.seconds(6))
    #expect(smtp.given.last?.envelope.recipients.map(\.description) == ["two@example.org"])
    #expect(try await bench.entry("A")?.state == .sent)
  }

  @Test func `one rejected recipient among sent ones makes the mail rejected`() async throws {
    let smtp = ScriptedTransport("smtp", [.sent])
    smtp.answer(.rejected, for: "two@example.org")
    let bench = DispatcherBench([smtp])
    try await bench.add("A", to: ["one@example.org", "two@example.org"])
    await bench.pass()
    #expect(try await bench.entry("A")?.state == .rejected)
  }

  @Test func `a code is tried six times, each wait longer, and then given up`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()])
    var rules = DispatcherRules()
    rules.breakerThreshold = .max
    let bench = DispatcherBench([smtp], rules: rules)
    try await bench.add("A")
    for (wait, attempts) in [
      (0.0, 1), (4.9, 1), (0.1, 2), (14.9, 2), (0.1, 3), (45, 4), (135, 5), (299, 5), (1, 6),
    ] {
      await bench.pass(.seconds(wait))
      #expect(smtp.ids.count == attempts)
    }
    #expect(try await bench.entry("A")?.state == .expired)
  }

  @Test func `other mail is tried for five days`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()])
    var rules = DispatcherRules()
    rules.breakerThreshold = .max
    let bench = DispatcherBench([smtp], rules: rules)
    try await bench.add("A", lane: .normal)
    for _ in 0..<(5 * 24) { await bench.pass(.seconds(3_600)) }
    #expect(try await bench.entry("A")?.state == .waiting)
    for _ in 0..<3 { await bench.pass(.seconds(3_600)) }
    #expect(try await bench.entry("A")?.state == .expired)
    #expect((50...70).contains(smtp.ids.count))
  }

  @Test func `nothing is handed over once its time is over, not to the next transport either`() async throws {
    let (first, second) = (ScriptedTransport("a", [.deferred()]), ScriptedTransport("b"))
    let bench = DispatcherBench([first, second])
    try await bench.add("A", life: .seconds(10))
    first.shut()
    await bench.dispatcher.expectMore()
    _ = await bench.dispatcher.round()
    await first.given(1)
    bench.clock.advance(.seconds(10))
    first.open()
    await bench.dispatcher.landed()
    #expect(second.ids.isEmpty)
    #expect(try await bench.entry("A")?.state == .expired)
    try await bench.add("B", life: .zero)
    await bench.pass()
    #expect(first.ids == ["A"])
    #expect(try await bench.entry("B")?.state == .expired)
  }

  @Test func `an unknown end is tried again by its policy, three times at most`() async throws {
    let smtp = ScriptedTransport("smtp", [.unknown])
    let bench = DispatcherBench([smtp])
    try await bench.add("KEPT", unknown: .keep)
    try await bench.add("AGAIN", unknown: .resend)
    await bench.pass()
    #expect(try await bench.entry("KEPT")?.state == .unknown)
    #expect(try await bench.entry("AGAIN")?.state == .waiting)
    await bench.pass(.seconds(6))
    await bench.pass(.seconds(16))
    #expect(smtp.ids.filter { $0 == "AGAIN" }.count == 3)
    #expect(try await bench.entry("AGAIN")?.state == .unknown)
  }

  @Test func `a mail that is held by itself waits and lets the others go`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.mail), .sent])
    let bench = DispatcherBench([smtp])
    try await bench.add("A")
    await bench.pass()
    try await bench.add("B")
    await bench.pass()
    #expect(try await bench.entry("A")?.state == .waiting)
    #expect(try await bench.entry("A")?.hold == .mail)
    #expect(try await bench.entry("B")?.state == .sent)
    await bench.pass(.seconds(301))
    #expect(try await bench.entry("A")?.state == .sent)
  }

  @Test func `a mail that nobody at hand can carry waits for the one that is left alone`() async throws {
    let (first, second) = (ScriptedTransport("a", [.held(.transport)]), ScriptedTransport("b", [.unsuited]))
    let bench = DispatcherBench([first, second])
    try await bench.add("A")
    await bench.pass()
    try await bench.add("B")
    await bench.pass()
    #expect(Set(second.ids) == ["A", "B"])
    #expect(try await bench.entry("B")?.state == .waiting)
    let alone = ScriptedTransport("c", [.unsuited])
    bench.reroute([alone])
    await bench.pass(.seconds(6))
    #expect(try await bench.entry("B")?.state == .rejected)
    #expect(try await bench.entry("B")?.outcome == "unsuited")
  }

  @Test func `a mail that one could carry is told as what that one said`() async throws {
    let (first, second) = (ScriptedTransport("a", [.unsuited]), ScriptedTransport("b", [.rejected]))
    for route in [[first, second], [second], [second, first]] {
      let bench = DispatcherBench(route)
      try await bench.add("A")
      await bench.pass()
      #expect(try await bench.entry("A")?.state == .rejected)
      #expect(try await bench.entry("A")?.outcome == "rejected")
    }
  }

  @Test func `mail that waits takes the new route`() async throws {
    let (old, new) = (ScriptedTransport("old", [.deferred()]), ScriptedTransport("new"))
    let bench = DispatcherBench([old])
    try await bench.add("A")
    await bench.pass()
    bench.reroute([new])
    await bench.pass(.seconds(6))
    #expect(old.ids.count == 1)
    #expect(new.ids == ["A"])
  }

  @Test func `content that can't be unsealed waits for its key and says so`() async throws {
    let smtp = ScriptedTransport("smtp")
    let bench = DispatcherBench([smtp])
    try await bench.outbox.add([OutboxEntry(id: "A", lane: .code, created: bench.clock.now, content: [1, 2])])
    await bench.pass()
    #expect(smtp.ids.isEmpty)
    #expect(try await bench.entry("A")?.hold == .mail)
    #expect(try await bench.entry("A")?.content == [1, 2])
    #expect(bench.events.contains { if case .unreadable("A") = $0 { true } else { false } })
  }

  @Test func `codes are not kept waiting by other mail`() async throws {
    var rules = DispatcherRules()
    rules.maxConcurrentAttempts = 3
    let smtp = ScriptedTransport("smtp")
    let bench = DispatcherBench([smtp], rules: rules)
    smtp.shut()
    for number in 0..<5 { try await bench.add("BULK\(number)", lane: .bulk) }
    await bench.dispatcher.expectMore()
    _ = await bench.dispatcher.round()
    await smtp.given(2)
    try await bench.add("CODE")
    bench.clock.advance(.seconds(1))
    _ = await bench.dispatcher.round()
    await smtp.given(3)
    #expect(smtp.ids.last == "CODE")
    smtp.open()
    await bench.dispatcher.landed()
    await bench.pass(.seconds(1))
    #expect(smtp.ids.count >= 5)
  }

  @Test func `a superseded mail that is under way is not tried again`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()])
    let bench = DispatcherBench([smtp])
    try await bench.add("OLD", group: "V")
    smtp.shut()
    await bench.dispatcher.expectMore()
    _ = await bench.dispatcher.round()
    await smtp.given(1)
    try await bench.outbox.amend(.supersede(group: "V", newest: "NEW"), now: bench.clock.now)
    smtp.open()
    await bench.dispatcher.landed()
    #expect(try await bench.entry("OLD")?.state == .superseded)
  }
}
