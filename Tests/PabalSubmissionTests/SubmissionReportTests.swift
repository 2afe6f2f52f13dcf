import PabalTesting
import Testing

@testable import PabalCore
@testable import PabalSubmission

/// Who gets the reports about submitted mail that can't be delivered.
@Suite struct SubmissionReportTests {
  private let keys = Keyring(current: .random())
  private let outbox = MemoryOutbox()

  /// An intake in which the printer may use any address, and others only those of d.example.
  private var intake: SubmissionIntake {
    SubmissionIntake(
      MailSubmission(store: MemoryVerificationStore(outbox: outbox), keys: keys), hostName: "mail.example",
      rules: { submitter in
        submitter == .user("printer") ? SenderRules() : SenderRules(senders: [.domain("d.example")])
      })
  }

  private func submit(_ sender: String, by submitter: Submitter = .user("printer")) async throws {
    var parameters = ReportParameters()
    parameters.envelopeID = "order 1"
    let result = await intake.submit(
      SMTPSubmission(
        sender: try Address(sender), recipients: [try Address("missing@b.example")],
        bytes: Array("Subject: hi\r\n\r\ntext\r\n".utf8), report: parameters, submitter: submitter,
        trace: SMTPTrace(greeting: "client", address: nil, transmission: "ESMTP")))
    guard case .queued = result else { throw TestFailure(reply: "\(result)") }
  }

  private struct TestFailure: Error {
    let reply: String
  }

