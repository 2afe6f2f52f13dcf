import PabalTesting
import Testing

@testable import PabalCore

/// Reports that the next server doesn't take.
@Suite struct RefusedReportTests {
  /// A site whose mail to bob is refused, so that the report is due.
  private func site() async throws -> ReportFixture {
    let site = try ReportFixture()
    site.transport.answer(.rejected, reply: "550 5.1.1 no")
    try await site.submit()
    await site.fixture.advance()
    return site
  }

  private func report(_ site: ReportFixture) async throws -> OutboxEntry? {
    try await site.fixture.outbox.read(OutboxQuery()).entries.first { $0.reporting == .report }
  }

  @Test func `a server that refuses the null sender ends the report`() async throws {
    let site = try await site()
    site.transport.answer(.held(.mail), reply: "550 5.7.1 <>: sender rejected")
    await site.fixture.advance()
    let report = try await report(site)
    #expect(report?.state == .rejected && report?.outcome == "rejected" && report?.status == "550 5.7.1")
    #expect(report?.reporting.isImpossible == true)
  }

  @Test func `a report never holds a transport, and ends after its time`() async throws {
    let site = try await site()
    site.transport.answer(.held(.transport), reply: "530 5.7.0 not without a sender")
    await site.fixture.advance()
    let waiting = try #require(try await report(site))
    #expect(waiting.state == .waiting && waiting.hold == .mail)
    #expect(waiting.due >= site.fixture.clock.now + .seconds(200))
    #expect(await site.fixture.dispatcher.conditions().map(\.availability) == [.ready])
    // Other mail is sent meanwhile.
    site.transport.answer(.sent, reply: "250 2.0.0 ok")
    try await site.submit(id: "B")
    await site.fixture.advance()
    #expect(try await site.fixture.entry("B")?.state == .sent)
    site.transport.answer(.held(.transport), reply: "530 5.7.0 not without a sender")
    for _ in 0..<4 { await site.fixture.advance(.seconds(110_000)) }
    #expect(try await report(site)?.state == .expired)
    let attempts = site.transport.received.count
    #expect(attempts < 12)
  }

  @Test func `refusals of reports for a while don't pause the transport`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.rejected, reply: "550 5.1.1 no")
    for number in 0..<6 { try await site.submit(id: "A\(number)") }
    await site.fixture.advance()
    site.transport.answer(.deferred(), reply: "451 4.3.0 try the null sender later")
    for _ in 0..<3 { await site.fixture.advance() }
    #expect(site.reports.count == 6)
    #expect(await site.fixture.dispatcher.conditions().map(\.availability) == [.ready])
  }

  @Test func `senders of bulk mail get a report about recipients on the suppression list`() async throws {
    let list = SuppressionList(MemorySuppressionStore(), keys: Keyring(current: .random()))
    #expect(
      try await list.add(Suppression(try Address("bob@example.org"), added: Timestamp(milliseconds: 0))))
    let site = try ReportFixture(suppression: list)
    try await site.submit(to: ["bob@example.org", "carol@example.org"], lane: .bulk)
    for _ in 0..<2 { await site.fixture.advance() }
    #expect(
      site.transport.received.first?.envelope.recipients.map(\.description) == ["carol@example.org"])
    let report = try #require(try await site.parsedReports().first)
    #expect(site.reports.count == 1)
    #expect(report.recipients.map { $0["final-recipient"] } == ["rfc822; bob@example.org"])
    #expect(report.recipients.first?["status"] == "5.0.0")
    #expect(
      report.recipients.first?["diagnostic-code"]?.hasPrefix(
        "x-pabal; not sent: added to the suppression list")
        == true)
    let entry = try #require(try await site.fixture.entry("A"))
    #expect(entry.state == .rejected && entry.marks.map(\.kind) == [.suppressed])
  }
}
