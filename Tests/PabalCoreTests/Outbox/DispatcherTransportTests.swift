import PabalTesting
import Testing

@testable import PabalCore

/// Transports that are left alone for a time, and those that have a pace.
@Suite struct DispatcherTransportTests {
  private func held(_ bench: DispatcherBench) -> [String] {
    bench.events.compactMap { event in
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
    let bench = DispatcherBench([first, second])
    for id in ["A", "B", "C"] {
      try await bench.add(id)
      await bench.pass()
    }
    #expect(first.ids == ["A"])
    #expect(second.ids == ["A", "B", "C"])
    #expect(held(bench) == ["held a: 535 5.7.8 wrong password"])
    let known = try await bench.outbox.transports { _ in }
    let cause = try #require(known["a"]?.cause)
    #expect(
      try PlainSealing().open(cause, id: TransportState.sealID("a")) == Array("535 5.7.8 wrong password".utf8)
    )
  }

  @Test func `mail of a held transport waits, says why, and goes when it works again`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.transport)], reply: "535 5.7.8 no")
    let bench = DispatcherBench([smtp])
    try await bench.add("A")
    try await bench.add("B")
    await bench.pass()
    let tried = smtp.ids.count
    await bench.pass(.seconds(30))
    #expect(smtp.ids.count == tried)
    #expect(try await bench.entry("A")?.hold == .transport)
    #expect(try await bench.entry("A")?.state == .waiting)
    smtp.answer(.sent)
    await bench.pass(.seconds(300))
    await bench.pass(.seconds(1))
    #expect(try await bench.entry("A")?.state == .sent)
    #expect(try await bench.entry("B")?.state == .sent)
    #expect(held(bench) == ["held smtp: 535 5.7.8 no", "restored smtp"])
    #expect(try await bench.outbox.transports { _ in }["smtp"]?.cause == nil)
  }

  @Test func `five failures in a row open the breaker, and one mail probes`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()])
    let bench = DispatcherBench([smtp])
    for number in 0..<5 {
      try await bench.add("A\(number)", lane: .normal)
      await bench.pass()
    }
    #expect(smtp.ids.count == 5)
    for number in 0..<4 { try await bench.add("B\(number)", lane: .normal) }
    await bench.pass(.seconds(29))
    #expect(smtp.ids.count == 5)
    await bench.pass(.seconds(1))
    #expect(smtp.ids.count == 6)
    await bench.pass(.seconds(59))
    #expect(smtp.ids.count == 6)
    smtp.answer(.sent)
    smtp.shut()
    bench.clock.advance(.seconds(1))
    _ = await bench.dispatcher.round()
    await smtp.given(7)
    #expect(smtp.ids.count == 7)
    smtp.open()
    await bench.dispatcher.landed()
    await bench.pass(.seconds(1))
    #expect(smtp.ids.count > 8)
  }

  @Test func `two processes send one probe between them`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.transport)])
    let bench = DispatcherBench([smtp])
    let other = DispatcherBench([smtp], outbox: bench.outbox, clock: bench.clock)
    try await bench.add("A")
    await bench.pass()
    #expect(smtp.ids.count == 1)
    for number in 0..<4 { try await bench.add("B\(number)") }
    await other.pass()
    #expect(smtp.ids.count == 1)
    smtp.shut()
    bench.clock.advance(.seconds(60))
    _ = await bench.dispatcher.round()
    _ = await other.dispatcher.round()
    await smtp.given(2)
    _ = await other.dispatcher.round()
    #expect(smtp.ids.count == 2)
    smtp.open()
    await bench.dispatcher.landed()
    await other.dispatcher.landed()
  }

  @Test func `a rate that is over leaves the transport alone for as long as it says`() async throws {
    let gmail = ScriptedTransport("gmail", [.deferred(retryAfter: .seconds(90)), .sent])
    let bench = DispatcherBench([gmail])
    try await bench.add("A")
    await bench.pass()
    try await bench.add("B")
    await bench.pass(.seconds(89))
    #expect(gmail.ids == ["A"])
    await bench.pass(.seconds(1))
    await bench.pass(.seconds(1))
    #expect(gmail.ids.count == 3)
  }

  @Test func `a pace is never exceeded, and codes spend it first`() async throws {
    var rules = DispatcherRules()
    rules.paces = ["gmail": Pace(sends: 60, per: .seconds(60))]
    rules.maxConcurrentAttempts = 100
    let gmail = ScriptedTransport("gmail")
    let bench = DispatcherBench([gmail], rules: rules)
    for number in 0..<150 { try await bench.add("N\(number)", lane: .bulk) }
    var sent: [Int] = []
    for second in 0..<130 {
      if second == 60 { for number in 0..<8 { try await bench.add("C\(number)") } }
      for _ in 0..<2 { await bench.pass(.milliseconds(500)) }
      sent.append(gmail.ids.count)
      if second == 63 { #expect(gmail.ids.filter { $0.hasPrefix("C") }.count == 8) }
    }
    for second in 60..<130 { #expect(sent[second] - sent[second - 60] <= 60) }
    #expect(sent[129] >= 100)
  }

  @Test func `a settlement is tried again until the store takes it`() async throws {
    let smtp = ScriptedTransport("smtp")
    let outbox = CountingOutbox()
    let bench = DispatcherBench([smtp], outbox: outbox)
    try await bench.add("A")
    smtp.shut()
    _ = await bench.dispatcher.round()
    await smtp.given(1)
    outbox.refuse(2)
    smtp.open()
    for _ in 0..<2 {
      // The lease's keeper and the settlement sleep.
      while bench.clock.sleepers < 2 { await Task.yield() }
      bench.clock.advance(.seconds(1))
    }
    await bench.dispatcher.landed()
    #expect(try await bench.entry("A")?.state == .sent)
    #expect(smtp.ids == ["A"])
  }
}
