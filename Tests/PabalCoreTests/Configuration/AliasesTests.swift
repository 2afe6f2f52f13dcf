import Testing

@testable import PabalCore

@Suite struct `The aliases` {
  private static let hosts = LocalHosts(
    host: "web1", mailName: "web1.example.com", others: ["mail.example.com"])

  private func configuration(_ aliases: String, _ rest: String = "") throws -> Configuration {
    let text = """
      { "transport": "c", "transports": { "c": { "plugin": "file" } }, "from": "a@example.com",
        "aliases": \(aliases)\(rest) }
      """
    return try Configuration.read(Array(text.utf8), file: "config.json", directory: "/")
  }

  private func expand(_ aliases: String, _ address: String, _ hosts: LocalHosts = hosts) throws -> [String] {
    try configuration(aliases).aliases.expand(try Address(address), hosts).map(\.description)
  }

  private static let all = """
    { "root": "admin", "admin": ["kim@a.example", "lee@a.example"], "www-data": ["admin", "web@a.example"],
      "kim@web1": "kim@b.example", "sales@c.example": "lee@b.example", "ghost": "nosuch", "한글": "한글@a.example",
      "default": "rest@a.example" }
    """

  @Test(arguments: [
    ("root@web1", ["kim@a.example", "lee@a.example"]),
    ("ROOT@Web1.Example.Com", ["kim@a.example", "lee@a.example"]),
    ("root@localhost", ["kim@a.example", "lee@a.example"]),
    ("root@mail.example.com", ["kim@a.example", "lee@a.example"]),
    ("root@other.example", ["root@other.example"]), ("root@example.com", ["root@example.com"]),
    ("www-data@web1", ["kim@a.example", "lee@a.example", "web@a.example"]),
    ("kim@web1", ["kim@b.example"]), ("kim@localhost", ["rest@a.example"]),
    ("sales@c.example", ["lee@b.example"]), ("ghost@web1", ["rest@a.example"]),
    ("backup@web1.example.com", ["rest@a.example"]), ("default@web1", ["rest@a.example"]),
    ("한글@web1", ["한글@a.example"]), ("you@d.example", ["you@d.example"]),
  ]) func `apply to the names of this machine, and to whole addresses`(
    _ address: String, _ expected: [String]
  ) throws {
    #expect(try expand(Self.all, address) == expected)
  }

  @Test func `without a default leave other names alone`() throws {
    #expect(try expand(#"{ "root": "kim" }"#, "lee@web1") == ["lee@web1"])
    #expect(try expand(#"{ "root": "kim" }"#, "root@web1") == ["kim@web1.example.com"])
    #expect(try expand("{}", "root@web1") == ["root@web1"])
  }

  @Test func `at the domain of an organization apply to names only, not by default`() throws {
    let hosts = LocalHosts(host: "web1", mailName: "example.com")
    #expect(try expand(Self.all, "root@example.com", hosts) == ["kim@a.example", "lee@a.example"])
    #expect(try expand(Self.all, "ceo@example.com", hosts) == ["ceo@example.com"])
    #expect(try expand(Self.all, "backup@web1", hosts) == ["rest@a.example"])
  }

