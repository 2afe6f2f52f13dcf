import Foundation
import PabalTesting
import Testing

/// Who may call the service, and whose limits count.
@Suite struct HTTPAuthenticationTests {
  /// A new key, and what the configuration has of it.
  private func key(_ name: String = "shop") throws -> (key: String, configured: String) {
    let site = try TestSite()
    let made = try site.pabal("keys", "client", name, "--json").json
    return (try #require(made["key"] as? String), try #require(made["configured"] as? String))
  }

  private let start = #"{"to": "you@example.org"}"#

  @Test func `a key opens the service, another does not, and its name is in the log but the key is not`()
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

  @Test func `the page of a service with keys is served under any name, that of a keyless one under none`()
    throws
  {
    let (_, configured) = try key()
    for (serve, status) in [(#""clients": { "shop": "\#(configured)" }"#, 200), (#""keyless": true"#, 421)] {
      let http = try HTTPTestSite(serve: serve, arguments: ["--demo"])
      #expect(try http.call("GET", "/", nil, "Host: shop.example.com").status == status)
    }
  }

  @Test func `a public address without keys is refused at start`() throws {
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

  @Test func `a port that is taken is told`() throws {
    let http = try HTTPTestSite()
    let listen = #""serve": { "listen": "127.0.0.1:\#(http.port)", "keyless": true }"#
    let run = try TestSite(TestSite.shipped(with: listen)).pabal("serve")
    #expect(run.status == 78 && run.errors.contains("serve.listen"))
    #expect(run.errors.contains("another program does"))
  }

  @Test func `a caller with a key says whose limits count, and one without can't`() throws {
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
    // By the socket's address, whatever is said.
    #expect(try begin("f", ip: "192.0.2.7", "X: y") == 202)
    #expect(try begin("g", ip: "192.0.2.8", "X-Forwarded-For: 192.0.2.9") == 429)
  }

  @Test func `what a trusted proxy forwards counts, from its end`() throws {
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
    // One customer's IPv6 network is one client.
    #expect(try begin("d", "2001:db8::1") == 202)
    #expect(try begin("e", "2001:db8::2") == 429)
    #expect(try begin("f", "2001:db8:0:1::2") == 202)
  }

  @Test func `a page of somebody else's under another name is not answered`() throws {
    let http = try HTTPTestSite()
    #expect(try http.call("POST", "/v1/verifications", start, "Host: rebound.example").status == 421)
    #expect(try http.call("POST", "/v1/verifications", start, "Host: localhost:8025").status == 202)
    #expect(http.site.mails.count <= 1)
  }
}
