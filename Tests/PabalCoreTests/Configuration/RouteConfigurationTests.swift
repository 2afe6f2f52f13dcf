import PabalTesting
import Testing

@testable import PabalCore

/// `routes`, and `route` in the rules of submitters.
@Suite struct RouteConfigurationTests {
  private func read(
    _ routes: String = "{}", submission: String = #"{"socket": "/s"}"#
  ) throws -> Configuration {
    let text = """
      {"transport": ["smtp", "ses"], "from": "a@example.com", "routes": \(routes),
       "transports": {"smtp": {"plugin": "smtp"}, "ses": {"plugin": "smtp"}, "workspace-b": {"plugin": "gmail"}},
       "serve": {"submission": \(submission)}}
      """
    return try Configuration.read(Array(text.utf8), file: "config.json", directory: "/srv")
  }

  private func problems(
    _ routes: String = "{}", submission: String = #"{"socket": "/s"}"#
  ) -> [String] {
    do throws(Diagnostics) {
      do {
        _ = try read(routes, submission: submission)
        return []
      } catch let error as Diagnostics {
        throw error
      } catch {
        return ["\(error)"]
      }
    } catch {
      return error.all.map { "\($0.path ?? ""): \($0.message); \($0.remedy ?? "")" }
    }
  }

  private static let hash =
    "scrypt:14:8:1:\(String(repeating: "ab", count: 16)):\(String(repeating: "cd", count: 32))"

  private static let submission = """
    {"socket": "/s", "listen": "127.0.0.1:0", "security": "starttls", "certificate": "c", "key": "k",
     "client_ca": "ca",
     "users": {"shop": {"password": "\(hash)", "route": "ses"}, "other": {"password": "\(hash)"}},
     "certificates": {"scanner": {"route": ["ses", "smtp"]}, "default": {"route": "smtp"}},
     "networks": ["192.0.2.0/24", {"network": "198.51.100.77/24", "route": "ses"},
       {"network": "2001:DB8::1", "route": "workspace-b"}],
     "local": {"www-data": {"route": "ses"}, "default": {"route": ["smtp"]}}}
    """

  @Test func `each submitter has the route of its rules, under a key that doesn't depend on the spelling`()
    throws
  {
    let submission = try #require(try read(submission: Self.submission).serve.submission.first)
    func route(_ submitter: Submitter) -> String? {
      submission.rules(for: submitter).route.map { "\($0.key)=\($0.transports.joined(separator: ","))" }
    }
    #expect(route(.user("shop")) == "user:shop=ses")
    #expect(route(.user("other")) == nil)
    #expect(route(.certificate("scanner")) == "certificate:scanner=ses,smtp")
    #expect(route(.certificate("laptop")) == "certificate:default=smtp")
    #expect(route(.network("198.51.100.1")) == "network:198.51.100.0/24=ses")
    #expect(route(.network("192.0.2.1")) == nil)
    #expect(route(.network("2001:db8::1")) == "network:2001:db8::1/128=workspace-b")
    #expect(route(.local("www-data")) == "local:www-data=ses")
    #expect(route(.local("root")) == "local:default=smtp")
  }

