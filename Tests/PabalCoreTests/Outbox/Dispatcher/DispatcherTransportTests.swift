import PabalTesting
import Testing

@testable import PabalCore

/// Transports that are suspended, and transports with a pace.
@Suite struct DispatcherTransportTests {
  private func holds(_ fixture: DispatcherFixture) -> [String] {
    fixture.events.compactMap { event in
      switch event {
      case .held(let name, let cause): "held \(name): \(cause ?? "")"
      case .restored(let name): "restored \(name)"
      default: nil
      }
    }
  }

  @Test func `a held transport is suspended with its cause, and its mail takes the next one`() async throws {
    let (first, second) = (
      ScriptedTransport("a", [.held(.transport)], reply: "535 5.7.8 wrong password"), ScriptedTransport("b")
    )
    let fixture = DispatcherFixture([first, second])
    for id in ["A", "B", "C"] {
      try await fixture.add(id)
      await fixture.advance()
    }
    #expect(first.ids == ["A"])
    #expect(second.ids == ["A", "B", "C"])
    #expect(holds(fixture) == ["held a: 535 5.7.8 wrong password"])
    let states = try await fixture.outbox.transports { _ in }
    let cause = try #require(states["a"]?.cause)
    #expect(
      try PlainSealing().open(cause, id: TransportState.sealID("a")) == Array("535 5.7.8 wrong password".utf8)
    )
  }

  @Test func `mail of a held transport records the hold and leaves when the transport works again`()
    async throws
  {
    let smtp = ScriptedTransport("smtp", [.held(.transport)], reply: "535 5.7.8 no")
    let fixture = DispatcherFixture([smtp])
    try await fixture.add("A")
    try await fixture.add("B")
    await fixture.advance()
    let tried = smtp.ids.count
    await fixture.advance(.seconds(30))
    #expect(smtp.ids.count == tried)
    #expect(try await fixture.entry("A")?.hold == .transport)
    #expect(try await fixture.entry("A")?.state == .waiting)
    smtp.answer(.sent)
    await fixture.advance(.seconds(300))
    await fixture.advance(.seconds(1))
    #expect(try await fixture.entry("A")?.state == .sent)
    #expect(try await fixture.entry("B")?.state == .sent)
    #expect(holds(fixture) == ["held smtp: 535 5.7.8 no", "restored smtp"])
    #expect(try await fixture.outbox.transports { _ in }["smtp"]?.cause == nil)
  }

  @Test func `five failures in a row suspend a transport, and one mail probes it`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()])
    let fixture = DispatcherFixture([smtp])
    for number in 0..<5 {
      try await fixture.add("A\(number)", lane: .normal)
      await fixture.advance()
    }
    #expect(smtp.ids.count == 5)
    for number in 0..<4 { try await fixture.add("B\(number)", lane: .normal) }
    await fixture.advance(.seconds(29))
    #expect(smtp.ids.count == 5)
    await fixture.advance(.seconds(1))
    #expect(smtp.ids.count == 6)
    await fixture.advance(.seconds(59))
    #expect(smtp.ids.count == 6)
    smtp.answer(.sent)
    smtp.shut()
    fixture.clock.advance(.seconds(1))
    _ = await fixture.dispatcher.round()
    await smtp.received(7)
    #expect(smtp.ids.count == 7)
    smtp.open()
    await fixture.dispatcher.drain()
    await fixture.advance(.seconds(1))
    #expect(smtp.ids.count > 8)
  }

  @Test func `two processes send one probe between them`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.transport)])
    let fixture = DispatcherFixture([smtp])
    let other = DispatcherFixture([smtp], outbox: fixture.outbox, clock: fixture.clock)
    try await fixture.add("A")
    await fixture.advance()
    #expect(smtp.ids.count == 1)
    for number in 0..<4 { try await fixture.add("B\(number)") }
    await other.advance()
    #expect(smtp.ids.count == 1)
    smtp.shut()
    fixture.clock.advance(.seconds(60))
    _ = await fixture.dispatcher.round()
    _ = await other.dispatcher.round()
    await smtp.received(2)
    _ = await other.dispatcher.round()
    #expect(smtp.ids.count == 2)
    smtp.open()
    await fixture.dispatcher.drain()
    await other.dispatcher.drain()
  }

  @Test func `a transport that asks for a delay is suspended for that long`() async throws {
    let gmail = ScriptedTransport("gmail", [.deferred(retryAfter: .seconds(90)), .sent])
    let fixture = DispatcherFixture([gmail])
    try await fixture.add("A")
    await fixture.advance()
    try await fixture.add("B")
    await fixture.advance(.seconds(89))
    #expect(gmail.ids == ["A"])
    await fixture.advance(.seconds(1))
    await fixture.advance(.seconds(1))
    #expect(gmail.ids.count == 3)
  }

  @Test func `a pace is never exceeded, and codes use it first`() async throws {
    var options = DispatcherOptions()
    options.paces = ["gmail": Pace(sends: 60, per: .seconds(60))]
    options.maxConcurrentAttempts = 100
    let gmail = ScriptedTransport("gmail")
    let fixture = DispatcherFixture([gmail], options: options)
    for number in 0..<150 { try await fixture.add("N\(number)", lane: .bulk) }
    var sent: [Int] = []
    for second in 0..<130 {
      if second == 60 { for number in 0..<8 { try await fixture.add("C\(number)") } }
      for _ in 0..<2 { await fixture.advance(.milliseconds(500)) }
      sent.append(gmail.ids.count)
      if second == 63 { #expect(gmail.ids.filter { $0.hasPrefix("C") }.count == 8) }
    }
    for second in 60..<130 { #expect(sent[second] - sent[second - 60] <= 60) }
    #expect(sent[129] >= 100)
  }

  @Test func `a settlement is retried until the store accepts it`() async throws {
    let smtp = ScriptedTransport("smtp")
    let outbox = CountingOutbox()
    let fixture = DispatcherFixture([smtp], outbox: outbox)
    try await fixture.add("A")
    smtp.shut()
    _ = await fixture.dispatcher.round()
    await smtp.received(1)
    outbox.refuse(2)
    smtp.open()
    for _ in 0..<2 {
      // Both the lease renewal and the settlement are sleeping.
      while fixture.clock.sleepers < 2 { await Task.yield() }
      fixture.clock.advance(.seconds(1))
    }
    await fixture.dispatcher.drain()
    #expect(try await fixture.entry("A")?.state == .sent)
    #expect(smtp.ids == ["A"])
  }
}

/// The conditions of the transports that a dispatcher returns, and the effect of new options on them.
@Suite struct TransportConditionTests {
  @Test func `a hold found by another process is known before the first round`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.transport)])
    let fixture = DispatcherFixture([smtp, ScriptedTransport("file")])
    try await fixture.add("A")
    await fixture.advance()
    let other = DispatcherFixture(
      [smtp, ScriptedTransport("file")], outbox: fixture.outbox, clock: fixture.clock)
    let conditions = await other.dispatcher.conditions()
    #expect(conditions.map(\.name) == ["smtp", "file"])
    #expect(conditions.map(\.availability) == [.held, .ready])
    #expect(conditions[0].heldSince == fixture.clock.now)
    #expect(conditions[0].until == fixture.clock.now + .seconds(60))
    #expect(conditions[0].failures == 1)
  }

  @Test func `a transport whose suspension has ended waits for a mail to try it`() async throws {
    let fixture = DispatcherFixture([ScriptedTransport("smtp", [.held(.transport)])])
    try await fixture.add("A")
    await fixture.advance()
    fixture.clock.advance(.seconds(60))
    #expect(await fixture.dispatcher.conditions().map(\.availability) == [.held])
    #expect(await fixture.dispatcher.conditions()[0].until == nil)
  }

  @Test func `new options make a held transport be tried at once, and waiting mail leaves`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.transport)])
    let fixture = DispatcherFixture([smtp])
    try await fixture.add("A")
    await fixture.advance()
    smtp.answer(.sent)
    await fixture.advance(.seconds(1))
    #expect(smtp.ids.count == 1)
    await fixture.dispatcher.adopt(DispatcherOptions())
    await fixture.advance()
    #expect(try await fixture.entry("A")?.state == .sent)
  }

  @Test func `a pace added while mail is in flight applies from then on, and every expected send ends`()
    async throws
  {
    let smtp = ScriptedTransport("smtp")
    let fixture = DispatcherFixture([smtp])
    smtp.shut()
    for id in ["A", "B"] { try await fixture.add(id) }
    await fixture.dispatcher.signalWork()
    _ = await fixture.dispatcher.round()
    await smtp.received(2)
    var options = DispatcherOptions()
    options.paces = ["smtp": Pace(sends: 6, per: .seconds(60))]
    await fixture.dispatcher.adopt(options)
    smtp.open()
    await fixture.dispatcher.drain()
    for id in ["C", "D", "E"] { try await fixture.add(id) }
    await fixture.advance()
    #expect(smtp.ids.count == 3)
    await fixture.advance(.seconds(1))
    #expect(smtp.ids.count == 3)
  }
}
