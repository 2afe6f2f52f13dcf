import PabalFormats
import Testing

@Suite struct HTTPEndpointTests {
  @Test(arguments: [
    "https://oauth2.googleapis.com/token", "http://127.0.0.1:8080/token", "http://localhost/t",
    "http://[::1]:1/t",
    "https://x/", "http://[::1]:8080/a/b//", "HTTPS://X.example:443", "http://localhost",
    "HTTP://LOCALHOST:1",
    "https://login.microsoftonline.com/common?a=b&c=d", "https://x?q", "https://x/a@b?c@d", "https://127.1/",
    "https://[2001:db8::1]:443/", "https://[fe80::1%25eth0]/", "https://xn--bcher-kva.example",
  ])
  func `secrets go by HTTPS, or to this machine`(text: String) throws {
    let endpoint = try HTTPEndpoint(text)
    #expect(endpoint.description == text)
    #expect(endpoint.isEncrypted == text.lowercased().hasPrefix("https"))
    #expect(
      "\(endpoint.scheme)://\(endpoint.authority)\(endpoint.pathAndQuery)".lowercased() == text.lowercased())
  }

  @Test(
    arguments: [
      ("https://a b/", .invalidCharacter), ("https://x/\r\n", .invalidCharacter),
      ("https://x/\0", .invalidCharacter),
      ("https://bücher.example", .invalidCharacter), ("https://x/\u{7F}", .invalidCharacter),
      ("https://evil.example\\.good.example/", .invalidCharacter),
      ("http://127.0.0.1\\@evil.example/", .invalidCharacter),
      ("", .unsupportedScheme), ("token", .unsupportedScheme), ("ftp://127.0.0.1/", .unsupportedScheme),
      ("gmail.googleapis.com", .unsupportedScheme), ("https:/x", .unsupportedScheme),
      ("https:x", .unsupportedScheme),
      ("://x", .unsupportedScheme), ("httpss://x", .unsupportedScheme), ("//x", .unsupportedScheme),
      ("https://user:pass@example.com/", .unexpectedComponent), ("https://u@x", .unexpectedComponent),
      ("http://127.0.0.1@evil.example/", .unexpectedComponent),
      ("http://evil.example@127.0.0.1/", .unexpectedComponent),
      ("https://x/#f", .unexpectedComponent), ("https://x#y", .unexpectedComponent),
      ("https://x?a#", .unexpectedComponent),
      ("https://", .missingHost), ("https:///path", .missingHost), ("https://?q", .missingHost),
      ("https://:80/", .missingHost),
      ("https://[::1", .missingHost), ("https://[]/", .missingHost), ("https://[::1]x/", .missingHost),
      ("http://[127.0.0.1]/", .missingHost), ("http://[localhost]/", .missingHost),
      ("https://[::1/", .missingHost),
      ("https://x:", .invalidPort), ("https://x:0", .invalidPort), ("https://x:99999", .invalidPort),
      ("https://x:+1", .invalidPort), ("https://x:-1", .invalidPort), ("https://x:1:2", .invalidPort),
      ("https://x:8O", .invalidPort), ("https://::1/", .missingHost), ("https://[::1]:", .invalidPort),
      ("http://example.com/token", .notEncrypted), ("http://127.0.0.1.evil.com/", .notEncrypted),
      ("http://localhost.evil.com/", .notEncrypted), ("http://127.0.0.256/", .notEncrypted),
      ("http://gmail.googleapis.com", .notEncrypted), ("http://127.+0.0.1", .notEncrypted),
      ("http://127.0.0.08", .notEncrypted), ("http://127.0.0.-0", .notEncrypted),
      ("http://127.1/", .notEncrypted),
      ("http://127.0.0.1%2eevil.example/", .notEncrypted), ("http://[::1%25lo]/", .notEncrypted),
      ("http://localhost%00.evil.example/", .notEncrypted),
    ] as [(String, HTTPEndpointError)])
  func `an endpoint that would leak or lead nowhere is refused`(text: String, error: HTTPEndpointError) {
    #expect(throws: error) { try HTTPEndpoint(text) }
  }

  @Test(arguments: ["https://x?y", "https://x/?", "https://x/a@b", "https://x/a?b@c"])
  func `a base of other paths has no query and no at sign`(text: String) {
    #expect(throws: Never.self) { try HTTPEndpoint(text) }
    #expect(throws: HTTPEndpointError.unexpectedComponent) { try HTTPEndpoint(text, query: .refused) }
  }

  @Test func `the parts are those of the text`() throws {
    let endpoint = try HTTPEndpoint("HTTPS://Mail.Example:8443/a/B//?x=1&y=/?z")
    #expect(endpoint.scheme == .https)
    #expect(endpoint.authority == "Mail.Example:8443")
    #expect(endpoint.host == "mail.example")
    #expect(endpoint.bracketedHost == "mail.example")
    #expect(endpoint.port == 8443)
    #expect(endpoint.path == "/a/B//")
    #expect(endpoint.query == "x=1&y=/?z")
    #expect(endpoint.pathAndQuery == "/a/B//?x=1&y=/?z")
    #expect(endpoint.origin == "https://Mail.Example:8443/")
    let local = try HTTPEndpoint("http://[::1]")
    #expect(local.host == "::1" && local.bracketedHost == "[::1]" && local.authority == "[::1]")
    #expect(local.port == nil && local.path == "" && local.query == nil && local.pathAndQuery == "")
    #expect(try HTTPEndpoint("https://x?").pathAndQuery == "?")
  }

  @Test func `every error has a sentence of its own`() {
    let errors: [HTTPEndpointError] = [
      .invalidCharacter, .unsupportedScheme, .unexpectedComponent, .missingHost, .invalidPort, .notEncrypted,
    ]
    #expect(Set(errors.map(\.description)).count == errors.count)
    #expect("\(HTTPEndpointError.notEncrypted)" == "is http, which is only for this machine; use https")
  }
}

