import Testing

@testable import PabalCore

/// Whose address a request through proxies has.
@Suite struct TrustedProxiesTests {
  private func proxies(_ text: String) throws -> TrustedProxies {
    let configuration = """
      { "transport": "c", "transports": { "c": { "plugin": "console" } }, "from": "a@example.com",
        "serve": { "proxies": \(text) } }
      """
    return try Configuration.read(Array(configuration.utf8), file: "config.json", directory: "/").serve
      .proxies
  }

  @Test(arguments: [
    ("203.0.113.7", "203.0.113.7"), ("203.0.113.7:40001", "203.0.113.7"), ("203.0.113.7:1", "203.0.113.7"),
    (" 203.0.113.7 ", "203.0.113.7"), ("\"203.0.113.7:40001\"", "203.0.113.7"),
    ("2001:db8::7", "2001:db8::7"), ("[2001:db8::7]", "2001:db8::7"), ("[2001:db8::7]:40001", "2001:db8::7"),
    ("\"[2001:db8::7]:40001\"", "2001:db8::7"), ("\"[2001:db8::7]\"", "2001:db8::7"),
    ("[2001:DB8:0:0::7]", "2001:db8::7"), ("::ffff:203.0.113.7", "203.0.113.7"),
    ("[::ffff:203.0.113.7]:40001", "203.0.113.7"), ("::ffff:203.0.113.7:40001", "203.0.113.7"),
    ("fe80::1%eth0", "fe80::1"), ("[fe80::1%eth0]:40001", "fe80::1"),
    ("for=203.0.113.7", "203.0.113.7"), ("for=\"[2001:db8::7]:4711\";proto=https", "2001:db8::7"),
    ("proto=https; For=\"203.0.113.7:_port\"", "203.0.113.7"),
  ])
  func `an element of X-Forwarded-For is read in every form that proxies write`(
    element: String, address: String
  ) throws {
    let client = try proxies(#"["10.0.0.1"]"#).client("10.0.0.1", forwarded: ["198.51.100.1", element])
    #expect(client.address == address && client.problem == nil)
  }

  @Test(arguments: [
    "unknown", "_hidden", "for=unknown", "for=\"_x\"", "203.0.113.7:", "203.0.113.7:x", "203.0.113.7:123456",
    "203.0.113", "[203.0.113.7]:1", "[2001:db8::7", "[2001:db8::7]x", "2001:db8::7]:1", "\"\"", "1.2.3.4:5:6",
    "client.example.com", "203.0.113.7 198.51.100.1", "2001:db8::7::1", String(repeating: "1", count: 5_000),
  ])
  func `an element that isn't an address is a problem, and the proxy counts`(element: String) throws {
    let client = try proxies(#"["10.0.0.1", "10.0.0.2"]"#)
      .client("10.0.0.1", forwarded: ["198.51.100.1, \(element)", "10.0.0.2"])
    #expect(client.address == "10.0.0.2" && client.problem == .unreadable)
  }

  @Test func `a trusted proxy that names no client is a problem; empty elements are ignored`() throws {
    let trusted = try proxies(#"["10.0.0.0/8", "2001:db8:1::/48"]"#)
    for forwarded in [[], [""], [" , "], [",", ""]] {
      let client = trusted.client("10.0.0.1", forwarded: forwarded)
      #expect(client.address == "10.0.0.1" && client.problem == .missing)
    }
    #expect(trusted.client("10.0.0.1", forwarded: ["203.0.113.7,", ", "]).address == "203.0.113.7")
    #expect(
      trusted.client("2001:db8:1::9%eth0", forwarded: ["203.0.113.7, [2001:db8:1::5]:443"]).address
        == "203.0.113.7")
  }

  @Test func `a peer that isn't trusted is the client, whatever it sends`() throws {
    let client = try proxies(#"["10.0.0.1"]"#).client("192.0.2.1", forwarded: ["nonsense"])
    #expect(client.address == "192.0.2.1" && client.problem == nil)
    #expect(TrustedProxies().client("10.0.0.1", forwarded: []).problem == nil)
  }
}
