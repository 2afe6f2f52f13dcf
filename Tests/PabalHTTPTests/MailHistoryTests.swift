import HTTPTypes
import PabalCore
import Testing

@testable import PabalHTTP

/// `GET /v1/mails`, `POST /v1/mails/search`, and what became of recipients.
@Suite struct MailHistoryTests {
  private static func client(_ more: String = "") -> (serve: String, key: String, configured: String) {
    let made = APIClients.newKey()
    return ("", made.key, #"{ "keys": "\#(made.configured)"\#(more) }"#)
  }

  private struct Found {
    let ids: [String]
    let next: String?

    init(_ answer: RouterFixture.Answer) {
      ids = answer.body.matches(of: /"id":"([0-9A-Z]{26})"/).map { String($0.1) }
      next = answer.body.firstMatch(of: /"next":"([0-9A-Z]{26})"/).map { String($0.1) }
    }
  }

  private func submit(
    _ fixture: RouterFixture, to recipients: String..., key: String? = nil
  ) async throws -> String {
    var headers: HTTPFields = [.contentType: "message/rfc822"]
    if let key { headers[.authorization] = "Bearer \(key)" }
    let query = recipients.map { "&to=\($0)" }.joined()
    let answer = try await fixture.send(
      .post, "/v1/mails?from=shop@example.com\(query)", raw: "Subject: x\n\nx\n", headers: headers)
    #expect(answer.status == .accepted, "\(answer.body)")
    return try #require(Found(answer).ids.first)
  }

  private func find(
    _ fixture: RouterFixture, _ query: String, key: String? = nil
  ) async throws -> Found {
    let headers: HTTPFields = key.map { [.authorization: "Bearer \($0)"] } ?? [:]
    let answer = try await fixture.send(.get, "/v1/mails\(query)", headers: headers)
    #expect(answer.status == .ok, "\(answer.body)")
    #expect(!answer.body.contains("kim"))
    return Found(answer)
  }

  @Test func `mail is found by recipient, state and page, with the address in the URL or the body`()
    async throws
  {
    let fixture = try RouterFixture()
    let first = try await submit(fixture, to: "kim+orders@example.org")
    let second = try await submit(fixture, to: "lee@example.org", "kim@EXAMPLE.org")
    let third = try await submit(fixture, to: "park@example.org")
    #expect(try await find(fixture, "").ids == [third, second, first])
    #expect(try await find(fixture, "?to=kim@example.org").ids == [second, first])
    #expect(try await find(fixture, "?to=KIM+x%40example.org").ids == [second, first])
    #expect(try await find(fixture, "?to=other@example.org").ids.isEmpty)
    let page = try await find(fixture, "?limit=2")
    #expect(page.ids == [third, second] && page.next == second)
    let last = try await find(fixture, "?limit=2&before=\(second)")
    #expect(last.ids == [first] && last.next == nil)
    #expect(try await find(fixture, "?state=waiting&state=sent").ids.count == 3)
    #expect(try await find(fixture, "?state=sent").ids.isEmpty)
    for (body, ids) in [
      ("{}", [third, second, first]), (#"{"to": " kim@example.org "}"#, [second, first]),
      (#"{"to": "kim@example.org", "limit": 1, "state": ["waiting", "sent"]}"#, [second]),
      (#"{"before": "\#(second)", "state": "waiting"}"#, [first]), (#"{"submitter": "client:shop"}"#, []),
    ] {
      let answer = try await fixture.send(.post, "/v1/mails/search", body)
      #expect(answer.status == .ok && Found(answer).ids == ids, "\(body) \(answer.body)")
    }
    #expect(fixture.lastReport?.route == "/v1/mails/search")
    _ = try await find(fixture, "?to=kim@example.org")
    // What logs and metrics get doesn't have the query.
    #expect(fixture.lastReport?.route == "/v1/mails")
  }

  @Test func `a client finds its own mail, and with the scope that of all submitters`() async throws {
    let (shop, desk, all) = (Self.client(), Self.client(), Self.client(#", "scopes": ["mail", "history"]"#))
    let (verify, history) = (
      Self.client(#", "scopes": ["verify"]"#), Self.client(#", "scopes": ["history"]"#)
    )
    let fixture = try RouterFixture(
      serve: """
        { "listen": "127.0.0.1:0", "clients": { "shop": \(shop.configured), "desk": \(desk.configured),
          "all": \(all.configured), "verify": \(verify.configured), "history": \(history.configured) } }
        """)
    let first = try await submit(fixture, to: "kim@example.org", key: shop.key)
    let second = try await submit(fixture, to: "kim@example.org", key: desk.key)
    let submission = MailSubmission(
      store: MemoryVerificationStore(outbox: fixture.outbox), keys: fixture.keys)
    let third = MailIdentity.now().id
    let mail = try MailDraft(
      from: try Mailbox("a@example.com"), to: [try Mailbox("kim@example.org")], subject: "x", text: "x"
    ).finish(identity: MailIdentity.now().withID(third))
    _ = try await submission.acting(for: .submitter(.user("printer"))).addOnce(mail)
    #expect(try await find(fixture, "?to=kim@example.org", key: shop.key).ids == [first])
    #expect(try await find(fixture, "?submitter=client:shop", key: shop.key).ids == [first])
    #expect(try await find(fixture, "?submitter=client:desk", key: shop.key).ids.isEmpty)
    #expect(try await find(fixture, "?submitter=user%3Aprinter", key: shop.key).ids.isEmpty)
    #expect(try await find(fixture, "", key: desk.key).ids == [second])
    #expect(try await find(fixture, "?to=kim@example.org", key: all.key).ids == [third, second, first])
    #expect(try await find(fixture, "?submitter=user:printer", key: all.key).ids == [third])
    let shown = try await fixture.send(
      .get, "/v1/mails", headers: [.authorization: "Bearer \(all.key)"])
    #expect(shown.body.contains(#""submitter":"user:printer""#) && shown.body.contains(#""created_at":"#))
    for (key, status) in [(all.key, 200), (shop.key, 404)] {
      let one = try await fixture.send(
        .get, "/v1/mails/\(third)", headers: [.authorization: "Bearer \(key)"])
      #expect(one.status.code == status)
    }
    for key in [verify.key, history.key] {
      let refused = try await fixture.send(.get, "/v1/mails", headers: [.authorization: "Bearer \(key)"])
      #expect(refused.status == .forbidden && refused.problem == "scope-missing")
    }
    #expect(try await fixture.send(.get, "/v1/mails").status == .unauthorized)
    #expect(try await fixture.send(.post, "/v1/mails/search", "{}").status == .unauthorized)
  }

  @Test(arguments: [
    ("?to=kim", ["to"]), ("?to=", ["to"]), ("?limit=0&before=x", ["limit", "before"]),
    ("?limit=+5", ["limit"]),
    ("?limit=1001", ["limit"]), ("?state=held", ["state"]), ("?recipient=kim@example.org", [""]),
    ("?to=a@example.org&to=b@example.org", ["to"]), ("?submitter=", ["submitter"]), ("?to=%ff@x", ["to"]),
  ])
  func `a search that isn't one is answered with all its mistakes`(query: String, fields: [String])
    async throws
  {
    let answer = try await RouterFixture().send(.get, "/v1/mails\(query)")
    #expect(answer.status == .badRequest && answer.problem == "invalid-request")
    #expect(answer.body.matches(of: /"field":"([^"]*)"/).map { String($0.1) } == fields, "\(answer.body)")
  }

  @Test(arguments: [
    #"{"to": "kim"}"#, #"{"limit": "5"}"#, #"{"limit": 0}"#, #"{"state": ["held"]}"#,
    #"{"state": []}"#,
    #"{"recipient": "a@b"}"#,
    #"{"before": 1}"#, "[]", "", #"{"submitter": ""}"#,
  ])
  func `a body that isn't a search is refused`(body: String) async throws {
    let answer = try await RouterFixture().send(.post, "/v1/mails/search", body)
    #expect(answer.status == .badRequest, "\(answer.body)")
  }

  @Test func `what became of recipients is in the status of a mail`() async throws {
    let fixture = try RouterFixture()
    let id = try await submit(fixture, to: "kim@example.org", "lee@example.org")
    let before = try await fixture.send(.get, "/v1/mails/\(id)")
    #expect(!before.body.contains("events"))
    let now = Timestamp.now()
    let claim = OutboxClaim(OutboxEntry.Lease(owner: "a", until: now + .seconds(60)), now: now, limit: 1)
    let entry = try #require(try await fixture.outbox.claim(claim).first)
    var settlement = OutboxSettlement(entry, .final(.sent), outcome: "sent", now: now)
    settlement.marks = [
      RecipientMark(
        position: 1, kind: .bounced, status: "5.1.1",
        sealed: fixture.keys.seal(Array("lee@example.org".utf8), id: id), at: now)
    ]
    _ = try await fixture.outbox.settle([settlement])
    let event =
      #""events":[{"at":"\#(now.text)","code":"5.1.1","event":"bounced","recipient":2,"to_masked":"l***@example.org"}]"#
    for path in ["/v1/mails/\(id)", "/v1/mails?to=lee@example.org"] {
      let answer = try await fixture.send(.get, path)
      #expect(answer.body.contains(event), "\(answer.body)")
    }
  }
}

/// Finished mails by HTTP follow the rules of other submissions.
@Suite struct FinishedMailRuleTests {
  private static let aliases = #"{ "root": "ops@a.example", "team": ["kim@a.example", "lee@b.example"] }"#

  private func submit(
    _ fixture: RouterFixture, _ query: String, _ mail: String, key: String? = nil
  ) async throws -> RouterFixture.Answer {
    var headers: HTTPFields = [.contentType: "message/rfc822"]
    if let key { headers[.authorization] = "Bearer \(key)" }
    return try await fixture.send(.post, "/v1/mails?\(query)", raw: mail, headers: headers)
  }

  private func queued(_ fixture: RouterFixture) async throws -> Mail {
    let entry = try #require(try await fixture.outbox.read(OutboxQuery(withContent: true)).entries.first)
    return try OutboxContent(try fixture.keys.open(entry.content ?? [], id: entry.id), id: entry.id).mail
  }

  @Test func `aliases are replaced, names completed, and broken signatures removed`() async throws {
    let fixture = try RouterFixture(aliases: Self.aliases)
    let mail = """
      DKIM-Signature: v=1; d=example.com; h=to
      DKIM-Signature: v=1; d=other.example; h=subject
      From: Cron <root>
      To: root@web1, team
      Subject: x

      text

      """
    let answer = try await submit(
      fixture, "from=a@example.com&to=root@web1&to=team@web1&to=kim@a.example", mail)
    #expect(answer.status == .accepted, "\(answer.body)")
    let queued = try await queued(fixture)
    #expect(
      queued.envelope.recipients.map(\.description) == ["ops@a.example", "kim@a.example", "lee@b.example"])
    let text = String(decoding: queued.bytes, as: UTF8.self)
    #expect(text.contains("\r\nFrom: Cron <root@mail.example.com>\r\n"))
    #expect(text.contains("\r\nTo: ops@a.example, team@mail.example.com\r\n"))
    #expect(!text.contains("d=example.com") && text.contains("d=other.example"))
    #expect(fixture.removedSignatures == ["example.com to"])
  }

  @Test func `a header that aliases make too large is refused`() async throws {
    let fixture = try RouterFixture(aliases: Self.aliases)
    let names = Array(repeating: "team@web1", count: 18_000).joined(separator: ",\n ")
    let answer = try await submit(
      fixture, "from=a@example.com&to=kim@a.example", "To: \(names)\nSubject: x\n\nx\n")
    #expect(answer.status == .badRequest && answer.body.contains("aliases"), "\(answer.body.prefix(500))")
    #expect(try await fixture.outbox.read(OutboxQuery()).entries.isEmpty)
  }

  @Test func `without free disk space, no mail is taken`() async throws {
    for (free, status) in [(1_000, 507), (2_000, 202)] {
      let fixture = try RouterFixture(
        serve: #"{ "listen": "127.0.0.1:0", "keyless": true, "mails": { "freeSpace": 1500 } }"#, free: free)
      let answer = try await submit(fixture, "from=a@example.com&to=b@example.com", "Subject: x\n\nx\n")
      #expect(answer.status.code == status)
      let composed = try await fixture.send(
        .post, "/v1/mails", #"{"to": "b@example.com", "message": "verification"}"#)
      #expect(composed.status.code == status)
      guard status == 507 else { continue }
      #expect(answer.problem == "insufficient-storage" && answer.headers[.retryAfter] == "60")
    }
  }

  @Test func `a client sends as its senders only, or as the forced one`() async throws {
    let (one, two) = (APIClients.newKey(), APIClients.newKey())
    let fixture = try RouterFixture(
      serve: """
        { "listen": "127.0.0.1:0", "clients": {
          "one": { "keys": "\(one.configured)", "senders": ["shop.example"] },
          "two": { "keys": "\(two.configured)", "forcedSender": "Two <two@shop.example>" } } }
        """)
    for (sender, header, status) in [
      ("a@shop.example", "From: a@shop.example", 202), ("", "From: a@shop.example", 202),
      ("a@other.example", "From: a@shop.example", 403), ("a@shop.example", "From: a@other.example", 403),
      ("a@shop.example", "From: a@shop.example\nSender: b@other.example", 403),
      ("a@shop.example", "From: a@shop.example\nResent-From: b@other.example", 403),
      ("a@shop.example", "From: not an <address", 403),
    ] {
      let answer = try await submit(
        fixture, "from=\(sender)&to=b@example.com", "\(header)\n\nx\n", key: one.key)
      #expect(answer.status.code == status, "\(sender) \(header): \(answer.body)")
      if status == 403 { #expect(answer.problem == "sender-not-allowed") }
    }
    let forced = try await submit(
      fixture, "from=a@other.example&to=b@example.com", "From: A <a@other.example>\n\nx\n", key: two.key)
    #expect(forced.status == .accepted)
    let mail = try await queued(fixture)
    #expect(mail.envelope.sender?.description == "two@shop.example")
    let text = String(decoding: mail.bytes, as: UTF8.self)
    #expect(text.contains("\r\nFrom: Two <two@shop.example>\r\n"))
    #expect(text.contains("\r\nReply-To: A <a@other.example>\r\n"))
  }
}
