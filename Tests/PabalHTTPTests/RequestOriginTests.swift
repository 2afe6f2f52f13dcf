import HTTPTypes
import PabalCore
import Testing

@testable import PabalHTTP

/// Requests without a key that came by a way on which their sender isn't known.
@Suite struct RequestOriginTests {
  private static let proxied = #"{ "listen": "127.0.0.1:0", "keyless": true, "proxies": ["127.0.0.1"] }"#

  private func field(_ name: String, _ value: String = "203.0.113.7") throws -> HTTPFields {
    var headers = HTTPFields()
    headers[try #require(HTTPField.Name(name))] = value
    return headers
  }

  @Test(arguments: [
    "X-Forwarded-For", "x-forwarded-for", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Proto",
    "X-Forwarded-Host", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP", "X-ARR-LOG-ID",
    "X-Envoy-External-Address", "X-Azure-ClientIP", "CDN-Loop",
  ])
  func `a keyless service refuses a request that passed an unlisted proxy`(name: String) async throws {
    let fixture = try RouterFixture(hasDemo: true)
    for (method, path) in [
      (HTTPRequest.Method.get, "/v1/mails/abc"), (.post, "/v1/verifications"), (.get, "/metrics"),
      (.get, "/"),
      (.post, "/demo/start"),
    ] {
      let answer = try await fixture.send(method, path, "{}", headers: try field(name))
      #expect(answer.status == .forbidden && answer.problem == "unlisted-proxy", "\(path)")
      #expect(answer.body.contains("serve.proxies"), "\(answer.body)")
    }
    #expect(fixture.warnings.count == 1 && fixture.warnings[0].contains("serve.proxies"))
    // Health checks come through load balancers, but learn no details.
    #expect(try await fixture.send(.get, "/healthz", headers: try field(name)).status == .ok)
    #expect(try await fixture.send(.get, "/readyz", headers: try field(name)).body == #"{"status":"ready"}"#)
  }

  @Test func `a listed proxy and a caller with a key are admitted`() async throws {
    let (key, configured) = APIClients.newKey()
    let forwarded = try field("X-Forwarded-For")
    let listed = try RouterFixture(serve: Self.proxied)
    #expect(
      try await listed.send(.get, "/v1/verifications/abc", headers: forwarded).problem
        == "no-such-verification")
    // A person may verify an address, but neither send other mail nor look for the ids of others.
    for path in ["/v1/mails/abc", "/metrics", "/v1/verifications?to=kim@example.com"] {
      let answer = try await listed.send(.get, path, headers: forwarded)
      #expect(answer.problem == "scope-missing")
      #expect(answer.body.contains("pabal keys client"), "\(answer.body)")
    }
    #expect(
      try await listed.send(.get, "/v1/mails/abc", headers: forwarded, peer: "127.0.0.2").problem
        == "unlisted-proxy")
    let withKey = try RouterFixture(
      serve: #"{ "listen": "127.0.0.1:0", "keyless": true, "clients": { "shop": "\#(configured)" } }"#)
    var headers = forwarded
    headers[.authorization] = "Bearer \(key)"
    #expect(try await withKey.send(.get, "/v1/mails/abc", headers: headers).problem == "no-such-mail")
  }

