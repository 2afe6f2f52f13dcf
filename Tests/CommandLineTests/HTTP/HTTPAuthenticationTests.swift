import Foundation
import PabalTesting
import Testing

/// Keys, keyless callers and proxies, and whose limits count.
@Suite struct HTTPAuthenticationTests {
  /// Creates a key; returns it with its digest for the configuration.
  private func key(_ name: String = "shop") throws -> (key: String, configured: String) {
    let site = try TestSite()
    let made = try site.pabal("keys", "client", name, "--json").json
    return (try #require(made["key"] as? String), try #require(made["configured"] as? String))
  }

  private let start = #"{"to": "you@example.org"}"#

  @Test func `a known key is accepted, and the log has its name but not the key`()
    throws
  {
    let (key, configured) = try key()
    let http = try HTTPTestSite(serve: #""clients": { "shop": ["\#(configured)"] }"#)
    for fields in [
      "Authorization: Bearer pabal_WRONG", "Authorization: Basic eA==", "Authorization: ", "X: y",
    ] {
      let refused = try http.call("POST", "/v1/verifications", start, fields)
      #expect(refused.status == 401 && refused["type"] == "/problems/unauthorized")
      #expect(refused.fields["www-authenticate"] == #"Bearer realm="pabal""#)
    }
    #expect(try http.call("POST", "/v1/verifications", start, "Authorization: Bearer \(key)").status == 202)
    #expect(try http.call("GET", "/healthz").status == 200)
    #expect(try http.call("GET", "/readyz").body == #"{"status":"ready"}"#)
    #expect(try http.call("GET", "/readyz", nil, "Authorization: Bearer \(key)").json["detail"] != nil)
    let log = try http.stop().log
    #expect(log.contains("client=shop") && !log.contains(key) && !log.contains("WRONG"))
  }

  @Test(arguments: ["sh op", "", "--x", "a\"b"])
  func `a key isn't made for a name that the configuration would refuse`(name: String) throws {
    let run = try TestSite().pabal("keys", "client", "--", name)
    #expect(
      run.status == 64 && run.output.isEmpty && run.errors.contains("use letters, digits"), "\(run.errors)")
  }

  @Test func `the demo page is served under any host name if keys are required, otherwise only locally`()
    throws
  {
    let (_, configured) = try key()
    for (serve, status) in [(#""clients": { "shop": "\#(configured)" }"#, 200), (#""keyless": true"#, 421)] {
      let http = try HTTPTestSite(serve: serve, arguments: ["--demo"])
      #expect(try http.call("GET", "/", nil, "Host: shop.example.com").status == status)
    }
  }

  @Test func `pabal serve refuses to listen on a public address without keys`() throws {
    for serve in [
      #""listen": "0.0.0.0:0""#, #""listen": "0.0.0.0:0", "keyless": true"#,
      #""listen": "[::]:0", "keyless": true"#,
      #""listen": "127.0.0.1:0""#, #""listen": "localhost""#, #""listen": "shop.example:80""#,
      #""listen": "127.0.0.1:0", "clients": { "shop": "pabal_0123456789" }"#,
      #""listen": "127.0.0.1:0", "keyless": true, "proxies": ["10.0.0.0/33"]"#,
    ] {
      let site = try TestSite(TestSite.shipped(with: #""serve": { \#(serve) }"#))
      let run = try site.pabal("serve")
      #expect(run.status == 78 && run.errors.contains("serve"), "\(serve): \(run.errors)")
      #expect(!run.errors.contains("pabal_0123456789"))
    }
  }

  @Test func `a port that is in use is reported`() throws {
    let http = try HTTPTestSite()
    let listen = #""serve": { "listen": "127.0.0.1:\#(http.port)", "keyless": true }"#
    let run = try TestSite(TestSite.shipped(with: listen)).pabal("serve")
    #expect(run.status == 78 && run.errors.contains("serve.listen"))
    #expect(run.errors.contains("choose another port"))
  }

  @Test func `an app on this machine starts and checks verifications for many people without a key`() throws {
    let http = try HTTPTestSite()
    for number in 0..<40 {
      let ip = number < 20 ? #", "client": {"ip": "192.0.2.\#(number)"}"# : ""
      let started = try http.call("POST", "/v1/verifications", #"{"to": "a\#(number)@example.org"\#(ip)}"#)
      #expect(started.status == 202, "\(number): \(started.body)")
      #expect(try http.check(try #require(started["id"]), "12345x").status == 200)
    }
    // One person's limit still counts, and its refusal says which limit it is and what to do.
    var refused: HTTPTestSite.Response?
    for number in 0...10 {
      let body = #"{"to": "b\#(number)@example.org", "client": {"ip": "192.0.2.200"}}"#
      let response = try http.call("POST", "/v1/verifications", body)
      #expect((response.status == 202) == (number < 10))
      refused = response
    }
    #expect(refused?.status == 429 && refused?["limit"] == "client")
    #expect(refused?["detail"]?.contains("verification.clientStarts") == true)
    #expect(refused?["detail"]?.contains("client.ip") == true)
  }

  @Test func `an app names the client whose limits count, with a key or without`() throws {
    let (key, configured) = try key()
    let limits = #", "verification": { "clientStarts": ["1/10m"] }"#
    let http = try HTTPTestSite(
      serve: #""keyless": true, "clients": { "shop": "\#(configured)" }"#, more: limits)
    func begin(_ name: String, ip: String?, _ fields: String) throws -> Int {
      let client = ip.map { #", "client": {"ip": "\#($0)"}"# } ?? ""
      return try http.call(
        "POST", "/v1/verifications", #"{"to": "\#(name)@example.org"\#(client)}"#, fields
      ).status
    }
    let authorization = "Authorization: Bearer \(key)"
    #expect(try begin("a", ip: "192.0.2.1", authorization) == 202)
    #expect(try begin("b", ip: "192.0.2.1", authorization) == 429)
    #expect(try begin("b", ip: "192.0.2.2", authorization) == 202)
    #expect(try begin("c", ip: nil, authorization) == 202)
    #expect(try begin("d", ip: nil, authorization) == 202)
    #expect(try begin("e", ip: "nowhere", authorization) == 400)
    #expect(try begin("f", ip: "192.0.2.7", "X: y") == 202)
    #expect(try begin("g", ip: "192.0.2.7", "X: y") == 429)
    #expect(try begin("g", ip: nil, "X: y") == 202)
    #expect(try begin("h", ip: nil, "X: y") == 202)
  }

  @Test func `X-Forwarded-For of a trusted proxy counts, read from its end`() throws {
    let http = try HTTPTestSite(
      serve: #""keyless": true, "proxies": ["127.0.0.0/8", "10.0.0.1"]"#,
      more: #", "verification": { "clientStarts": ["1/10m"] }"#)
    func begin(_ name: String, _ forwarded: String) throws -> Int {
      try http.call(
        "POST", "/v1/verifications", #"{"to": "\#(name)@example.org"}"#, "X-Forwarded-For: \(forwarded)"
      ).status
    }
    #expect(try begin("a", "192.0.2.1") == 202)
    #expect(try begin("b", "192.0.2.66, 192.0.2.1, 10.0.0.1") == 429)
    #expect(try begin("c", "192.0.2.2") == 202)
    // A /64 network, which one customer has, is one client.
    #expect(try begin("d", "2001:db8::1") == 202)
    #expect(try begin("e", "2001:db8::2") == 429)
    #expect(try begin("f", "2001:db8:0:1::2") == 202)
  }

  @Test func `a request for another host name is refused, as DNS rebinding makes it`() throws {
    let http = try HTTPTestSite()
    #expect(try http.call("POST", "/v1/verifications", start, "Host: rebound.example").status == 421)
    #expect(try http.call("POST", "/v1/verifications", start, "Host: localhost:8025").status == 202)
    #expect(http.site.mails.count <= 1)
  }
}