  @Test func `that a loop slipped into end, and lose no mail`() throws {
    // The name of the machine has changed since the configuration was read.
    let configuration = try configuration(
      #"{ "root": "root@renamed.example", "a": ["b@a.example", "a@renamed.example"] }"#)
    let hosts = LocalHosts(host: "renamed.example", mailName: nil)
    let aliases = configuration.aliases
    #expect(aliases.expand(try Address("root@localhost"), hosts).map(\.description) == ["root@localhost"])
    #expect(aliases.expand(try Address("a@localhost"), hosts).map(\.description) == ["b@a.example"])
  }

  @Test func `of a thousand steps are followed`() throws {
    let chain = (0..<1_000).map { #""n\#($0)": ["n\#($0 + 1)", "n\#($0 + 2)"]"# }.joined(separator: ", ")
    #expect(
      try expand(#"{ \#(chain), "n1000": "kim@a.example", "n1001": "kim@a.example" }"#, "n0@web1") == [
        "kim@a.example"
      ])
  }

  @Test(arguments: [
    (#"{ "root": "root" }"#, ["aliases.root"], "leads back to itself: root → root"),
    (
      #"{ "a": "b", "b": ["x@a.example", "c"], "c": "a" }"#, ["aliases.a"],
      "leads back to itself: a → b → c → a"
    ),
    (#"{ "x": "a", "a": "A@LOCALHOST" }"#, ["aliases.x"], "leads back to itself: a → a"),
    (#"{ "default": "nosuch" }"#, ["aliases.default"], "leads back to itself: default → default"),
    (
      #"{ "root": "me", "default": "root" }"#, ["aliases.root"],
      "leads back to itself: root → default → root"
    ),
    (
      #"{ "root": "x@mail.example.com", "x": "root" }"#, ["aliases.root"],
      "leads back to itself: root → x → root"
    ),
    (
      #"{ "a@b.example": "c@d.example", "c@d.example": "a@b.example" }"#, ["aliases.'a@b.example'"],
      "leads back"
    ),
    (#"{ "root": "/dev/null" }"#, ["aliases.root"], "no files and commands"),
    (#"{ "root": ["|/bin/sh"] }"#, ["aliases.root[0]"], "no files and commands"),
    (#"{ "root": [] }"#, ["aliases.root"], "empty list"),
    (#"{ "*": "a@b.example" }"#, ["aliases.'*'"], "is not a local name or an address"),
    (#"{ "root": "" }"#, ["aliases.root"], "empty text"),
    (#"{ "root": "kim lee" }"#, ["aliases.root"], "space in quotes"),
    (#"{ "root": "kim@" }"#, ["aliases.root"], "nothing after the @"),
    (#"{ "root": 1 }"#, ["aliases.root"], "expected a string"),
    (#"{ "kim lee": "a@b" }"#, ["aliases.'kim lee'"], "not a local name or an address"),
    (#"{ "Root": "a@b", "root": "c@d" }"#, ["aliases.root"], "duplicate alias 'root'"),
    (#"[]"#, ["aliases"], "expected an object"),
  ]) func `that are wrong are reported where they are`(
    _ aliases: String, _ paths: [String], _ message: String
  ) throws {
    let rest = #", "serve": { "submission": { "socket": "/run/s", "host": "mail.example.com" } }"#
    let problems = try #require(throws: Diagnostics.self) { try configuration(aliases, rest) }.all
    #expect(problems.map(\.path) == paths)
    #expect(problems.first?.message.contains(message) == true, "\(problems)")
  }

  @Test func `are asked for where the mail of local programs would reach no person`() throws {
    let socket = #", "serve": { "submission": { "socket": "/run/s" } }"#
    func warning(
      _ aliases: String, _ rest: String, _ plugin: String = "file", _ host: String = "web1.example.com"
    )
      throws -> String?
    {
      let text = """
        { "transport": "c", "from": "a@example.com",
          "transports": { "c": { "plugin": "\(plugin)" }, "relay": { "plugin": "smtp" } },
          "aliases": \(aliases)\(rest) }
        """
      let configuration = try Configuration.read(Array(text.utf8), file: "config.json", directory: "/")
      return configuration.localMailWarning(LocalHosts(host: host, mailName: nil))?.message
    }
    #expect(try warning("{}", socket)?.contains("is kept by the transport 'c'") == true)
    #expect(try warning(#"{ "kim": "a@b.example" }"#, socket, "console")?.contains("is kept") == true)
    #expect(try warning("{}", socket, "smtp", "web1")?.contains("can't be delivered") == true)
    #expect(try warning(#"{ "root": "kim" }"#, socket) != nil)
    // The mail of root may have a route of its own.
    for (plugin, route, isWarned) in [("file", "relay", false), ("smtp", "c", false), ("file", "c", true)] {
      let own = socket.replacing(
        #""/run/s""#, with: #""/run/s", "local": { "default": { "route": "\#(route)" } }"#)
      #expect(try (warning("{}", own, plugin) != nil) == isWarned)
      let domain = #", "routes": { "web1.example.com": "\#(route)" }"# + socket
      #expect(try (warning("{}", domain, plugin) != nil) == isWarned)
    }
    #expect(try warning(#"{ "root": "a@b.example" }"#, socket) == nil)
    #expect(try warning(#"{ "default": "a@b.example" }"#, socket) == nil)
    #expect(try warning("{}", socket, "smtp") == nil)
    #expect(try warning("{}", "") == nil)
  }
}
