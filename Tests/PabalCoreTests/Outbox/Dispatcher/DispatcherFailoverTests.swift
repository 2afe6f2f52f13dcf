import PabalTesting
import Testing

@testable import PabalCore

/// Mail that takes the route's next transport because the pace of the first is exhausted for long.
@Suite struct DispatcherFailoverTests {
  private let gmail = ScriptedTransport("gmail")
  private let smtp = ScriptedTransport("smtp")

  private func fixture(_ paces: [String: Pace], outbox: any Outbox = MemoryOutbox())
    -> DispatcherFixture
  {
    var options = DispatcherOptions()
    options.paces = paces
    return DispatcherFixture([gmail, smtp], options: options, outbox: outbox)
  }

  private let hourly = Pace(sends: 1, per: .seconds(3_600))

  @Test
  func `a code takes the next transport instead of waiting an hour, and later the first again`()
    async throws
  {
    let fixture = fixture(["gmail": hourly])
    for id in ["A", "B", "C"] { try await fixture.add(id) }
    for _ in 0..<3 { await fixture.advance() }
    #expect(gmail.ids == ["A"])
    #expect(smtp.ids == ["B", "C"])
    await fixture.advance(.seconds(3_601))
    try await fixture.add("D")
    await fixture.advance()
    #expect(gmail.ids == ["A", "D"])
  }

  @Test func `mail waits for a send that is ten seconds away`() async throws {
    let fixture = fixture(["gmail": Pace(sends: 6, per: .seconds(60))])
    try await fixture.add("A")
    await fixture.advance()
    // The pace has one send every twelve seconds.
    fixture.clock.advance(.seconds(2.1))
    try await fixture.add("B")
    await fixture.advance()
    #expect(smtp.ids.isEmpty)
    await fixture.advance(.seconds(10))
    #expect(gmail.ids == ["A", "B"])
  }

  @Test func `Gmail's default pace never diverts mail to the next transport`() async throws {
    let fixture = fixture(["gmail": Pace(sends: 60, per: .seconds(60))])
    for number in 0..<60 { try await fixture.add("N\(number)", lane: .bulk) }
    for number in 0..<20 { try await fixture.add("C\(number)") }
    for _ in 0..<240 { await fixture.advance(.milliseconds(500)) }
    #expect(gmail.ids.count == 80)
    #expect(smtp.ids.isEmpty)
  }

  @Test func `sends reserved for codes are kept for them, and other mail takes the next transport`()
    async throws
  {
    // Two sends at once, of which one is reserved for codes, and then one every six minutes.
    let fixture = fixture(["gmail": Pace(sends: 12, per: .seconds(3_600))])
    for id in ["N1", "N2"] { try await fixture.add(id, lane: .normal) }
    for _ in 0..<2 { await fixture.advance() }
    try await fixture.add("N3", lane: .bulk)
    try await fixture.add("C1")
    for _ in 0..<2 { await fixture.advance() }
    #expect(gmail.ids == ["N1", "C1"])
    #expect(smtp.ids == ["N2", "N3"])
    try await fixture.add("C2")
    await fixture.advance()
    #expect(smtp.ids == ["N2", "N3", "C2"])
  }

  @Test func `mail waits if the paces of all transports are exhausted`()
    async throws
  {
    let fixture = fixture(["gmail": hourly, "smtp": hourly])
    for id in ["A", "B", "C"] { try await fixture.add(id) }
    for _ in 0..<5 { await fixture.advance(.seconds(1)) }
    #expect(gmail.ids == ["A"])
    #expect(smtp.ids == ["B"])
    #expect(try await fixture.entry("C")?.attempts == 0)
    await fixture.advance(.seconds(3_600))
    #expect(try await fixture.entry("C")?.state == .sent)
  }

  @Test func `interactive and immediate deliveries take the next transport as well`() async throws {
    let fixture = fixture(["gmail": hourly])
    for id in ["A", "B"] { try await fixture.add(id) }
    #expect(try await fixture.dispatcher.deliver("A")?.state == .sent)
    #expect(try await fixture.dispatcher.deliver("B")?.state == .sent)
    #expect(smtp.ids == ["B"])
    await fixture.advance()
    let lease = try #require(await fixture.dispatcher.reserve(.code, unknown: .resend))
    let entry = OutboxEntry(
      id: "C", lane: .code, created: fixture.clock.now, content: []
    ).claimed(by: lease)
    try await fixture.outbox.add([entry])
    await fixture.dispatcher.handOver(entry, try Mail.sample(to: ["bob@example.org"], id: "C"))
    await fixture.dispatcher.drain()
    #expect(smtp.ids == ["B", "C"])
    #expect(gmail.ids == ["A"])
  }

  @Test func `a suspended second transport is probed while the first is exhausted`() async throws {
    let fixture = fixture(["gmail": hourly])
    try await fixture.add("A")
    await fixture.advance()
    smtp.answer(.deferred())
    for number in 0..<5 {
      try await fixture.add("F\(number)")
      await fixture.advance()
    }
    let failed = smtp.ids.count
    #expect(failed >= 5)
    smtp.answer(.sent)
    await fixture.advance(.seconds(31))
    try await fixture.add("B")
    await fixture.advance()
    #expect(smtp.ids.count > failed)
    #expect(try await fixture.entry("B")?.state == .sent)
    #expect(gmail.ids == ["A"])
  }

  @Test func `mail that may not use the sends reserved for codes probes the second transport`() async throws {
    // Two sends at once, of which one is reserved for codes, and then one every six minutes.
    let fixture = fixture(["gmail": Pace(sends: 12, per: .seconds(3_600))])
    smtp.answer(.deferred())
    for number in 0..<6 {
      try await fixture.add("N\(number)", lane: .normal)
      await fixture.advance()
    }
    #expect(gmail.ids == ["N0"])
    let failed = smtp.ids.count
    smtp.answer(.sent)
    await fixture.advance(.seconds(31))
    try await fixture.add("C")
    try await fixture.add("M", lane: .normal)
    for _ in 0..<2 { await fixture.advance() }
    #expect(smtp.ids.count > failed)
    #expect(!smtp.ids.contains("C") && gmail.ids.contains("C"))
    #expect(try await fixture.entry("M")?.state == .sent)
  }

  @Test func `a mail that only the exhausted transport can carry is not rejected`() async throws {
    smtp.answer(.unsuited)
    let fixture = fixture(["gmail": Pace(sends: 6, per: .seconds(120))])
    for id in ["A", "B"] { try await fixture.add(id) }
    for _ in 0..<2 { await fixture.advance() }
    #expect(try await fixture.entry("B")?.state == .waiting)
    #expect(try await fixture.entry("B")?.outcome == "deferred")
    for _ in 0..<10 { await fixture.advance(.seconds(6)) }
    #expect(gmail.ids == ["A", "B"])
  }
}