  @Test func `serve hosts names the hosts for callers without a key`() async throws {
    let (key, configured) = APIClients.newKey()
    let fixture = try RouterFixture(
      serve: """
        { "listen": "127.0.0.1:0", "keyless": true, "proxies": ["127.0.0.1"], "hosts": ["shop.example.com"],
          "clients": { "shop": "\(configured)" } }
        """, hasDemo: true)
    for (host, isServed) in [
      ("shop.example.com", true), ("SHOP.example.com:8443", true), ("shop.example.com.", true),
      ("localhost:8025", true), ("127.0.0.1", true), ("[::1]:80", true), ("rebound.example", false),
      ("shop.example.com.evil.example", false), ("evil.example:80", false), ("xshop.example.com", false),
      ("shop.example.com:80:80", false), ("", false),
    ] {
      for path in ["/v1/mails/abc", "/"] {
        let answer = try await fixture.send(.get, path, authority: host)
        #expect((answer.problem == "misdirected") == !isServed, "\(host) \(path): \(answer.body)")
      }
      let ready = try await fixture.send(.get, "/readyz", authority: host)
      #expect(ready.status == .ok && ready.body.contains("detail") == isServed, "\(host)")
      let headers: HTTPFields = [.authorization: "Bearer \(key)"]
      #expect(
        try await fixture.send(.get, "/v1/mails/abc", headers: headers, authority: host).problem
          == "no-such-mail")
    }
  }

  @Test func `a website that rebinds its name learns no details of readiness`() async throws {
    let fixture = try RouterFixture()
    #expect(
      try await fixture.send(.get, "/readyz", authority: "rebound.example").body == #"{"status":"ready"}"#)
    #expect(try await fixture.send(.get, "/readyz").body == #"{"detail":{"a":"b"},"status":"ready"}"#)
  }

  @Test(arguments: [
    ([] as [String], "X-Forwarded-For"), (["unknown"], "isn't an IP address"),
  ])
  func `a proxy that doesn't name the client is reported once, with the cure`(
    forwarded: [String], text: String
  ) async throws {
    let fixture = try RouterFixture(serve: Self.proxied)
    for _ in 0..<3 {
      var headers = HTTPFields()
      headers[values: .forwardedFor] = forwarded + []
      headers[.userAgent] = "x"
      if forwarded.isEmpty { headers[.forwardedFor] = "" }
      _ = try await fixture.send(.get, "/v1/verifications/abc", headers: headers)
    }
    #expect(fixture.warnings.count == 1)
    #expect(
      fixture.warnings.first?.contains(text) == true && fixture.warnings.first?.contains("127.0.0.1") == true)
  }

  @Test func `a missing scheme or content type is named`() async throws {
    let (key, configured) = APIClients.newKey()
    let fixture = try RouterFixture(
      serve: #"{ "listen": "127.0.0.1:0", "clients": { "shop": "\#(configured)" } }"#)
    for value in [key, "Basic \(key)", "Token \(key)", "Key=\(key)"] {
      let answer = try await fixture.send(.get, "/v1/mails/abc", headers: [.authorization: value])
      #expect(answer.problem == "unauthorized" && answer.body.contains("no scheme"), "\(answer.body)")
      #expect(!answer.body.contains(key))
    }
    let unknown = try await fixture.send(
      .get, "/v1/mails/abc", headers: [.authorization: "Bearer \(key)x"])
    #expect(unknown.body.contains("unknown key"))
    let keyless = try RouterFixture()
    let untyped = try await keyless.send(.post, "/v1/verifications", raw: #"{"to": "kim@example.com"}"#)
    #expect(untyped.problem == "unsupported-media-type" && untyped.body.contains("no Content-Type"))
    let form = try await keyless.send(
      .post, "/v1/verifications", raw: "{}", headers: [.contentType: "application/x-www-form-urlencoded"])
    #expect(form.problem == "unsupported-media-type" && form.body.contains("another Content-Type"))
  }

  @Test(arguments: [
    " kim@example.com", "kim@example.com ", "\tkim@example.com\n", "\u{3000}kim@example.com\u{A0}",
  ])
  func `blanks around an address are trimmed`(address: String) async throws {
    let fixture = try RouterFixture()
    let text = address.replacing("\t", with: "\\t").replacing("\n", with: "\\n")
    let started = try await fixture.send(.post, "/v1/verifications", #"{"to": "\#(text)"}"#)
    #expect(started.status == .accepted, "\(started.body)")
    let mail = try await fixture.send(
      .post, "/v1/mails", #"{"to": ["\#(text)"], "message": "verification"}"#)
    #expect(mail.status == .accepted, "\(mail.body)")
  }
}