@Suite struct LoopbackHostTests {
  /// Hosts of this machine, and every other spelling, which may lead elsewhere.
  static let hosts: [(host: String, isLoopback: Bool)] = [
    ("localhost", true), ("LocalHost", true), ("127.0.0.1", true), ("127.1.2.3", true),
    ("127.255.255.255", true),
    ("127.0.0.0", true), ("::1", true),
    // Other names, however much they look like it.
    ("localhost.", false), ("localhost.localdomain", false), ("localhost.example", false),
    ("a.localhost", false),
    ("localhost\0", false), (" localhost", false), ("loca1host", false), ("localhos", false), ("", false),
    ("ⓛocalhost", false), ("ｌocalhost", false), ("locALh\u{BA}st", false), ("xn--localhost", false),
    ("ip6-localhost", false), ("@localhost", false), ("\u{0C}OCALHOST", false), ("LOCALHOST\u{301}", false),
    // Other addresses.
    ("128.0.0.1", false), ("0.0.0.0", false), ("0.0.0.1", false), ("10.0.0.1", false), ("::", false),
    ("::2", false),
    // Short, octal, hexadecimal, whole and signed forms of IPv4 (inet_aton).
    ("127.1", false), ("127.0.1", false), ("127", false), ("127.0.0", false), ("2130706433", false),
    ("0x7f000001", false), ("0x7f.0.0.1", false), ("0177.0.0.1", false), ("127.0.0.01", false),
    ("127.0.0.001", false),
    ("127.00.0.1", false), ("0127.0.0.1", false), ("127.0.0.08", false), ("127.+0.0.1", false),
    ("127.0.0.-0", false),
    ("127.0.0.+1", false), ("+127.0.0.1", false), ("127.0.0.256", false), ("127.0.0.1000", false),
    ("127.0.0.1.", false),
    (".127.0.0.1", false), ("127..0.1", false), ("127.0.0.", false), ("127.0.0.1.1", false),
    ("127.0.0.1 ", false),
    ("127.0.0.1.example.com", false), ("127.0.0.1%lo", false), ("127.0.0.1/8", false), ("127.0.0.1\0", false),
    ("١٢٧.0.0.1", false), ("127.0.0.１", false), ("127。0。0。1", false),
    // Other spellings of IPv6, IPv4 in IPv6, zones, brackets.
    ("0:0:0:0:0:0:0:1", false), ("::01", false), ("::0001", false), ("0::1", false),
    ("::ffff:127.0.0.1", false),
    ("::127.0.0.1", false), ("::1%lo", false), ("::1%25lo", false), ("::1%0", false), ("[::1]", false),
    (":1", false),
    ("::1/128", false), ("::1.", false), ("64:ff9b::7f00:1", false), ("::1 ", false), (":::1", false),
  ]

  @Test(arguments: hosts) func `one spelling is this machine`(host: String, isLoopback: Bool) {
    #expect(LoopbackHost.matches(host) == isLoopback)
    // A slash would end the host of a URL, and brackets belong there.
    guard !isLoopback, !host.contains("/"), host != "[::1]" else { return }
    #expect(!LoopbackHost.matches(destination: "https://\(host)/"))
    #expect(!LoopbackHost.matches(destination: "https://\(host):443/"))
    #expect((try? HTTPEndpoint("http://\(host)/")) == nil)
  }

  @Test(arguments: [
    "localhost", "127.0.0.1", "::1", "[::1]", "localhost:25", "127.0.0.1:25", "[::1]:25", "http://localhost",
    "https://127.0.0.1:8443/a?b#c", "smtp://[::1]:25/x", "HTTP://LOCALHOST/", "a+b-c.1://127.9.9.9?x",
    "https://localhost#x@evil.example", "https://127.0.0.1/@evil.example",
  ])
  func `a destination on this machine is recognised`(text: String) {
    #expect(LoopbackHost.matches(destination: text))
  }

  @Test(arguments: [
    "", ":", "://", "smtp.example.org", "mail.example.org:25", "https://example.org/127.0.0.1",
    "https://example.org?localhost",
    "https://example.org#localhost", "http://127.0.0.1@evil.example/", "http://evil.example@127.0.0.1/",
    "http://evil.example\\@127.0.0.1/", "http://a:b@localhost/", "localhost:", "localhost:0",
    "localhost:65536",
    "localhost:+1", "localhost:25:25", "127.0.0.1:a", "::1:25", "[::1", "::1]", "[::1]x", "[::1]:",
    "[localhost]",
    "[127.0.0.1]", "127.0.0.1/x://localhost", "1://localhost", "://localhost", " http://localhost",
    "ht tp://localhost",
    "http:/localhost", "http:///localhost", "//localhost", "http://localhost.", "http://bücher.example/",
    "http://xn--bcher-kva.example/", "http://localhost\\.evil.example/", "http://local\thost/",
  ])
  func `any other destination may be another machine`(text: String) {
    #expect(!LoopbackHost.matches(destination: text))
  }
}