  @Test func `the table has all routes, and names of the command line replace the transports of each`() throws
  {
    let configuration = try read(
      #"{"@b.example": "workspace-b", "Bücher.example": ["smtp"]}"#, submission: Self.submission)
    #expect(configuration.routes.all.map(\.key) == ["domain:b.example", "domain:xn--bcher-kva.example"])
    let table = configuration.routeTable()
    #expect(table.standard == ["smtp", "ses"])
    #expect(table.special.count == 9)
    #expect(table.transports(of: "domain:b.example") == ["workspace-b"])
    #expect(table.transports(of: "user:removed") == ["smtp", "ses"])
    #expect(table.names == ["smtp", "ses", "workspace-b"])
    let overridden = configuration.routeTable(overriding: ["smtp"])
    #expect(overridden.names == ["smtp"])
    #expect(Set(overridden.special.keys) == Set(table.special.keys))
  }

  @Test func `mistakes are reported at their place, with the nearest name`() {
    #expect(
      problems(#"{"b-example.com": "workspce-b"}"#)
        == ["routes.'b-example.com': unknown transport 'workspce-b'; did you mean 'workspace-b'?"])
    for (routes, part) in [
      (#"{"b.example": []}"#, "empty list"), (#"{"b.example": 1}"#, "expected a name or a list of names"),
      (#"{"b.example": ["ses", "ses"]}"#, "duplicate transport"),
      (#"{"b.example": "ses", "@B.EXAMPLE": "smtp"}"#, "duplicate domain 'b.example'"),
      (#"{"kim@b.example": "ses"}"#, "write the domain of senders"), (#"{"": "ses"}"#, "write the domain"),
      (#"{"@": "ses"}"#, "write the domain"), (#"["ses"]"#, "expected an object"),
    ] {
      let found = problems(routes)
      #expect(found.count == 1 && found.first?.contains(part) == true, "\(routes): \(found)")
    }
    for (rule, part) in [
      (#""route": "sess""#, "unknown transport"), (#""route": []"#, "empty list"),
      (#""route": ["ses", "ses"]"#, "duplicate transport"), (#""route": {}"#, "a name or a list of names"),
    ] {
      let found = problems(submission: #"{"socket": "/s", "local": {"web": {\#(rule)}}}"#)
      #expect(found.count == 1 && found.first?.contains(part) == true, "\(rule): \(found)")
      #expect(found.first?.hasPrefix("serve.submission.local.web.route") == true, "\(found)")
    }
  }

  @Test func `a network that is written in two ways has one route`() {
    let found = problems(
      submission:
        #"{"socket": "/s", "networks": [{"network": "192.0.2.9/24", "route": "ses"}, {"network": "192.0.2.0/24", "route": "smtp"}]}"#
    )
    #expect(found.count == 1 && found.first?.contains("network:192.0.2.0/24 has two routes") == true)
  }

  @Test func `a submitter of two listeners has one route`() {
    func listener(_ socket: String, _ route: String) -> String {
      #"{"socket": "\#(socket)", "local": {"web": {"route": "\#(route)"}}}"#
    }
    #expect(problems(submission: "[\(listener("/a", "ses")), \(listener("/b", "ses"))]").isEmpty)
    let found = problems(submission: "[\(listener("/a", "ses")), \(listener("/b", "smtp"))]")
    #expect(
      found.count == 1 && found.first?.contains("local:web has two routes; use the same route") == true,
      "\(found)")
  }

  @Test(arguments: [
    ("From: kim@b.example", "domain:b.example"),
    ("From: Kim <kim@B.Example>, lee@example.com", "domain:b.example"),
    ("From: lee@example.com, kim@b.example", ""), ("From: kim@sub.b.example", ""),
    ("From: \"kim@b.example\" <kim@example.com>", ""), ("from:\r\n kim@b.example", "domain:b.example"),
    ("From: kim@bücher.example", "domain:xn--bcher-kva.example"),
    // Without an author that can be read, the envelope decides.
    ("From: <", "domain:envelope.example"), ("Subject: x", "domain:envelope.example"),
    ("From: team:;", "domain:envelope.example"),
  ])
  func `mail takes the route of its author's domain`(_ header: String, _ key: String) throws {
    let routes = SenderRoutes(
      ["domain:b.example", "domain:xn--bcher-kva.example", "domain:envelope.example"].map {
        ConfiguredRoute(key: $0, transports: ["ses"])
      })
    let envelope = try #require(
      Envelope(sender: try Address("x@envelope.example"), recipients: [try Address("you@example.net")]))
    let mail = Mail(
      id: "A", envelope: envelope, messageID: "<a@b>",
      bytes: Array("\(header)\r\n\r\nFrom: kim@c.example".utf8),
      needsSMTPUTF8: false, needs8BitMIME: false)
    #expect(routes.key(for: mail) == key)
    #expect(SenderRoutes().key(for: mail).isEmpty)
  }

  @Test func `a network is described by its first address`() {
    #expect(IPNetwork("192.0.2.77/24")?.description == "192.0.2.0/24")
    #expect(IPNetwork("10.255.255.255/9")?.description == "10.128.0.0/9")
    #expect(IPNetwork("192.0.2.7")?.description == "192.0.2.7/32")
    #expect(IPNetwork("2001:db8:ffff::/33")?.description == "2001:db8:8000::/33")
  }
}
