import PabalTesting
import Testing

@testable import PabalCore

/// The reports that the dispatcher adds with the settlement of a mail.
@Suite struct DeliveryReportTests {
  @Test func `a report takes the route of its own author's domain`() async throws {
    var options = DispatcherOptions()
    options.reports.routes = SenderRoutes(
      ["domain:example.test", "domain:other.test"].map { ConfiguredRoute(key: $0, transports: ["smtp"]) })
    let site = try ReportFixture(options)
    site.transport.answer(.rejected, for: "bob@example.org")
    try await site.submit()
    await site.fixture.advance()
    let entries = try await site.fixture.outbox.read(OutboxQuery()).entries
    #expect(entries.map(\.reporting) == [.report, .sender])
    #expect(entries.map(\.route) == ["domain:example.test", ""])
  }

  @Test func `a refused recipient yields one report, which people and programs can read`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.rejected, for: "bob@example.org")
    site.transport.answer(.sent, reply: "550 5.1.1 <bob@example.org>: no such user\r\nhere")
    try await site.submit(
      bytes: "Message-ID: <m1@example.test>\nSubject: =?utf-8?Q?caf=C3=A9?=\n\nsecret text\n")
    await site.fixture.advance()
    #expect(try await site.fixture.entry("A")?.state == .rejected)
    await site.fixture.advance()
    await site.fixture.advance(.seconds(7_200))
    #expect(site.transport.received.count == 2)
    let mail = try #require(site.reports.first)
    #expect(mail.envelope.recipients.map(\.description) == ["alice@example.test"])
    #expect(!mail.needs8BitMIME && !mail.needsSMTPUTF8)
    let entry = try #require(try await site.fixture.entry(mail.id))
    #expect(entry.reporting == .report && entry.caller == "user:printer" && entry.state == .sent)
    let report = try #require(try await site.parsedReports().first)
    #expect(report.defects == [])
    #expect(report.type == "multipart/report" && report.reportType == "delivery-status")
    #expect(report.parts == ["text/plain", "message/delivery-status", "text/rfc822-headers"])
    #expect(report.headers["auto-submitted"] == "auto-replied")
    #expect(report.headers["from"] == "Mail Delivery System <pabal@example.test>")
    #expect(report.headers["to"] == "alice@example.test")
    #expect(report.headers["subject"] == "Not delivered: café")
    #expect(report.headers["in-reply-to"] == "<m1@example.test>")
    #expect(report.firstLine == "Your mail to bob@example.org could not be delivered.")
    #expect(report.text.contains("550 5.1.1 <bob@example.org>: no such user here"))
    #expect(report.message["reporting-mta"] == "dns; mail.example.test")
    #expect(report.message["arrival-date"]?.isEmpty == false)
    #expect(report.recipients.count == 1)
    let recipient = try #require(report.recipients.first)
    #expect(recipient["final-recipient"] == "rfc822; bob@example.org")
    #expect(recipient["action"] == "failed" && recipient["status"] == "5.1.1")
    #expect(recipient["diagnostic-code"] == "smtp; 550 5.1.1 <bob@example.org>: no such user here")
    #expect(report.returned.contains("Message-ID: <m1@example.test>"))
    #expect(!report.returned.contains("secret text"))
  }

  @Test func `each recipient is reported once, when its result is known`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.rejected, for: "bob@example.org")
    site.transport.answer(.deferred(), for: "carol@example.org")
    site.transport.answer(.sent, reply: "450 4.2.0 later")
    try await site.submit(to: ["bob@example.org", "carol@example.org", "dan@example.org"])
    for _ in 0..<3 { await site.fixture.advance(.seconds(3_600)) }
    #expect(site.reports.count == 1)
    site.transport.answer(.rejected, for: "carol@example.org")
    for _ in 0..<3 { await site.fixture.advance(.seconds(7_200)) }
    #expect(try await site.fixture.entry("A")?.state == .rejected)
    let finals = try await site.parsedReports().map { $0.recipients.map { $0["final-recipient"] } }
    #expect(finals == [["rfc822; bob@example.org"], ["rfc822; carol@example.org"]])
  }

  @Test func `what expires after five days is reported, and its status says so`() async throws {
    let site = try ReportFixture(language: "ko-KR")
    site.transport.answer(.deferred(), for: "bob@example.org")
    site.transport.answer(.sent, reply: "451 4.7.1 서버 점검")
    try await site.submit(to: ["bob@example.org"])
    await site.fixture.advance()
    await site.fixture.advance(.seconds(432_001))
    #expect(try await site.fixture.entry("A")?.state == .expired)
    await site.fixture.advance()
    let report = try #require(try await site.parsedReports().first)
    #expect(report.firstLine == "bob@example.org에게 보내신 메일을 배달하지 못했습니다.")
    #expect(report.headers["from"] == "메일 배달 시스템 <pabal@example.test>")
    #expect(report.headers["subject"] == "배달 실패: café")
    #expect(report.text.contains("마지막 응답: 451 4.7.1 서버 점검"))
    #expect(report.recipients.first?["status"] == "4.4.7")
    #expect(report.recipients.first?["diagnostic-code"] == "smtp; 451 4.7.1 ?? ??")
  }

  @Test func `a mail whose end isn't known is reported as such`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.unknown, for: "bob@example.org")
    try await site.submit()
    for _ in 0..<4 { await site.fixture.advance(.seconds(7_200)) }
    #expect(try await site.fixture.entry("A")?.state == .unknown)
    let report = try #require(try await site.parsedReports().first)
    #expect(report.firstLine == "It is not known whether your mail to bob@example.org was delivered.")
    #expect(report.recipients.first?["status"] == "4.4.2")
  }

  @Test(arguments: Reporting.allCases.filter { $0 != .sender })
  func `other mail is never reported`(_ reporting: Reporting) async throws {
    let site = try ReportFixture()
    site.transport.answer(.rejected)
    try await site.submit(reporting: reporting)
    for _ in 0..<3 { await site.fixture.advance(.seconds(7_200)) }
    #expect(try await site.fixture.entry("A")?.state == .rejected)
    #expect(site.transport.ids == ["A"])
  }

  @Test func `a report that is refused ends the exchange`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.rejected)
    try await site.submit()
    for _ in 0..<5 { await site.fixture.advance(.seconds(7_200)) }
    #expect(site.transport.received.count == 2)
    let states = try await site.fixture.outbox.read(OutboxQuery()).entries.map(\.state)
    #expect(states == [.rejected, .rejected])
  }

  @Test func `a mail that is cancelled isn't reported`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.deferred(), for: "bob@example.org")
    try await site.submit()
    await site.fixture.advance()
    try await site.fixture.outbox.amend(.cancel(["A"]), now: site.fixture.clock.now)
    await site.fixture.advance(.seconds(7_200))
    #expect(site.transport.ids == ["A"])
  }

  @Test func `a mail that expires while it waits is left to the dispatcher, which reports it`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.deferred(), for: "bob@example.org")
    try await site.submit(life: .seconds(1_000))
    await site.fixture.advance()
    await site.fixture.advance(.seconds(2_000))
    await site.fixture.advance()
    #expect(try await site.fixture.entry("A")?.state == .expired)
    #expect(try await site.fixture.entry("A")?.content == nil)
    #expect(site.transport.ids.filter { $0 == "A" }.count == 1)
    #expect(site.reports.count == 1)
  }

  @Test func `a mail that is withdrawn after the crashes of its process is reported once`() async throws {
    let site = try ReportFixture()
    try await site.submit()
    for number in 0..<3 {
      let now = site.fixture.clock.now
      let lease = OutboxEntry.Lease(owner: "dead\(number)", until: now + .seconds(30))
      #expect(try await site.fixture.outbox.claim(OutboxClaim(lease, now: now, limit: 1)).count == 1)
      site.fixture.clock.advance(.seconds(40))
      _ = try await site.fixture.outbox.sweep(OutboxSweep(now: site.fixture.clock.now))
    }
    await site.fixture.advance(.seconds(60))
    await site.fixture.advance(.seconds(60))
    #expect(try await site.fixture.entry("A")?.state == .unknown)
    #expect(!site.transport.ids.contains("A"))
    #expect(site.reports.count == 1)
  }

  @Test func `a mail that keeps ending its process is given up without a report`() async throws {
    let outbox = MemoryOutbox()
    let site = try ReportFixture(outbox: outbox)
    try await site.submit()
    for number in 0..<6 {
      let now = site.fixture.clock.now
      let lease = OutboxEntry.Lease(owner: "dead\(number)", until: now + .seconds(30))
      #expect(try await outbox.claim(OutboxClaim(lease, now: now, limit: 1)).count == 1)
      site.fixture.clock.advance(.seconds(40))
      _ = try await outbox.sweep(OutboxSweep(now: site.fixture.clock.now))
    }
    #expect(try await site.fixture.entry("A")?.state == .unknown)
  }

  @Test func `a handed-over mail is reported with what its client asked for`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.rejected, for: "bob@example.org")
    try await site.submit()
    let entry = try #require(
      try await site.fixture.outbox.claim(
        OutboxClaim(await site.fixture.dispatcher.lease(), now: site.fixture.clock.now, limit: 1)
      ).first)
    await site.fixture.dispatcher.handOver(entry, try Mail.sample(id: "A"))
    await site.fixture.dispatcher.drain()
    await site.fixture.advance()
    #expect(site.reports.count == 1)
  }
}
