import Foundation
import PabalTesting
import Testing

/// `send --count` sends many mails to this machine only, unless `--yes` allows another one.
///
/// Port 1 is closed, so a run that is allowed ends with 75 (connection refused) and reaches no server.
@Suite struct CountDestinationTests {
  private static let refused = """
    pabal: error: --count would send 2 mails to another machine through “t”; pass --yes if that machine \
    is yours and expects them

    """

  @Test(arguments: [
    "localhost", "LOCALHOST", "LocalHost", "127.0.0.1", "127.3.2.1", "127.255.255.255", "::1",
  ])
  func `a loopback host gets many mails`(host: String) throws {
    let run = try count(Self.smtp(host))
    #expect(run.status == 75, "\(run.errors)")
    #expect(run.output.contains("doesn't accept connections"), "\(run.output)")
  }

  @Test(arguments: [
    // Other machines.
    "mail.example.invalid", "192.0.2.1", "2001:db8::1", "127.0.0.1.example.com", "localhost.example.com",
    "128.0.0.1",
    // Every name except `localhost`, because names are never resolved.
    "localhost.", "localhost.localdomain", "ip6-localhost", "ｌｏｃａｌｈｏｓｔ", "loсalhost", "ⓛocalhost",
    "xn--localhost",
    "localhoſt", "lоcalhost.例え.jp",
    // Addresses that aren't four decimal numbers: programs read them differently.
    "127.1", "127.0.1", "0177.0.0.1", "0x7f.0.0.1", "2130706433", "127.0.0.256", "127.0.0.1.", "１２７.0.0.1",
    "127。0。0。1", "127.0.0.01", "127.00.0.1", "127..0.1", "0.0.0.0", "0",
    // IPv6 forms other than `::1`.
    "::ffff:127.0.0.1", "::127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:0:0:1", "::01", "::", "::1%lo", "::2",
    "fe80::1",
    // Not host names.
    "", " ", "user@localhost", "localhost@mail.example.invalid", "localhost/",
    "localhost,mail.example.invalid",
  ])
  func `any other host needs --yes`(host: String) throws {
    let run = try count(Self.smtp(host))
    #expect(run.status == 64, "\(run.output)")
    #expect(run.errors == Self.refused)
    #expect(run.output == "")
  }

  @Test(arguments: ["127.1", "0177.0.0.1", "2130706433", "mail.example.invalid"])
  func `--yes allows another host, and one mail needs none`(host: String) throws {
    let many = try count(Self.smtp(host), "--yes")
    #expect(many.status == 75, "\(many.errors)")
    #expect(many.output.contains("deferred: 2"))
    let one = try send(Self.smtp(host))
    #expect(one.status == 75, "\(one.errors)")
    #expect(one.errors.hasPrefix("deferred by t"))
  }

  @Test(arguments: [
    "http://localhost:1", "https://localhost:1", "HTTPS://LOCALHOST:1", "http://127.0.0.1:1",
    "https://127.9.9.9:1/x",
    "http://[::1]:1", "http://[::1]:1/some/path",
  ])
  func `a loopback endpoint gets many mails`(endpoint: String) throws {
    let run = try count(Self.gmail(endpoint))
    #expect(run.status == 75, "\(run.errors)")
    #expect(run.output.contains("doesn't accept connections"), "\(run.output)")
  }

