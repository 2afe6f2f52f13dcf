import PabalTesting
import Testing

@testable import PabalCore

/// What a dispatcher says of its transports, and what new rules change.
@Suite struct TransportConditionTests {
  @Test func `what another process met is known before the first round`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.transport)])
    let fixture = DispatcherFixture([smtp, ScriptedTransport("file")])
    try await fixture.add("A")
    await fixture.advance()
    let other = DispatcherFixture([smtp, ScriptedTransport("file")], outbox: fixture.outbox, clock: fixture.clock)
    let conditions = await other.dispatcher.conditions()
    #expect(conditions.map(\.name) == ["smtp", "file"])
    #expect(conditions.map(\.availability) == [.closed, .open])
    #expect(conditions[0].heldSince == fixture.clock.now)
    #expect(conditions[0].until == fixture.clock.now + .seconds(60))
    #expect(conditions[0].failures == 1)
  }

  @Test func `a transport that was left alone long enough waits for a mail to try it`() async throws {
    let fixture = DispatcherFixture([ScriptedTransport("smtp", [.held(.transport)])])
    try await fixture.add("A")
    await fixture.advance()
    fixture.clock.advance(.seconds(60))
    #expect(await fixture.dispatcher.conditions().map(\.availability) == [.trial])
  }

  @Test func `with new rules a held transport is tried at once, and mail that waited leaves`() async throws {
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

  @Test func `a pace that came while mail was under way counts from then on, and none is left over`()
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
