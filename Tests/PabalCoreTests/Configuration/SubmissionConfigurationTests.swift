import Testing

@testable import PabalCore

/// `serve.submission`: who may send, and what is refused as an open relay.
@Suite struct SubmissionConfigurationTests {
  private static let files = #""certificate": "c.pem", "key": "k.pem""#
  private static let hash =
    "scrypt:14:8:1:00112233445566778899aabbccddeeff:" + String(repeating: "ab", count: 32)

  private func serve(_ submission: String) throws -> ServeConfiguration {
    let configuration = """
      { "transport": "c", "transports": { "c": { "plugin": "console" } }, "from": "a@example.com",
        "serve": { "submission": \(submission) } }
      """
    return try Configuration.read(Array(configuration.utf8), file: "config.json", directory: "/etc").serve
  }

  private func problems(_ submission: String) throws -> [Diagnostic] {
    try #require(throws: Diagnostics.self) { try serve(submission) }.all
  }

  @Test func `a listener has the defaults that its documentation states`() throws {
    let all = try serve(#"{ "listen": ["0.0.0.0:587"], \#(Self.files) }"#).submission
    let listener = try #require(all.first)
    #expect(all.count == 1)
    #expect(listener.security == .startTLS)
    #expect(listener.certificate == "/etc/c.pem")
    #expect(listener.key == "/etc/k.pem")
    #expect(listener.networks.isEmpty)
    #expect(listener.limits.size == 36_700_160)
    #expect(listener.limits.recipients == 1_000)
    #expect(!listener.acceptsClients)
  }

  @Test func `several listeners are a list, and a key may be named like a secret`() throws {
    let all = try serve(
      """
      [ { "listen": "0.0.0.0:587", "certificate": "c.pem", "key": { "file": "k.pem" } },
        { "listen": ["0.0.0.0:465"], "security": "tls", \(Self.files), "socket": "/run/pabal/submit" } ]
      """
    ).submission
    #expect(all.map(\.security) == [.startTLS, .tls])
    #expect(all.map(\.key) == ["/etc/k.pem", "/etc/k.pem"])
    #expect(all.last?.socket == "/run/pabal/submit")
  }

  @Test(arguments: [
    #"{ "listen": "0.0.0.0:587" }"#, #"{ "listen": "127.0.0.1:587", "security": "tls" }"#,
  ]) func `TLS needs a certificate and a key`(text: String) throws {
    #expect(
      try problems(text).map(\.message) == ["missing key 'certificate'", "missing key 'key'"])
  }