  @Test(arguments: [
    "https://mail.example.invalid", "https://mail.example.invalid:1", "https://192.0.2.1:1",
    "https://[2001:db8::1]:1",
    // The host of these isn't the part that reads like loopback.
    "https://localhost@mail.example.invalid:1", "https://localhost:1@mail.example.invalid",
    "https://a@localhost:1@mail.example.invalid",
    "https://127.0.0.1@mail.example.invalid:1", "https://[::1]@mail.example.invalid:1",
    "https://mail.example.invalid/localhost", "https://mail.example.invalid/@localhost",
    "https://mail.example.invalid?@localhost", "https://mail.example.invalid#@localhost",
    "https://127.0.0.1.example.com:1", "https://localhost.example.com:1",
    // Names and addresses as in `host`.
    "https://localhost.:1", "https://ｌｏｃａｌｈｏｓｔ:1", "https://127.1:1", "https://0177.0.0.1:1",
    "https://2130706433:1",
    "https://127.0.0.01:1", "https://[localhost]:1", "https://[127.0.0.1]:1",
    "https://[::ffff:127.0.0.1]:1", "https://[0:0:0:0:0:0:0:1]:1", "https://:1", "https://", "",
  ])
  func `any other endpoint needs --yes`(endpoint: String) throws {
    let run = try count(Self.gmail(endpoint))
    #expect(run.status == 64, "\(run.output)")
    #expect(run.errors == Self.refused)
    #expect(run.output == "")
  }

  @Test func `--yes allows another endpoint`() throws {
    let run = try count(Self.gmail("https://mail.example.invalid:1"), "--yes")
    #expect(run.status == 75, "\(run.errors)")
  }

  // Whether it is this machine or not, the plugin rejects these forms. None may be sent to.
  @Test(arguments: [
    "https://user@localhost:1", "https://mail.example.invalid\\@localhost:1",
    "https://mail.example.invalid\\\\@localhost",
    "localhost:1", "ftp://localhost:1", "https://localhost:", "https://localhost:0", "https://localhost:x",
    "https://localhost:65536", "https://localhost:1?x", "https://localhost:1#x",
  ])
  func `an invalid endpoint is an error with or without --yes`(endpoint: String) throws {
    let run = try count(Self.gmail(endpoint.replacing("\\", with: "\\\\")))
    #expect([64, 78].contains(run.status), "\(run.output)")
    #expect(run.output == "")
    #expect(try count(Self.gmail(endpoint.replacing("\\", with: "\\\\")), "--yes").status == 78)
  }

  @Test(arguments: ["[::1]", "[localhost]", "localhost:1", "127.0.0.1:1", "[::1]:1", "smtp://localhost"])
  func `an invalid host is an error with or without --yes`(host: String) throws {
    let run = try count(Self.smtp(host))
    #expect([64, 78].contains(run.status), "\(run.output)")
    #expect(run.output == "")
    #expect(try count(Self.smtp(host), "--yes").status == 78)
  }

