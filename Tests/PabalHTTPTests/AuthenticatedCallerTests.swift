import HTTPTypes
import PabalCore
import Testing

@testable import PabalHTTP

/// Who a caller is: by its key, by its address, behind proxies.
@Suite struct AuthenticatedCallerTests {
  private let key: String
  private let withKeys: ServeConfiguration
  private let keyless: ServeConfiguration

  init() throws {
    let (key, configured) = APIClients.newKey()
    self.key = key
    let clients = #""clients": { "shop": ["\#(APIClients.newKey().configured)", "\#(configured)"] }"#
    withKeys = try RouterFixture.access(#"{ "listen": "127.0.0.1:0", \#(clients) }"#)
    keyless = try RouterFixture.access(
      #"{ "listen": "127.0.0.1:0", "keyless": true, "proxies": ["127.0.0.0/8", "10.0.0.1"], \#(clients) }"#)
  }

  private func caller(
    _ authorization: String?, forwarded: [String] = [], peer: String? = "127.0.0.1",
    _ access: ServeConfiguration
  ) throws(ProblemDetails) -> AuthenticatedCaller {
    var headers = HTTPFields()
    headers[.authorization] = authorization
    headers[values: .forwardedFor] = forwarded
    return try AuthenticatedCaller(headers, peer: peer, access)
  }

  @Test func `a key identifies its client, in any case of the scheme and with spaces around it`() throws {
    for authorization in ["Bearer \(key)", "bearer \(key)", "BEARER  \(key) "] {
      #expect(try caller(authorization, withKeys).name == "shop")
    }
  }

  @Test func `a request without a known key is refused where keys are required`() throws {
    for authorization in [
      nil, "", "Bearer", "Bearer ", "Bearer pabal_WRONG", "Bearer \(key)x", "Bearer \(key.lowercased())",
      "Basic \(key)", "Token \(key)", key, "Bearer \(key) \(key)",
    ] {
      let error = #expect(throws: ProblemDetails.self) { try caller(authorization, withKeys) }
      #expect(error?.kind == "unauthorized" && error?.status == .unauthorized)
      #expect(error?.headers[.wwwAuthenticate] == #"Bearer realm="pabal""#)
      #expect(error?.detail?.contains(key) == false)
    }
  }

  @Test func `a keyless service still refuses a wrong key`() throws {
    #expect(try caller(nil, keyless).name == nil)
    #expect(try caller("Bearer \(key)", keyless).name == "shop")
    #expect(throws: ProblemDetails.self) { try caller("Bearer pabal_WRONG", keyless) }
  }

  @Test(arguments: ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
  func `a caller without a key on this machine is an app, whose client is the one that it passes`(
    peer: String
  )
    throws
  {
    let app = try caller(nil, peer: peer, keyless)
    #expect(app.client("192.0.2.9") == "192.0.2.9" && app.client(nil) == nil && app.owner == .keyless)
  }

  @Test func `a person behind a trusted proxy is counted by its address, whatever it claims`() throws {
    for forwarded in ["192.0.2.1", "192.0.2.9, 192.0.2.1"] {
      let person = try caller(nil, forwarded: [forwarded], keyless)
      #expect(person.client("192.0.2.9") == "192.0.2.1" && person.client(nil) == "192.0.2.1")
    }
    let direct = try caller(nil, peer: "192.0.2.1", keyless)
    #expect(direct.client("192.0.2.9") == "192.0.2.1")
    // A trusted network's machine that claims to be this one is still not an app.
    #expect(try caller(nil, forwarded: ["127.0.0.1"], keyless).client("192.0.2.9") == "127.0.0.1")
  }

  @Test func `a request that a proxy passed on isn't an app's, by any of its headers`() throws {
    for name in ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"].compactMap({ HTTPField.Name($0) }) {
      let access = try RouterFixture.access(RouterFixture.keyless)
      let caller = try AuthenticatedCaller([name: "192.0.2.1"], peer: "127.0.0.1", access)
      #expect(caller.client("192.0.2.9") == "127.0.0.1", "\(name)")
    }
  }

  @Test func `a client has the scopes and the rate that are configured, and all scopes by default`()
    async throws
  {
    let (key, configured) = APIClients.newKey()
    let (other, otherConfigured) = APIClients.newKey()
    let fixture = try RouterFixture(
      serve: #"""
        { "listen": "127.0.0.1:0", "clients": {
          "prometheus": { "keys": "\#(configured)", "scopes": ["metrics"] },
          "shop": { "keys": ["\#(otherConfigured)"], "scopes": ["mail"], "rate": ["3/1h"] } } }
        """#)
    func send(
      _ key: String, _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil
    ) async throws -> RouterFixture.Answer {
      try await fixture.send(method, path, body, headers: [.authorization: "Bearer \(key)"])
    }
    #expect(try await send(key, .get, "/metrics").status == .ok)
    for (method, path) in [
      (HTTPRequest.Method.get, "/v1/mails/x"), (.post, "/v1/verifications"), (.get, "/v1/verifications/x"),
    ] {
      let answer = try await send(key, method, path)
      #expect(answer.status == .forbidden && answer.problem == "scope-missing", "\(path)")
    }
    #expect(try await send(other, .get, "/metrics").problem == "scope-missing")
    #expect(try await send(other, .post, "/v1/proofs/redeem").problem == "scope-missing")
    let mail = #"{"to": ["a@example.org", "b@example.org"], "message": "verification"}"#
    #expect(try await send(other, .post, "/v1/mails", mail).status == .accepted)
    let refused = try await send(other, .post, "/v1/mails", mail)
    #expect(refused.status == .tooManyRequests && refused.body.contains(#""limit":"rate""#))
    #expect(refused.body.contains("serve.clients") && refused.headers[.retryAfter] != nil)
  }

  @Test func `a client gets 404 for what another one made, and finds only its own`() async throws {
    let (key, configured) = APIClients.newKey()
    let (other, otherConfigured) = APIClients.newKey()
    let fixture = try RouterFixture(
      serve: #"""
        { "listen": "127.0.0.1:0", "keyless": true,
          "clients": { "shop": "\#(configured)", "other": ["\#(otherConfigured)"] } }
        """#)
    func send(
      _ key: String?, _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil
    ) async throws -> RouterFixture.Answer {
      var headers = HTTPFields()
      headers[.authorization] = key.map { "Bearer \($0)" }
      headers[.idempotencyKey] = method == .post ? "the same" : nil
      return try await fixture.send(method, path, body, headers: headers)
    }
    let started = try await send(key, .post, "/v1/verifications", #"{"to": "kim+a@example.org"}"#)
    let id = String(try #require(started.body.firstMatch(of: /"id":"([0-9A-Z]{26})"/)).1)
    let mail = String(try #require(started.body.firstMatch(of: /"mail":"([^"]+)"/)).1)
    for stranger in [other, nil] {
      for (method, path, body) in [
        (HTTPRequest.Method.get, "/v1/verifications/\(id)", String?.none),
        (.post, "/v1/verifications/\(id)/check", #"{"code": "123456"}"#),
        (.post, "/v1/verifications/\(id)/resend", nil), (.post, "/v1/verifications/\(id)/cancel", nil),
        (.get, "/v1/mails/\(mail)", nil),
      ] {
        #expect(try await send(stranger, method, path, body).status == .notFound, "\(path)")
      }
      let found = try await send(stranger, .get, "/v1/verifications?to=kim%40example.org")
      #expect(found.status == .ok && found.body == #"{"verifications":[]}"#)
    }
    for query in [
      "to=kim%40example.org", "to=Kim+b@EXAMPLE.org", "reference=\(id.suffix(6))", "to=%20kim@example.org",
    ] {
      let found = try await send(key, .get, "/v1/verifications?\(query)")
      #expect(found.status == .ok && found.body.contains(id) && !found.body.contains("kim"), "\(query)")
      #expect(fixture.lastReport?.route == "/v1/verifications")
    }
    for query in [
      "", "?", "?to=", "?to=kim", "?reference=x", "?to=a@b.co&reference=ABCDEF", "?to=a@b.co&x=1", "?x=1",
    ] {
      #expect(try await send(key, .get, "/v1/verifications\(query)").problem == "invalid-request", "\(query)")
    }
    #expect(try await send(key, .get, "/v1/mails/\(mail)").status == .ok)
  }

  @Test func `callers without a key have a limit of their own, which names its cure`() async throws {
    let fixture = try RouterFixture(
      serve:
        #"{ "listen": "127.0.0.1:0", "keyless": true, "keylessStarts": ["12/24h"], "keylessChecks": ["2/24h"] }"#
    )
    var ids: [String] = []
    for number in 0..<12 {
      let answer = try await fixture.send(.post, "/v1/verifications", #"{"to": "a\#(number)@example.org"}"#)
      #expect(answer.status == .accepted)
      ids.append(String(try #require(answer.body.firstMatch(of: /"id":"([0-9A-Z]{26})"/)).1))
    }
    let refused = try await fixture.send(
      .post, "/v1/verifications", #"{"to": "x@example.org", "client": {"ip": "192.0.2.1"}}"#)
    #expect(refused.status == .tooManyRequests && refused.body.contains(#""limit":"keyless""#))
    #expect(refused.body.contains("serve.keylessStarts") && refused.body.contains("pabal keys client"))
    for (id, status) in zip(ids, [HTTPResponse.Status.ok, .ok, .tooManyRequests]) {
      #expect(
        try await fixture.send(.post, "/v1/verifications/\(id)/check", #"{"code": "x"}"#).status == status)
    }
  }

  @Test func `limits count a caller with a key by the client that it names, if it names one`() throws {
    let shop = try caller("Bearer \(key)", forwarded: ["192.0.2.3"], withKeys)
    #expect(shop.client("192.0.2.9") == "192.0.2.9" && shop.client(nil) == nil)
  }

  @Test(arguments: [
    ("127.0.0.1", ["192.0.2.1"], "192.0.2.1"),
    ("127.0.0.1", ["192.0.2.66, 192.0.2.1, 10.0.0.1"], "192.0.2.1"),
    ("127.0.0.1", ["192.0.2.66", "192.0.2.1", "10.0.0.1"], "192.0.2.1"),
    ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
    ("127.0.0.1", ["unknown"], "127.0.0.1"),
    ("127.0.0.1", ["192.0.2.1, unknown"], "127.0.0.1"),
    ("::ffff:127.0.0.1", ["192.0.2.1"], "192.0.2.1"),
    ("192.0.2.7", ["192.0.2.1"], "192.0.2.7"),
  ])
  func `X-Forwarded-For counts from its end, as far as proxies are trusted`(
    peer: String, forwarded: [String], address: String
  ) throws {
    #expect(try caller(nil, forwarded: forwarded, peer: peer, keyless).address == address)
  }

  @Test func `X-Forwarded-For of a caller that isn't a trusted proxy is ignored`() throws {
    let access = try RouterFixture.access(RouterFixture.keyless)
    #expect(try caller(nil, forwarded: ["192.0.2.1"], access).address == "127.0.0.1")
  }

  @Test(arguments: [
    ("localhost", true), ("LOCALHOST:8025", true), ("127.0.0.1", true), ("127.0.0.1:8025", true),
    ("[::1]:8025", true), ("192.0.2.1", true), ("rebound.example", false), ("localhost.example:80", false),
    ("127.0.0.1.example", false), ("2130706433", false), ("0x7f.1", false), ("", false),
  ])
  func `a keyless service answers only to this machine's names and to IP addresses`(
    authority: String, isServed: Bool
  ) async throws {
    let fixture = try RouterFixture(hasDemo: true)
    for path in ["/v1/mails/abc", "/"] {
      let answer = try await fixture.send(.get, path, authority: authority)
      #expect((answer.problem == "misdirected") == !isServed, "\(path): \(answer.body)")
    }
    #expect(try await fixture.send(.get, "/healthz", authority: authority).status == .ok)
  }

  @Test func `a service with keys or behind a proxy answers to any name`() async throws {
    let (key, configured) = APIClients.newKey()
    let withKeys = try RouterFixture(
      serve: #"{ "listen": "127.0.0.1:0", "keyless": true, "clients": { "shop": "\#(configured)" } }"#)
    let answer = try await withKeys.send(
      .get, "/v1/mails/abc", headers: [.authorization: "Bearer \(key)"], authority: "shop.example.com")
    #expect(answer.problem == "no-such-mail" && withKeys.lastReport?.client == "shop")
    let behindProxy = try RouterFixture(
      serve: #"{ "listen": "127.0.0.1:0", "keyless": true, "proxies": ["127.0.0.1"] }"#)
    #expect(
      try await behindProxy.send(.get, "/v1/mails/abc", authority: "shop.example.com").problem
        == "no-such-mail")
  }

  @Test func `only a caller that may use the API learns the details of readiness`() async throws {
    let (key, configured) = APIClients.newKey()
    let fixture = try RouterFixture(
      serve: #"{ "listen": "127.0.0.1:0", "clients": { "shop": "\#(configured)" } }"#)
    #expect(try await fixture.send(.get, "/readyz").body == #"{"status":"ready"}"#)
    let answer = try await fixture.send(.get, "/readyz", headers: [.authorization: "Bearer \(key)"])
    #expect(answer.body == #"{"detail":{"a":"b"},"status":"ready"}"#)
  }
}
