import Testing

@testable import PabalFormats

@Suite struct HTTPProxyTests {
  @Test(
    arguments: [
      ("http://proxy.example.com:3128", "proxy.example.com", 3128, nil, nil),
      ("HTTP://Proxy.Example.com:8080/", "proxy.example.com", 8080, nil, nil),
      ("http://me:p%40ss%3A%2F@10.0.0.1:3128", "10.0.0.1", 3128, "me", "p@ss:/"),
      ("http://corp%5Cme:a:b@c@proxy:1", "proxy", 1, "corp\\me", "a:b@c"),
      ("http://me@[::1]:3128", "::1", 3128, "me", nil),
    ] as [(String, String, UInt16, String?, String?)])
  func `host, port, user and password are read, percent-decoded`(
    text: String, host: String, port: UInt16, user: String?, password: String?
  ) throws {
    let proxy = try HTTPProxy(text)
    #expect(proxy.host == host)
    #expect(proxy.port == port)
    #expect(proxy.user == user)
    #expect(proxy.password == password)
    #expect(proxy.description == "http://\(proxy.bracketedHost):\(port)")
  }

  @Test(arguments: [
    ("socks5://proxy:1080", HTTPProxyError.unsupportedScheme), ("https://proxy:3128", .unsupportedScheme),
    ("proxy:3128", .unsupportedScheme), ("http://proxy", .missingHostOrPort),
    ("http://proxy:0", .missingHostOrPort), ("http://proxy:99999", .missingHostOrPort),
    ("http://:3128", .missingHostOrPort), ("http://proxy:3128/path", .unexpectedComponent),
    ("http://proxy:3128?x", .unexpectedComponent), ("http://me:p%4@proxy:1", .invalidCharacter),
    ("http://me:a%0Db@proxy:1", .invalidCharacter), ("http://me:p w@proxy:1", .invalidCharacter),
    ("http://me:비밀@proxy:1", .invalidCharacter),
  ])
  func `any other text is refused without showing it`(text: String, expected: HTTPProxyError) {
    let error = #expect(throws: HTTPProxyError.self) { try HTTPProxy(text) }
    #expect(error == expected)
    #expect(error?.description.contains("me:") == false)
  }

  @Test func `this machine is never behind the proxy`() throws {
    let proxy = try HTTPProxy("http://proxy:3128")
    for host in ["localhost", "127.0.0.1", "::1", "127.8.9.1"] { #expect(!proxy.applies(to: host)) }
    #expect(proxy.applies(to: "gmail.googleapis.com"))
  }

  @Test func `a set proxy variable is mentioned by name, never by its value`() {
    func hint(_ variables: [String: String], host: String = "gmail.googleapis.com") -> String? {
      ProxyEnvironment.hint(connectingTo: host, setting: "\"proxy\"") { variables[$0] }
    }
    #expect(hint([:]) == nil)
    #expect(hint(["HTTPS_PROXY": ""]) == nil)
    #expect(hint(["ALL_PROXY": "http://u:p@x:1"], host: "localhost") == nil)
    #expect(
      hint(["HTTPS_PROXY": "http://u:p@x:1"])
        == "HTTPS_PROXY is set, but Pabal uses only the proxy in its configuration: set \"proxy\"")
  }
}