  @Test func `a sender that the submitter may not use gets no report, another one what was asked for`()
    async throws
  {
    let transport = ScriptedTransport("smtp", [.rejected], reply: "550 5.1.1 no")
    let clock = ManualClock()
    clock.advance(Timestamp.now() - clock.now + .seconds(60))
    let dispatcher = Dispatcher(
      outbox, sealing: keys, dependencies: clock.dependencies,
      route: { [DispatchTransport("smtp", transport)] })
    await #expect(throws: TestFailure.self) {
      try await submit("victim@c.example", by: .network("192.0.2.1"))
    }
    try await submit("kim@a.example")
    for _ in 0..<3 {
      await dispatcher.signalWork()
      _ = await dispatcher.round()
      await dispatcher.drain()
      clock.advance(.seconds(60))
    }
    let reports = transport.received.filter { $0.envelope.sender == nil }
    #expect(reports.map { $0.envelope.recipients.map(\.description) } == [["kim@a.example"]])
    #expect(
      String(decoding: reports[0].bytes, as: UTF8.self).contains("\r\nOriginal-Envelope-Id: order 1\r\n"))
    let entries = try await outbox.read(OutboxQuery()).entries
    #expect(entries.map(\.reporting) == [.report, .sender])
    // It is found by its recipient, as other mail.
    var query = OutboxQuery()
    query.recipients = RecipientDigest.searched(for: try Address("Kim@a.example"), keys)
    #expect(try await outbox.read(query).entries.map(\.reporting) == [.report])
    #expect(entries.allSatisfy { $0.state == .rejected })
  }

  @Test(
    arguments: [
      ("kim@a.example", nil, "kim@a.example"), ("ceo@bank.example", nil, "service@a.example"),
      ("root@mail.example", nil, "root@mail.example"),
      ("ceo@bank.example", "@bank.example", "ceo@bank.example"),
      ("SERVICE@a.example", nil, "SERVICE@a.example"),
    ] as [(String, String?, String)])
  func `with a forced sender, reports go to another address only if it is one of the submitter's`(
    _ sender: String, _ listed: String?, _ expected: String
  ) throws {
    let rules = SenderRules(
      senders: try listed.map { [try SenderPattern($0)] },
      forcedSender: try Mailbox("Service <service@a.example>"))
    let hosts = LocalHosts(host: "mail.example", mailName: nil)
    let address = try Address(sender)
    #expect(rules.reportAddress(for: address, isLocal: hosts.isLocal(address)).description == expected)
  }

  @Test func `the report goes to the sender as submitted, and names the recipient before its alias`()
    async throws
  {
    let forced = SenderRules(forcedSender: try Mailbox("Service <service@a.example>"))
    let intake = SubmissionIntake(
      MailSubmission(store: MemoryVerificationStore(outbox: outbox), keys: keys), hostName: "mail.example",
      rules: { _ in forced })
    let result = await intake.submit(
      SMTPSubmission(
        sender: try Address("kim@a.example"), recipients: [try Address("bob@b.example")],
        bytes: Array("Subject: hi\r\n\r\ntext\r\n".utf8), submitter: .user("printer"),
        trace: SMTPTrace(greeting: "client", address: nil, transmission: "ESMTP")))
    guard case .queued(let id) = result else { throw TestFailure(reply: "\(result)") }
    let entry = try #require(
      try await outbox.read(OutboxQuery(ids: [id], withContent: true)).entries.first)
    let content = try OutboxContent(try keys.open(entry.content ?? [], id: id), id: id)
    #expect(content.mail.envelope.sender?.description == "service@a.example")
    #expect(content.report?.sender.description == "kim@a.example")
    let (root, admin) = (try Address("root@host.example"), try Address("admin@a.example"))
    var parameters = ReportParameters()
    parameters.recipients[root] = .init(events: .failure)
    let rewritten = parameters.rewritten([root]) { _ in [admin] }
    #expect(rewritten.recipients == [admin: .init(events: .failure, original: "rfc822;root@host.example")])
    #expect(parameters.rewritten([root]) { [$0] } == parameters)
  }

  @Test func `the report about mail of a local name goes where its alias leads`() async throws {
    let configuration = """
      { "transport": "c", "transports": { "c": { "plugin": "file" } }, "from": "a@example.com",
        "aliases": { "root": ["ops@a.example", "y@b.example"] } }
      """
    let aliases = try Configuration.read(Array(configuration.utf8), file: "config.json", directory: "/")
      .aliases
    let intake = SubmissionIntake(
      MailSubmission(store: MemoryVerificationStore(outbox: outbox), keys: keys), hostName: "web1",
      rules: { _ in SenderRules() }, aliases: aliases)
    let result = await intake.submit(
      SMTPSubmission(
        sender: try Address("root@web1"), recipients: [try Address("bob@b.example")],
        bytes: Array("Subject: cron\r\n\r\ntext\r\n".utf8), submitter: .local("root"),
        trace: SMTPTrace(greeting: "client", address: nil, transmission: "LMTP")))
    guard case .queued(let id) = result else { throw TestFailure(reply: "\(result)") }
    let entry = try #require(
      try await outbox.read(OutboxQuery(ids: [id], withContent: true)).entries.first)
    let content = try OutboxContent(try keys.open(entry.content ?? [], id: id), id: id)
    #expect(content.mail.envelope.sender?.description == "root@web1")
    #expect(content.report?.sender.description == "ops@a.example")
  }

  @Test func `reports about refused batches count against the limit of their submitter`() async throws {
    let rules = SenderRules(rate: [RateLimit(2, per: .seconds(3_600))])
    let intake = SubmissionIntake(
      MailSubmission(store: MemoryVerificationStore(outbox: outbox), keys: keys), hostName: "mail.example",
      rules: { _ in rules })
    for number in 0..<5 {
      let batch =
        "EHLO h\r\nMAIL FROM:<victim\(number)@a.example>\r\nRCPT TO:<bad address>\r\nBDAT 1 LAST\r\nx"
      _ = await intake.reportRefusal(
        of: try #require(RefusedBatch(Array(batch.utf8), host: "mail.example")), id: MailIdentity.now().id,
        submitter: .local("www-data"), refusal: SMTPReply(501, "5.1.3", "not valid"),
        options: DeliveryReportOptions())
    }
    #expect(try await outbox.read(OutboxQuery()).entries.count == 2)
  }

  @Test func `a refused batch is reported once, however often it is read`() async throws {
    let batch = "EHLO h\r\nMAIL FROM:<kim@a.example>\r\nRCPT TO:<bad address>\r\nBDAT 1 LAST\r\nx"
    let refused = try #require(RefusedBatch(Array(batch.utf8), host: "mail.example"))
    #expect(refused.recipients == [RefusedBatch.Recipient(address: "bad address")])
    let id = MailIdentity.now().id
    var results: [RefusalReport] = []
    for _ in 0..<3 {
      results.append(
        await intake.reportRefusal(
          of: refused, id: id, submitter: .user("printer"), refusal: SMTPReply(501, "5.1.3", "not valid"),
          options: DeliveryReportOptions()))
    }
    let entries = try await outbox.read(OutboxQuery()).entries
    #expect(entries.count == 1 && entries[0].id != id && entries[0].reporting == .report)
    #expect(results == Array(repeating: .queued(id: entries[0].id, recipients: 1), count: 3))
    let foreign = await intake.reportRefusal(
      of: refused, id: MailIdentity.now().id, submitter: .local("eve"),
      refusal: SMTPReply(501, "5.1.3", "no"),
      options: DeliveryReportOptions())
    #expect(foreign == .none(.foreignSender))
    #expect(try await outbox.read(OutboxQuery()).entries.count == 1)
  }

  @Test func `a recipient that a refused batch names twice is reported once`() throws {
    let batch =
      "MAIL FROM:<kim@a.example>\r\nRCPT TO:<bob@b.example>\r\nRCPT TO:<bob@b.example> ORCPT=rfc822;x@c.example\r\n"
      + "RCPT TO:<lee@b.example>\r\nBDAT 1 LAST\r\nx"
    let refused = try #require(RefusedBatch(Array(batch.utf8), host: "mail.example"))
    #expect(refused.recipients.map(\.address) == ["bob@b.example", "lee@b.example"])
  }

  @Test(arguments: [
    "", "EHLO h\r\n", "RCPT TO:<a@b>\r\nBDAT 1 LAST\r\nx", "MAIL FROM:<a b>\r\nRCPT TO:<c@d>\r\n",
    "MAIL FROM:\r\n\r\n", "\0\0\0\r\n\u{FF}\r\n",
  ]) func `a batch without a sender that can be read can't be reported`(_ batch: String) {
    #expect(RefusedBatch(Array(batch.utf8), host: "h") == nil)
  }
}