  @Test func `a listener without TLS is only for this machine`() throws {
    #expect(
      try problems(#"{ "listen": ["127.0.0.1:25", "192.0.2.1:25"], "security": "none" }"#).map(\.path)
        == ["serve.submission.security"])
    #expect(try serve(#"{ "listen": "[::1]:2525", "security": "none" }"#).submission.count == 1)
    #expect(
      try problems(
        #"{ "listen": "127.0.0.1:25", "security": "none", "certificates": { "a": "sha256:\#(String(repeating: "0a", count: 32))" } }"#
      ).map(\.message) == ["client certificates need TLS"])
  }

  @Test(arguments: ["0.0.0.0/0", "::/0", "64.0.0.0/2", "2000::/3", "2000::/7", "2001:db8::/31", "10.0.0.0/7"])
  func `a network of strangers is refused`(network: String) throws {
    let found = try problems(#"{ "socket": "/run/s", "networks": ["192.0.2.0/24", "\#(network)"] }"#)
    #expect(found.map(\.path) == ["serve.submission.networks[1]"])
    #expect(found.first?.message.contains("open relay") == true)
  }

  @Test func `networks are compared by their bits`() throws {
    let listener = try #require(
      serve(#"{ "socket": "/run/s", "networks": ["192.0.2.0/25", "2001:db8::/32"] }"#).submission.first)
    for (address, expected) in [
      ("192.0.2.127", true), ("192.0.2.128", false), ("::ffff:192.0.2.1", true), ("2001:db8:1::1", true),
      ("2001:db9::1", false), ("127.0.0.1", false),
    ] {
      #expect(listener.isListed(try #require(IPAddress(address))) == expected, "\(address)")
    }
  }

  @Test func `a password in the file is refused without being shown`() throws {
    let found = try problems(
      #"{ "socket": "/run/s", "users": { "printer": { "password": "correct horse" } } }"#)
    #expect(found.map(\.path) == ["serve.submission.users.printer.password"])
    #expect(found.first?.message.contains("horse") == false)
    #expect(found.first?.remedy?.contains("pabal keys user printer") == true)
  }

  @Test(arguments: [
    "scrypt:14:8:1:00:00",
    "scrypt:30:8:1:\(String(repeating: "00", count: 16)):\(String(repeating: "00", count: 32))",
    "scrypt:14:8:1:\(String(repeating: "00", count: 16))", "bcrypt:1:2:3:4:5", "",
  ]) func `hashes that would take too much, or are incomplete, are refused`(text: String) {
    #expect(PasswordHash(text) == nil)
  }

  @Test func `a hash is written as it was read`() throws {
    let hash = try #require(PasswordHash(Self.hash))
    #expect(hash.text == Self.hash)
    #expect("\(hash)" == "scrypt:14:8:1")
    var shown = ""
    dump(hash, to: &shown)
    #expect(!shown.contains("abab"))
  }

  @Test func `one address belongs to one listener`() throws {
    let text = #"{ "listen": "127.0.0.1:2525", "security": "none" }"#
    #expect(try problems("[ \(text), \(text) ]").map(\.message) == ["127.0.0.1:2525 is used twice"])
    // Even if the system chooses the port, because a reload finds listeners by their addresses.
    let anyPort = text.replacing("2525", with: "0")
    #expect(try problems("[ \(anyPort), \(anyPort) ]").map(\.message) == ["127.0.0.1:0 is used twice"])
  }

  @Test func `a listener that can accept nothing is a warning`() throws {
    func warnings(_ text: String) throws -> [String] { try serve(text).warnings.compactMap(\.path) }
    #expect(try warnings(#"{ "listen": "0.0.0.0:587", \#(Self.files) }"#) == ["serve.submission"])
    let users = #""users": { "printer": { "password": "\#(Self.hash)" } }"#
    #expect(try warnings(#"{ "listen": "0.0.0.0:587", \#(Self.files), \#(users) }"#).isEmpty)
    #expect(
      try warnings(#"{ "listen": "127.0.0.1:25", "security": "none", \#(users) }"#) == ["serve.submission"])
    #expect(try warnings(#"{ "listen": "0.0.0.0:587", \#(Self.files), "client_ca": "ca.pem" }"#).isEmpty)
    #expect(try warnings(#"{ "socket": "/run/pabal/submit" }"#).isEmpty)
  }

  @Test func `neither an address nor a socket is a mistake`() throws {
    #expect(try problems("{}").first?.message == #"neither "listen" nor "socket" is set"#)
    #expect(
      try problems(#"{ "socket": "/\#(String(repeating: "a", count: 107))" }"#).map(\.path)
        == ["serve.submission.socket"])
  }

  @Test func `memory that the largest mail doesn't fit in is refused`() throws {
    #expect(
      try problems(#"{ "socket": "/run/s", "limits": { "size": 10000000, "memory": 5000000 } }"#).map(\.path)
        == ["serve.submission.limits.memory"])
    #expect(
      try problems(#"{ "socket": "/run/s", "limits": { "size": 209715200 } }"#).map(\.path)
        == ["serve.submission.limits.size"])
  }
}

/// `senders` of users, certificates, networks and users of this machine.
@Suite struct `The rules of senders` {
  private static let hash =
    "scrypt:14:8:1:00112233445566778899aabbccddeeff:" + String(repeating: "ab", count: 32)

  private func listener(_ members: String) throws -> SubmissionConfiguration {
    let configuration = """
      { "transport": "c", "transports": { "c": { "plugin": "console" } }, "from": "a@example.com",
        "serve": { "submission": { "socket": "/run/s", \(members) } } }
      """
    let serve = try Configuration.read(Array(configuration.utf8), file: "config.json", directory: "/etc")
      .serve
    return try #require(serve.submission.first)
  }

  private func problems(_ members: String) throws -> [Diagnostic] {
    try #require(throws: Diagnostics.self) { try listener(members) }.all
  }

  @Test func `are those of the submitter, of the smallest network, or the default`() throws {
    let listener = try listener(
      """
      "users": { "app": { "password": "\(Self.hash)", "senders": ["app@a.example"] } },
      "client_ca": "ca.pem", "certificates": { "scanner": { "senders": ["scanner@a.example"] },
        "default": { "senders": ["other@a.example"] } },
      "networks": [ { "network": "10.0.0.0/8", "senders": ["wide@a.example"] }, "10.1.0.0/16",
        { "network": "10.2.3.0/24", "senders": ["narrow@a.example"] } ],
      "local": { "www-data": { "senders": ["web@a.example"] }, "default": { "senders": ["rest@a.example"] } }
      """)
    for (submitter, allowed) in [
      (Submitter.user("app"), "app@a.example"), (.certificate("scanner"), "scanner@a.example"),
      (.certificate("x"), "other@a.example"), (.network("10.9.9.9"), "wide@a.example"),
      (.network("10.2.3.4"), "narrow@a.example"), (.local("www-data"), "web@a.example"),
      (.local("root"), "rest@a.example"),
    ] {
      let rules = listener.rules(for: submitter)
      #expect(rules.permission(for: try Address(allowed)) == .listed, "\(submitter)")
      #expect(rules.permission(for: try Address("x@a.example")) == .refused, "\(submitter)")
    }
    #expect(
      listener.rules(for: .network("10.1.0.1")).permission(for: try Address("x@a.example")) == .unrestricted)
  }

  @Test(arguments: [
    ("a@b.example", "A@B.example", true), ("a@b.example", "a+x@b.example", false),
    ("b.example", "anyone@B.EXAMPLE", true), ("@b.example", "x@b.example", true),
    ("b.example", "x@a.b.example", false), ("b.example", "x@ab.example", false),
    ("bücher.example", "x@xn--bcher-kva.example", true), ("한글@b.example", "한글@b.example", true),
    (#""a b"@b.example"#, #""A B"@b.example"#, true), ("[192.0.2.1]", "x@[192.0.2.1]", true),
  ]) func `compare addresses and domains`(_ pattern: String, _ address: String, _ matches: Bool) throws {
    #expect(try SenderPattern(pattern).matches(try Address(address)) == matches)
  }

  @Test func `have limits, which a network has as a whole, a lane and a forced sender`() throws {
    let listener = try listener(
      """
      "networks": [ { "network": "10.0.0.0/8", "rate": ["100/1h", "5/1m"] } ],
      "local": { "default": { "rate": ["7/1h"], "lane": "bulk", "forcedSender": "Kim <kim@a.example>" } }
      """)
    let network = listener.rules(for: .network("10.1.2.3"))
    #expect(network.rate == [RateLimit(100, per: .seconds(3_600)), RateLimit(5, per: .seconds(60))])
    #expect(network.counted != nil && network.counted == listener.rules(for: .network("10.3.2.1")).counted)
    #expect(network.lane == .normal && network.forcedSender == nil)
    let local = listener.rules(for: .local("kim"))
    #expect(local.rate.count == 1 && local.lane == .bulk && local.counted == nil)
    #expect(local.forcedSender?.description == "\"Kim\" <kim@a.example>")
    #expect(local.permission(for: try Address("KIM@a.example")) == .listed)
    #expect(local.permission(for: try Address("lee@a.example")) == .unrestricted)
  }

  @Test(arguments: [
    (#""local": { "a": { "rate": ["many"] } }"#, "serve.submission.local.a.rate[0]"),
    (#""local": { "a": { "lane": "fast" } }"#, "serve.submission.local.a.lane"),
    (#""local": { "a": { "forcedSender": "Kim" } }"#, "serve.submission.local.a.forcedSender"),
    (#""local": { "a": { "senders": [] } }"#, "serve.submission.local.a.senders"),
    (#""local": { "a": { "senders": ["a b"] } }"#, "serve.submission.local.a.senders[0]"),
    (#""local": { "a": { "senders": ["*@b.example"] } }"#, "serve.submission.local.a.senders[0]"),
    (#""local": { "a": { "senders": "a@b" } }"#, "serve.submission.local.a.senders"),
    (#""local": { "a": { "sender": ["a@b"] } }"#, "serve.submission.local.a.sender"),
    (#""networks": [ { "senders": ["a@b"] } ]"#, "serve.submission.networks[0]"),
    (#""certificates": { "a": { "senders": ["a@b"] } }"#, "serve.submission.certificates.a"),
  ]) func `that are wrong are reported where they are`(_ members: String, _ path: String) throws {
    #expect(try problems(members).map(\.path) == [path])
  }
}
