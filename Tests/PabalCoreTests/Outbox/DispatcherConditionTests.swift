import PabalTesting
import Testing

@testable import PabalCore

/// What a dispatcher says of its transports, and what new rules change.
@Suite struct DispatcherConditionTests {
  @Test func `what another process met is known before the first round`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.transport)])
    let bench = DispatcherBench([smtp, ScriptedTransport("file")])
    try await bench.add("A")
    await bench.pass()
    let other = DispatcherBench([smtp, ScriptedTransport("file")], outbox: bench.outbox, clock: bench.clock)
    let conditions = await other.dispatcher.conditions()
    #expect(conditions.map(\.name) == ["smtp", "file"])
    #expect(conditions.map(\.openness) == [.closed, .open])
    #expect(conditions[0].heldSince == bench.clock.now)
    #expect(conditions[0].until == bench.clock.now + .seconds(60))
    #expect(conditions[0].failures == 1)
  }

  @Test func `a transport that was left alone long enough waits for a mail to try it`() async throws {
    let bench = DispatcherBench([ScriptedTransport("smtp", [.held(.transport)])])
    try await bench.add("A")
    await bench.pass()
    bench.clock.advance(.seconds(60))
    #expect(await bench.dispatcher.conditions().map(\.openness) == [.trial])
  }

  @Test func `with new rules a held transport is tried at once, and mail that waited leaves`() async throws {
    let smtp = ScriptedTransport("smtp", [.held(.transport)])
    let bench = DispatcherBench([smtp])
    try await bench.add("A")
    await bench.pass()
    smtp.answer(.sent)
    await bench.pass(.seconds(1))
    #expect(smtp.ids.count == 1)
    await bench.dispatcher.adopt(DispatcherRules())
    await bench.pass()
    #expect(try await bench.entry("A")?.state == .sent)
  }

  @Test func `a pace that came while mail was under way counts from then on, and none is left over`()
    async throws
  {
    let smtp = ScriptedTransport("smtp")
    let bench = DispatcherBench([smtp])
    smtp.shut()
    for id in ["A", "B"] { try await bench.add(id) }
    await bench.dispatcher.expectMore()
    _ = await bench.dispatcher.round()
    await smtp.given(2)
    var rules = DispatcherRules()
    rules.paces = ["smtp": Pace(sends: 6, per: .seconds(60))]
    await bench.dispatcher.adopt(rules)
    smtp.open()
    await bench.dispatcher.landed()
    for id in ["C", "D", "E"] { try await bench.add(id) }
    await bench.pass()
    #expect(smtp.ids.count == 3)
    await bench.pass(.seconds(1))
    #expect(smtp.ids.count == 3)
  }
}
