import PabalCore
import Synchronization
import Testing

@testable import PabalSubmission

@Suite struct `The intake of submitted mail` {
  /// A store that fails.
  private struct FailingStore: OutboxStore {
    let error: StorageError.Kind

    func transactMail<Value: Sendable>(
      footprint: OutboxFootprint, _ body: @escaping @Sendable (any OutboxTransaction) throws -> Value
    ) async throws(StorageError) -> Value { throw StorageError(error, place: "/secret/path") }

    func readMail<Value: Sendable>(
      _ body: @escaping @Sendable (any OutboxTransaction) throws -> Value
    ) async throws(StorageError) -> Value { throw StorageError(error, place: "/secret/path") }

    func sweepRequests(at now: Timestamp, limit: Int) async throws(StorageError) -> Bool { false }
  }

  private let keys = Keyring(current: .random())
  private let trace = SMTPTrace(greeting: "client", address: "192.0.2.7", transmission: "ESMTPA")

  private func submission(_ text: String) throws -> SMTPSubmission {
    SMTPSubmission(
      sender: try Address("kim@a.example"), recipients: [try Address("x@y"), try Address("z@y")],
      bytes: Array(text.replacing("\n", with: "\r\n").utf8), submitter: .user("printer"), trace: trace)
  }

  @Test func `queues a mail for its submitter, with its envelope`() async throws {
    let outbox = MemoryOutbox()
    let intake = SubmissionIntake(
      MailSubmission(store: MemoryVerificationStore(outbox: outbox), keys: keys), hostName: "mail.example")
    let result = await intake.submit(try submission("To: other@x\nBcc: b@c\n\nbody\n"))
    guard case .queued(let id) = result else {
      Issue.record("\(result)")
      return
    }
    let now = Timestamp.now()
    let lease = OutboxEntry.Lease(owner: "a", until: now + .seconds(30))
    let entry = try #require(try await outbox.claim(OutboxClaim(lease, now: now, limit: 2)).first)
    #expect(entry.id == id)
    #expect(entry.caller == "user:printer")
    let mail = try OutboxContent(try keys.open(entry.content ?? [], id: id), id: id).mail
    #expect(mail.envelope.sender?.description == "kim@a.example")
    #expect(mail.envelope.recipients.map(\.description) == ["x@y", "z@y"])
    let text = String(decoding: mail.bytes, as: UTF8.self)
    #expect(
      text.hasPrefix("Received: from client ([192.0.2.7])\r\n\tby mail.example with ESMTPA id \(id);\r\n"))
    #expect(text.hasSuffix("\r\n\r\nbody\r\n"))
    #expect(!text.contains("Bcc") && !text.contains("printer"))
  }

  @Test(arguments: ["From: \"evil@c.example\":;", "From:", "From: ,", "From: a@d.example\nFrom: group:;"])
  func `refuses an author without an address if rules name the senders`(_ from: String) async throws {
    let outbox = MemoryOutbox()
    let intake = SubmissionIntake(
      MailSubmission(store: MemoryVerificationStore(outbox: outbox), keys: keys), hostName: "web1",
      rules: { _ in SenderRules(senders: [.domain("d.example")]) })
    var submission = try submission("\(from)\n\nbody\n")
    submission.sender = try Address("a@d.example")
    guard case .refused(let reply) = await intake.submit(submission) else {
      Issue.record("queued")
      return
    }
    #expect(reply.code == 550 && reply.status == "5.7.1")
  }

  @Test func `replaces the aliases of recipients, and the sender by the one that is forced`() async throws {
    let configuration = """
      { "transport": "c", "transports": { "c": { "plugin": "file" } }, "from": "a@example.com",
        "aliases": { "root": ["ops@a.example", "y@b.example"], "default": "rest@a.example" } }
      """
    let aliases = try Configuration.read(Array(configuration.utf8), file: "config.json", directory: "/")
      .aliases
    for (sender, forced, expected) in [
      ("kim@a.example", nil, "kim@a.example"), ("root@web1", nil, "root@web1"),
      ("kim@a.example", "Shop <shop@a.example>", "shop@a.example"), (nil, "shop@a.example", nil),
    ] as [(String?, String?, String?)] {
      let outbox = MemoryOutbox()
      let rules = SenderRules(forcedSender: try forced.map { try Mailbox($0) })
      let intake = SubmissionIntake(
        MailSubmission(store: MemoryVerificationStore(outbox: outbox), keys: keys), hostName: "web1",
        rules: { _ in rules }, aliases: aliases)
      var submission = try submission("From: x@a.example\n\nbody\n")
      submission.sender = try sender.map { try Address($0) }
      submission.recipients = try [
        "y@b.example", "root@web1", "z@b.example", "who@localhost", "root@c.example",
      ].map {
        try Address($0)
      }
      guard case .queued(let id) = await intake.submit(submission) else {
        Issue.record("not queued")
        return
      }
      let now = Timestamp.now()
      let lease = OutboxEntry.Lease(owner: "a", until: now + .seconds(30))
      let entry = try #require(try await outbox.claim(OutboxClaim(lease, now: now, limit: 2)).first)
      let mail = try OutboxContent(try keys.open(entry.content ?? [], id: id), id: id).mail
      #expect(mail.envelope.sender?.description == expected)
      #expect(
        mail.envelope.recipients.map(\.description)
          == ["y@b.example", "ops@a.example", "z@b.example", "rest@a.example", "root@c.example"])
    }
  }

  @Test func `counts the recipients of a submitter, and refuses for now those beyond its limit`() async throws
  {
    let seconds = Mutex(0)
    let rates = SubmitterRates(now: { .seconds(seconds.withLock { $0 }) })
    func intake(_ store: any OutboxStore) -> SubmissionIntake {
      SubmissionIntake(
        MailSubmission(store: store, keys: keys), hostName: "web1",
        rules: { _ in SenderRules(rate: [RateLimit(4, per: .seconds(3_600))]) }, rates: rates)
    }
    let working = intake(MemoryVerificationStore(outbox: MemoryOutbox()))
    let mail = try submission("\nbody\n")
    func code(_ intake: SubmissionIntake, _ submission: SMTPSubmission) async -> (Int, String?, String) {
      switch await intake.submit(submission) {
      case .queued: (250, nil, "")
      case .refused(let reply): (reply.code, reply.status, reply.text.joined())
      }
    }
    // What isn't stored isn't counted.
    for _ in 0..<9 { #expect(await code(intake(FailingStore(error: .full)), mail).0 == 452) }
    for _ in 0..<2 { #expect(await code(working, mail).0 == 250) }
    let refused = await code(working, mail)
    #expect(refused.0 == 450 && refused.1 == "4.7.1")
    #expect(refused.2.contains("the limit of 4 recipients in 1h is reached; try again in"), "\(refused)")
    // Another submitter has a limit of its own.
    var other = mail
    other.submitter = .local("www-data")
    #expect(await code(working, other).0 == 250)
    seconds.withLock { $0 = 3_700 }
    #expect(await code(working, mail).0 == 250)
    var large = mail
    large.recipients = try (0..<5).map { try Address("a\($0)@b.example") }
    let never = await code(working, large)
    #expect(never.0 == 550 && never.1 == "5.7.1", "\(never)")
  }

  @Test func `queues a mail in the lane of its submitter`() async throws {
    for lane in Lane.allCases {
      for id in [nil, MailIdentity.now().id] {
        let outbox = MemoryOutbox()
        let intake = SubmissionIntake(
          MailSubmission(store: MemoryVerificationStore(outbox: outbox), keys: keys), hostName: "web1",
          rules: { _ in SenderRules(lane: lane) })
        var submission = try submission("\nbody\n")
        submission.id = id
        _ = await intake.submit(submission)
        let now = Timestamp.now()
        let lease = OutboxEntry.Lease(owner: "a", until: now + .seconds(30))
        #expect(try await outbox.claim(OutboxClaim(lease, now: now, limit: 2)).map(\.lane) == [lane])
      }
    }
  }

  @Test(arguments: [
    ("user:printer", "From: a@b.example", nil, "user:printer"),
    (nil, "From: a@b.example", nil, "domain:b.example"),
    (nil, "From: a@c.example", nil, ""), (nil, "Subject: no author", nil, "domain:a.example"),
    (nil, "From: a@c.example", "App <app@b.example>", "domain:b.example"),
    (nil, "From: a", nil, "domain:mail.example"),
  ])
  func `queues a mail with the route of its submitter, or else of the author that it leaves with`(
    _ own: String?, _ header: String, _ forced: String?, _ route: String
  ) async throws {
    let outbox = MemoryOutbox()
    let routes = SenderRoutes(
      ["domain:a.example", "domain:b.example", "domain:mail.example"].map {
        ConfiguredRoute(key: $0, transports: ["ses"])
      })
    let forced = try forced.map { try Mailbox($0) }
    let intake = SubmissionIntake(
      MailSubmission(store: MemoryVerificationStore(outbox: outbox), keys: keys, routes: routes),
      hostName: "mail.example",
      rules: { _ in
        SenderRules(
          forcedSender: forced, route: own.map { ConfiguredRoute(key: $0, transports: ["smtp"]) })
      })
    _ = await intake.submit(try submission("\(header)\n\nFrom: a@b.example\n"))
    #expect(try await outbox.read(OutboxQuery()).entries.map(\.route) == [route])
  }

  /// Has room for each mail, and counts what it is handed.
  private final class CountingDispatch: ImmediateDispatch {
    let handedOver = Mutex<[String]>([])
    let released = Mutex(0)

    func reserve(_ lane: Lane, unknown: UnknownPolicy, route: String) async -> OutboxEntry.Lease? {
      OutboxEntry.Lease(owner: "a", until: .now() + .seconds(30))
    }
    func handOver(_ entry: OutboxEntry, _ mail: Mail) async { handedOver.withLock { $0.append(entry.id) } }
    func release() async { released.withLock { $0 += 1 } }
    func wake() {}
  }

  @Test func `doesn't send a mail again that comes a second time under its id`() async throws {
    let dispatch = CountingDispatch()
    let outbox = MemoryOutbox()
    let intake = SubmissionIntake(
      MailSubmission(store: MemoryVerificationStore(outbox: outbox), keys: keys, dispatch: dispatch),
      hostName: "mail.example")
    let id = MailIdentity.now().id
    var repeated = try submission("Subject: hi\n\nbody\n")
    repeated.id = id
    for _ in 0..<3 { #expect(await intake.submit(repeated) == .queued(id: id)) }
    #expect(dispatch.handedOver.withLock { $0 } == [id])
    #expect(dispatch.released.withLock { $0 } == 2)

    // The id of somebody else's mail, which Received makes known.
    repeated.submitter = .local("somebody-else")
    guard case .refused(let reply) = await intake.submit(repeated) else {
      Issue.record("the mail of another submitter must not be answered as queued")
      return
    }
    #expect(reply.code == 550 && reply.status == "5.7.1")
    #expect(dispatch.handedOver.withLock { $0 } == [id])
  }

  @Test func `adds a mail once under the id that it has`() async throws {
    let outbox = MemoryOutbox()
    let intake = SubmissionIntake(
      MailSubmission(store: MemoryVerificationStore(outbox: outbox), keys: keys), hostName: "mail.example")
    let mail = try SubmittedMail(Array("hi\n".utf8), lineEnds: .any)
    let id = MailIdentity.now().id
    for _ in 0..<2 {
      let result = await intake.submit(
        mail, sender: nil, recipients: [try Address("a@b")], submitter: .local("root"), id: id)
      #expect(result == .queued(id: id))
    }
    let now = Timestamp.now()
    let lease = OutboxEntry.Lease(owner: "a", until: now + .seconds(30))
    #expect(try await outbox.claim(OutboxClaim(lease, now: now, limit: 9)).map(\.id) == [id])
  }

  @Test(arguments: [
    (StorageError.Kind.full, 452, "4.3.1"), (.readOnly, 451, "4.3.0"), (.busy, 451, "4.3.0"),
    (.gone, 451, "4.3.0"),
    (.corrupt, 451, "4.3.0"), (.other("x"), 451, "4.3.0"), (.closed, 421, "4.3.2"),
  ])
  func `refuses for now what the store can't take`(_ error: StorageError.Kind, _ code: Int, _ status: String)
    async throws
  {
    let (reports, report) = AsyncStream.makeStream(of: StorageError.self)
    let intake = SubmissionIntake(
      MailSubmission(store: FailingStore(error: error), keys: keys), hostName: "h",
      report: { report.yield($0) })
    guard case .refused(let reply) = await intake.submit(try submission("\n")) else {
      Issue.record("queued")
      return
    }
    #expect(reply.code == code && reply.status == status)
    #expect(!reply.text.joined().contains("/secret"))
    report.finish()
    var reported: [StorageError] = []
    for await error in reports { reported.append(error) }
    #expect(reported.map(\.kind) == [error])
  }

  @Test func `refuses a mail in a loop, and one that it can't finish`() async throws {
    let intake = SubmissionIntake(
      MailSubmission(store: FailingStore(error: .full), keys: keys), hostName: "h")
    let loop = try submission(String(repeating: "Received: x\n", count: 101) + "\n")
    guard case .refused(let reply) = await intake.submit(loop) else {
      Issue.record("queued")
      return
    }
    #expect(reply.code == 554 && reply.status == "5.4.6")
    guard
      case .refused(let reply) = await intake.submit(
        try submission("X: " + String(repeating: "x", count: 300_000)))
    else {
      Issue.record("queued")
      return
    }
    #expect(reply.code == 550 && reply.status == "5.6.0")
  }
}