  @Test func `an account without an endpoint belongs to another machine`() throws {
    let run = try count(#"{ "plugin": "gmail", "account": "g" }"#)
    #expect(run.status == 64)
    #expect(run.errors == Self.refused)
  }

  @Test func `a host that is only fetched on opening needs --yes`() throws {
    let transport = #"{ "plugin": "smtp", "host": { "env": "LATE_HOST" }, "port": 1 }"#
    let run = try count(transport, environment: ["LATE_HOST": "127.0.0.1"])
    #expect(run.status == 64)
    #expect(run.errors == Self.refused)
    #expect(try count(transport, "--yes", environment: ["LATE_HOST": "127.0.0.1"]).status == 75)
  }

  @Test func `an endpoint that is only fetched on opening needs --yes`() throws {
    let transport = #"{ "plugin": "gmail", "account": "g", "endpoint": { "env": "LATE_URL" } }"#
    let run = try count(transport, environment: ["LATE_URL": "http://127.0.0.1:1"])
    #expect(run.status == 64)
    #expect(run.errors == Self.refused)
    #expect(try count(transport, "--yes", environment: ["LATE_URL": "http://127.0.0.1:1"]).status == 75)
  }

  @Test(arguments: [
    (#""host": "127.0.0.1""#, true), (#""endpoint": "http://127.0.0.1""#, true),
    (#""host": "::1", "endpoint": "http://[::1]""#, true), (#""endpoint": "[::1]""#, true),
    (#""host": "127.0.0.1", "account": "g""#, true), ("", true),
    (#""host": "192.0.2.1", "endpoint": "http://127.0.0.1""#, false),
    (#""host": "127.0.0.1", "endpoint": "http://192.0.2.1""#, false), (#""account": "g""#, false),
    (#""endpoint": "user@localhost""#, false), (#""host": "::1]""#, false),
    (#""host": "[::1""#, false), (#""host": "127.0.0.+1""#, false), (#""host": "127.0.0.-1""#, false),
    (#""host": "[localhost]""#, false), (#""endpoint": "http://[::1]x""#, false),
  ])
  func `every setting that names a server counts`(settings: String, isAllowed: Bool) throws {
    let run = try count(
      #"{ "plugin": "./two-servers/libpabal-faulty.so"\#(settings.isEmpty ? "" : ", ")\#(settings) }"#)
    #expect(run.status == (isAllowed ? 0 : 64), "\(run.errors)")
    #expect(run.errors == (isAllowed ? "" : Self.refused))
  }

  @Test func `a default host counts like a configured one`() throws {
    let run = try count(#"{ "plugin": "./distant/libpabal-faulty.so" }"#)
    #expect(run.status == 64)
    #expect(run.errors == Self.refused)
    let here = try count(#"{ "plugin": "./distant/libpabal-faulty.so", "host": "localhost" }"#)
    #expect(here.status == 0, "\(here.errors)")
  }

  @Test func `the first transport of the route that leaves this machine is named`() throws {
    let site = try TestSite(
      TestSite.configuration(
        transport: #"["file", "near", "far", "farther"]"#,
        more: """
          "near": \(Self.smtp("127.0.0.1")), "far": \(Self.smtp("192.0.2.1")), "farther": \(Self.smtp("192.0.2.2")),
          """))
    let run = try site.pabal("send", "you@example.org", "--count", "2", "--json")
    #expect(run.status == 64)
    #expect(run.errors.contains("to another machine through “far”;"))
    let error = try #require((try run.json["errors"] as? [[String: Any]])?.first)
    #expect(error["what"] as? String == "--count would send 2 mails to another machine through “far”")
    #expect(error["cure"] as? String == "pass --yes if that machine is yours and expects them")
    #expect(site.mails == [])
    let near = try site.pabal("send", "you@example.org", "--count", "2", "--transport", "file,near")
    #expect(near.status == 0, "\(near.errors)")
    #expect(site.mails.count == 2)
  }

  private static func smtp(_ host: String) -> String {
    #"{ "plugin": "smtp", "host": "\#(host)", "port": 1, "timeout": "2s" }"#
  }

  private static func gmail(_ endpoint: String) -> String {
    #"{ "plugin": "gmail", "account": "g", "endpoint": "\#(endpoint)", "timeout": "2s" }"#
  }

  /// Sends two mails by one transport, with its settings as in `config.json`.
  private func count(
    _ transport: String, _ arguments: String..., environment: [String: String?] = [:]
  ) throws -> ChildProcess {
    try send(transport, ["--count", "2"] + arguments, environment: environment)
  }

  private func send(
    _ transport: String, _ arguments: [String] = [], environment: [String: String?] = [:]
  ) throws -> ChildProcess {
    let directory = try TemporaryDirectory()
    try directory.write(
      """
      {
        "transport": "t",
        "transports": { "t": \(transport) },
        "accounts": { "g": { "provider": "token", "user": "me@example.com", "token": { "env": "TEST_TOKEN" } } },
        "from": "pabal@example.com"
      }
      """, to: "config.json")
    for folder in ["two-servers", "distant"] {
      try directory.copy(BuiltProducts.fixture("faulty"), to: "\(folder)/libpabal-faulty.so")
    }
    let clean = TestSite.cleanEnvironment.merging(["TEST_TOKEN": "token"]) { $1 }
    return try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal",
      ["send", "you@example.org", "--subject", "x", "--text", "y"] + arguments,
      environment: clean.merging(environment) { $1 }, directory: directory.path)
  }
}
