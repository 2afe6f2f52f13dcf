import HTTPTypes
import PabalCore
import Testing

@testable import PabalHTTP

/// `POST /v1/mails` with a finished mail, and with attachments.
@Suite struct MailRequestTests {
  private static let mail = "Subject: hello\nTo: kim@example.com\n\nA line\n"
  private static let envelope = "/v1/mails?from=shop@example.com&to=kim%40example.com"

  private func submit(
    _ fixture: RouterFixture, _ path: String = envelope, _ mail: String = mail,
    type: String? = "message/rfc822",
    headers: HTTPFields = [:]
  ) async throws -> RouterFixture.Answer {
    var headers = headers
    headers[.contentType] = type
    return try await fixture.send(.post, path, raw: mail, headers: headers)
  }

  @Test(arguments: ["message/rfc822", "Message/RFC822; charset=utf-8", "message/global"])
  func `a finished mail is queued, and its state can be asked for`(type: String) async throws {
    let fixture = try RouterFixture()
    let added = try await submit(fixture, type: type)
    #expect(added.status == .accepted)
    let location = try #require(added.headers[.location])
    let shown = try await fixture.send(.get, location)
    #expect(shown.status == .ok && shown.body == added.body && shown.body.contains(#""status":"waiting""#))
  }

  @Test(arguments: [
    ("", ["from"]), ("?", ["from"]), ("?to=kim@example.com", ["from"]), ("?from=a@example.com", ["to"]),
    ("?from=a@example.com&to=", ["to[0]"]),
    ("?from=a@example.com&from=b@example.com&to=k@example.com", ["from"]),
    ("?from=someone&to=k@example.com&to=kim&to=%ff@example.com", ["from", "to[1]", "to[2]"]),
    ("?from=a@example.com&to=k@example.com%0d%0aRCPT%20TO:<x@example.com>", ["to[0]"]),
    ("?from=a@example.com&to=k@example.com%00", ["to[0]"]), ("?from=a@example.com&to=a%4", ["to[0]"]),
    ("?form=a@example.com&to=k@example.com", [""]), ("?from=a@example.com&To=k@example.com", [""]),
    ("?from=a@example.com&to=a@example.com,b@example.com", ["to[0]"]),
    ("?from=%3C&to=k@example.com", ["from"]),
  ])
  func `an envelope that isn't one is answered with all its mistakes`(query: String, fields: [String])
    async throws
  {
    let answer = try await submit(RouterFixture(), "/v1/mails\(query)")
    #expect(answer.status == .badRequest && answer.problem == "invalid-request")
    let named = answer.body.matches(of: /"field":"([^"]*)"/).map { String($0.1) }
    #expect(named == fields, "\(answer.body)")
  }

  @Test func `a null sender, plus signs and names of other scripts are envelopes`() async throws {
    let fixture = try RouterFixture()
    for query in [
      "from=&to=k@example.com", "from=%3C%3E&to=k@example.com", "from&to=k@example.com",
      "from=a+b@example.com&to=k+tag@example.com", "from=a@example.com&to=%EA%B9%80@%ED%95%9C%EA%B5%AD.kr",
    ] {
      #expect(try await submit(fixture, "/v1/mails?\(query)").status == .accepted, "\(query)")
    }
    let query = try EnvelopeQuery(
      "from=a%2Bb@example.com&to=k+1@example.com&to=k+1@EXAMPLE.com&to=%6B@x.example")
    #expect(query.envelope.sender?.description == "a+b@example.com")
    #expect(query.envelope.recipients.map(\.description) == ["k+1@example.com", "k@x.example"])
    #expect(try EnvelopeQuery("from=<>&to=k@example.com").envelope.sender == nil)
    let many = (0...1_000).map { "to=k\($0)@example.com" }.joined(separator: "&")
    #expect(throws: ProblemDetails.self) { try EnvelopeQuery("from=&" + many) }
    #expect(
      try EnvelopeQuery("from=&" + many.replacing("to=k0@example.com&", with: "")).envelope.recipients.count
        == 1_000)
  }

  @Test(arguments: [
    ("", "body"), ("Subject: a\rBcc: x@example.com\n\nx\n", "header line 1"),
    ("Subject: a\0\n\nx\n", "header line 1"),
    (String(repeating: "Received: by x\n", count: 101) + "\nx", "received"),
  ])
  func `a mail that can't be sent is refused`(mail: String, field: String) async throws {
    let answer = try await submit(RouterFixture(), Self.envelope, mail)
    #expect(answer.status == .badRequest && answer.body.contains(#""field":"\#(field)""#), "\(answer.body)")
  }

  @Test func `another type is refused, and says which are accepted`() async throws {
    for type in [nil, "text/plain", "message/partial", "multipart/form-data", "message/rfc822x"] {
      let answer = try await submit(RouterFixture(), type: type)
      #expect(
        answer.status == .unsupportedMediaType && answer.body.contains("message/rfc822 for"), "\(type ?? "")")
    }
  }

  @Test func `a repeated mail has no effect, and another mail, envelope or type needs another key`()
    async throws
  {
    let fixture = try RouterFixture()
    let headers: HTTPFields = [.idempotencyKey: "k"]
    let first = try await submit(fixture, headers: headers)
    #expect(first.status == .accepted)
    // The same envelope, written in another way.
    let again = try await submit(
      fixture, "/v1/mails?to=kim@example.com&from=shop%40example.com", headers: headers)
    #expect(again.status == .accepted && again.body == first.body)
    for (path, mail, type) in [
      (Self.envelope, Self.mail + "x", "message/rfc822"), (Self.envelope, Self.mail, "message/global"),
      (Self.envelope + "&to=lee@example.com", Self.mail, "message/rfc822"),
      ("/v1/mails?from=&to=kim@example.com", Self.mail, "message/rfc822"),
    ] {
      let other = try await submit(fixture, path, mail, type: type, headers: headers)
      #expect(other.problem == "idempotency-key-reused", "\(path)")
    }
  }

  @Test func `the rate and the scope of a client count for finished mails, one for each recipient`()
    async throws
  {
    let (key, configured) = APIClients.newKey()
    let (other, otherConfigured) = APIClients.newKey()
    let fixture = try RouterFixture(
      serve: #"""
        { "listen": "127.0.0.1:0", "clients": {
            "shop": { "keys": "\#(configured)", "rate": ["3/1h"] },
            "forms": { "keys": "\#(otherConfigured)", "scopes": ["verify"] } } }
        """#)
    let shop: HTTPFields = [.authorization: "Bearer \(key)"]
    let two = Self.envelope + "&to=lee@example.com"
    let first = try await submit(fixture, two, headers: shop)
    #expect(first.status == .accepted)
    #expect(try await submit(fixture, two, headers: shop).status == .tooManyRequests)
    #expect(try await submit(fixture, headers: shop).status == .accepted)
    let forms: HTTPFields = [.authorization: "Bearer \(other)"]
    #expect(try await submit(fixture, headers: forms).problem == "scope-missing")
    #expect(try await submit(fixture).status == .unauthorized)
    let location = try #require(first.headers[.location])
    #expect(try await fixture.send(.get, location, headers: shop).status == .ok)
  }

  @Test func `a mail over the limit on its size is refused before anything is stored`() async throws {
    let fixture = try RouterFixture(
      serve: #"{ "listen": "127.0.0.1:0", "keyless": true, "mails": { "size": 100000, "memory": 1048576 } }"#)
    #expect(
      try await submit(fixture, Self.envelope, Self.mail + String(repeating: "x", count: 90_000)).status
        == .accepted)
    let large = try await submit(fixture, Self.envelope, Self.mail + String(repeating: "x", count: 100_000))
    #expect(large.status == .contentTooLarge && large.body.contains("serve.mails.size"))
    #expect(large.headers[.connection] == "close")
    func attach(_ content: String, more: String = "") async throws -> RouterFixture.Answer {
      try await fixture.send(
        .post, "/v1/mails",
        #"{"to": "k@example.com", "message": "verification", "attachments": [{"name": "x", "content": "\#(content)"}]\#(more)}"#
      )
    }
    #expect(try await attach(String(repeating: "eHh4", count: 23_000)).status == .accepted)
    // The stub's mail has no attachments: what is left is the rest of the body.
    let rest = try await attach(
      "eHh4", more: #", "variables": {"a": "\#(String(repeating: "b", count: 66_000))"}"#)
    #expect(rest.status == .contentTooLarge && rest.body.contains("Without its attachments"))
    let values = try await attach(
      "eHh4", more: #", "variables": [\#(String(repeating: "1,", count: 40_000))1]"#)
    #expect(values.status == .contentTooLarge && values.body.contains("Without its attachments"))
  }

  @Test(
    arguments: [
      (#"[{"name": "x.pdf", "content": "JVBERi0xLjcK"}]"#, nil), ("[]", nil),
      (#"[{"name": "x.pdf", "type": "text/csv; charset=utf-8", "content": "JVBERi0x\nLjcK\n"}]"#, nil),
      (#"[{"name": "x", "content": ""}]"#, nil), (#"[{"name": "x", "content": "eA"}]"#, nil),
      (#"{"name": "x"}"#, "attachments"), (#"["x"]"#, "attachments[0]"),
      (#"[{"name": "x"}]"#, "attachments[0].content"),
      (#"[{"content": "eA=="}]"#, "attachments[0].name"),
      (#"[{"name": "a/b", "content": "eA=="}]"#, "attachments[0].name"),
      (#"[{"name": "a\r\nBcc: x@y", "content": "eA=="}]"#, "attachments[0].name"),
      (#"[{"name": "x", "type": "a\r\nb/c", "content": "eA=="}]"#, "attachments[0].type"),
      (#"[{"name": "x", "type": "multipart/mixed", "content": "eA=="}]"#, "attachments[0].type"),
      (#"[{"name": "x", "content": "e*=="}]"#, "attachments[0].content"),
      (#"[{"name": "x", "content": "e"}]"#, "attachments[0].content"),
      (#"[{"name": "x", "content": "eA==", "path": "/etc/passwd"}]"#, "attachments[0].path"),
    ] as [(String, String?)])
  func `an attachment is a name, a type and base64, and a mistake names its field`(
    json: String, field: String?
  )
    async throws
  {
    let answer = try await RouterFixture().send(
      .post, "/v1/mails", #"{"to": "k@example.com", "message": "verification", "attachments": \#(json)}"#)
    if let field {
      #expect(answer.status == .badRequest && answer.body.contains(#""field":"\#(field)""#), "\(answer.body)")
    } else {
      #expect(answer.status == .accepted, "\(answer.body)")
    }
  }

  @Test func `replyTo is one mailbox, and can't add a field`() async throws {
    let fixture = try RouterFixture()
    for (value, isAccepted) in [
      (#""support@example.com""#, true), (#""고객지원 <support@example.com>""#, true), (#""""#, false),
      ("[]", false),
      (#""a@example.com, b@example.com""#, false), (#""a@example.com\r\nBcc: x@example.com""#, false),
      ("null", false),
    ] {
      let answer = try await fixture.send(
        .post, "/v1/mails", #"{"to": "k@example.com", "message": "verification", "replyTo": \#(value)}"#)
      #expect(answer.status == (isAccepted ? .accepted : .badRequest), "\(value): \(answer.body)")
      if !isAccepted { #expect(answer.body.contains(#""field":"replyTo""#)) }
    }
  }

  @Test func `the memory for large bodies is shared, and each client has half of it`() throws {
    let access = try RouterFixture.access(
      #"{ "listen": "127.0.0.1:0", "keyless": true, "mails": { "size": 600000, "memory": 1048576 } }"#)
    let memory = MailMemory()
    let (one, two) = (
      memory.hold(for: .client("a"), access.mails), memory.hold(for: .client("a"), access.mails)
    )
    let other = memory.hold(for: .client("b"), access.mails)
    #expect(
      one.resize(to: 600_000) && !two.resize(to: 1) && other.resize(to: 448_576) && !other.resize(to: 448_577)
    )
    one.release()
    #expect(memory.size == 448_576 && two.resize(to: 600_000))
    two.release()
    two.release()
    other.release()
    #expect(memory.size == 0)
  }
}
