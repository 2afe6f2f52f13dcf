import PabalTesting
import Testing

@testable import PabalCore

/// The reports that a client asks for (RFC 3461).
@Suite struct ReportParametersTests {
  private func parameters(
    _ events: ReportParameters.Events?..., original: String? = nil, returned: ReportParameters.Returned? = nil
  ) throws -> ReportParameters {
    var parameters = ReportParameters()
    for (name, events) in zip(["bob", "carol", "dan"], events) {
      parameters.recipients[try Address("\(name)@example.org")] = .init(events: events, original: original)
    }
    parameters.returned = returned
    return parameters
  }

  @Test func `NOTIFY without FAILURE suppresses the report of a failure`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.rejected)
    let recipients = ["bob@example.org", "carol@example.org", "dan@example.org"]
    try await site.submit(to: recipients, try parameters([], .delay, [.failure, .success]))
    for _ in 0..<3 { await site.fixture.advance(.seconds(7_200)) }
    let reports = try await site.parsedReports()
    #expect(reports.map { $0.recipients.map { $0["final-recipient"] } } == [["rfc822; dan@example.org"]])
  }

  @Test func `NOTIFY=NEVER for each recipient yields no report`() async throws {
    let site = try ReportFixture(delay: .seconds(60))
    site.transport.answer(.deferred(), .rejected)
    try await site.submit(try parameters([]))
    for _ in 0..<3 { await site.fixture.advance(.seconds(7_200)) }
    #expect(try await site.fixture.entry("A")?.state == .rejected)
    #expect(site.reports.isEmpty)
  }

  @Test func `NOTIFY=SUCCESS yields a report that the next hop took over`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.sent, reply: "250 2.6.0 queued")
    try await site.submit(
      to: ["bob@example.org", "carol@example.org"], try parameters(.success, .failure, returned: .full))
    for _ in 0..<3 { await site.fixture.advance(.seconds(7_200)) }
    let report = try #require(try await site.parsedReports().first)
    #expect(site.reports.count == 1)
    #expect(report.firstLine == "Your mail to bob@example.org was handed over to the next mail server.")
    #expect(report.recipients.map { $0["action"] } == ["relayed"])
    #expect(report.recipients.first?["status"] == "2.6.0")
    // RFC 3461, 4.3: RET concerns only reports of failures.
    #expect(report.parts.last == "text/rfc822-headers")
  }

  @Test func `failures and successes of one attempt are reported apart`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.rejected, for: "bob@example.org")
    try await site.submit(
      to: ["bob@example.org", "carol@example.org"], try parameters(.failure, .success))
    for _ in 0..<2 { await site.fixture.advance() }
    let actions = try await site.parsedReports().map { $0.recipients.map { $0["action"] } }
    #expect(Set(actions) == [["failed"], ["relayed"]])
  }

  @Test func `ENVID and ORCPT are in the report, decoded`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.rejected, for: "bob@example.org")
    var parameters = try parameters(nil, original: "rfc822;bob+list@example.net")
    parameters.envelopeID = "order 4711="
    try await site.submit(parameters)
    for _ in 0..<2 { await site.fixture.advance() }
    let report = try #require(try await site.parsedReports().first)
    #expect(report.message["original-envelope-id"] == "order 4711=")
    #expect(report.recipients.first?["original-recipient"] == "rfc822; bob+list@example.net")
  }

  @Test func `RET=FULL returns the mail, up to a limit`() async throws {
    for (size, type) in [(100, "message/rfc822"), (60_000, "text/rfc822-headers")] {
      let site = try ReportFixture()
      site.transport.answer(.rejected, for: "bob@example.org")
      let body = String(repeating: "0123456789\n", count: size / 10)
      try await site.submit(try parameters(nil, returned: .full), bytes: "Subject: x\n\n\(body)")
      for _ in 0..<2 { await site.fixture.advance() }
      let report = try #require(try await site.parsedReports().first)
      #expect(report.parts.last == type)
      #expect(report.returned.contains("0123456789") == (size == 100))
    }
  }

  @Test func `a sender beyond ASCII gets a report with the types of RFC 6533`() async throws {
    let site = try ReportFixture()
    site.transport.answer(.rejected, for: "김@example.org")
    site.transport.answer(.sent, reply: "550 5.1.1 없는 사용자")
    try await site.submit(
      to: ["김@example.org"], sender: "이@example.test",
      bytes: "Subject: 안녕\nTo: 김@example.org\n\nhello\n")
    for _ in 0..<2 { await site.fixture.advance() }
    let report = try #require(try await site.parsedReports().first)
    #expect(report.reportType == "global-delivery-status")
    #expect(report.parts == ["text/plain", "message/global-delivery-status", "message/global-headers"])
    #expect(report.recipients.first?["final-recipient"] == "utf-8; 김@example.org")
    #expect(report.recipients.first?["diagnostic-code"] == "smtp; 550 5.1.1 없는 사용자")
    #expect(site.reports.first?.needs8BitMIME == true && site.reports.first?.needsSMTPUTF8 == true)
  }

  @Test func `a delay is reported once, if that is set`() async throws {
    for delay in [Duration.seconds(14_400), nil] {
      let site = try ReportFixture(delay: delay)
      site.transport.answer(.deferred(), for: "bob@example.org")
      site.transport.answer(.sent, reply: "451 4.7.1 try later")
      try await site.submit()
      await site.fixture.advance()
      await site.fixture.advance(.seconds(14_000))
      #expect(site.reports.isEmpty)
      for _ in 0..<4 { await site.fixture.advance(.seconds(8_000)) }
      guard delay != nil else {
        #expect(site.reports.isEmpty)
        continue
      }
      let report = try #require(try await site.parsedReports().first)
      #expect(site.reports.count == 1)
      #expect(report.firstLine == "Your mail to bob@example.org has not been delivered yet.")
      #expect(report.recipients.first?["action"] == "delayed")
      #expect(report.recipients.first?["status"] == "4.7.1")
      #expect(report.recipients.first?["will-retry-until"]?.isEmpty == false)
      // The end is reported as well.
      site.transport.answer(.rejected, for: "bob@example.org")
      for _ in 0..<2 { await site.fixture.advance(.seconds(8_000)) }
      #expect(site.reports.count == 2)
    }
  }

  @Test func `stored content keeps what was asked for and what was reported`() throws {
    var parameters = try parameters([], nil, [.success, .delay], original: "rfc822;x@y")
    parameters.returned = .full
    parameters.envelopeID = "a b"
    var content = OutboxContent(
      try Mail.sample(to: ["bob@example.org", "carol@example.org", "dan@example.org", "eve@example.org"]),
      report: ReportRequest(sender: try Address("alice@example.test"), parameters))
    content.progress[1].isReported = true
    content.progress[2].isDelayReported = true
    for (host, version) in [(nil, 2), ("mx.example.org", 3)] as [(String?, UInt8)] {
      content.progress[3].remoteHost = host
      #expect(content.bytes.first == version)
      let read = try OutboxContent(content.bytes, id: content.mail.id)
      #expect(read.report == content.report && read.progress == content.progress)
      #expect(read.mail.bytes == content.mail.bytes)
      for count in 0..<(content.bytes.count - content.mail.bytes.count) {
        #expect(throws: OutboxContent.FormatError.self) {
          try OutboxContent(Array(content.bytes[..<count]), id: "A")
        }
      }
    }
  }

  @Test func `what a client writes is what the next client writes`() throws {
    let address = try Address("bob@example.org")
    for text in [" NOTIFY=NEVER", " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c", " ORCPT=utf-8;+EA+B9+80@x"] {
      var recipient = ReportParameters.Recipient()
      for word in text.split(separator: " ") {
        let value = String(word.split(separator: "=")[1])
        if word.hasPrefix("NOTIFY") {
          recipient.events = ReportParameters.Events(value)
        } else {
          recipient.original = ReportParameters.original(value)
        }
      }
      var parameters = ReportParameters()
      parameters.recipients[address] = recipient
      #expect(parameters.recipientText(address) == text)
    }
    #expect(ReportParameters.original("UTF-8;\\x{AE40}@x") == "utf-8;김@x")
  }
}
