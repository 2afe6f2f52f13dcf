import Foundation
import PabalTesting
import Testing

@Suite struct CheckCommandTests {
  @Test func `check finds no errors in the shipped configuration`() throws {
    let site = try TestSite()
    let run = try site.pabal("check")
    #expect(run.status == 0, "\(run.output)")
    let json = try site.pabal("check", "--json")
    let steps = try #require(JSONSerialization.jsonObject(with: Data(json.bytes)) as? [[String: Any]])
    #expect(steps.allSatisfy { $0["ok"] as? Bool == true })
    #expect(site.mails == [])
  }

  @Test func `check reports all mistakes in the configuration at once, with position and remedy`() throws {
    let site = try TestSite(
      """
      {
        "transprot": "file",
        "transport": "fiel",
        "transports": { "file": { "plugin": "file", "directory": "mail" } },
        "from": "Pabal <pabal@example.com>"
      }
      """)
    let run = try site.pabal("check")
    #expect(run.status == 78)
    #expect(run.errors.contains("config.json:2:3: error: transprot: "))
    #expect(run.errors.contains("config.json:3:16: error: transport: "))
    #expect(run.errors.contains("did you mean"))
  }

  @Test(arguments: [
    (
      #""plugin": "./no.so""#,
      #"5:26: error: transports.x.plugin: the plugin PLACE/no.so can't be opened: No such file"#
    ),
    (
      #""plugin": "smtp", "host": "localhost", "user": "x""#,
      "5:14: error: the transport “x” can't be opened: only one of \"user\" and \"password\" is set"
    ),
  ])
  func `a transport that can't be opened is reported with its place in the file`(
    settings: String, error: String
  ) throws {
    let site = try TestSite(
      TestSite.configuration(transport: #""x""#, more: "\n        \"x\": { \(settings) },"))
    let expected = "config.json:" + error.replacing("PLACE", with: site.directory.path)
    let check = try site.pabal("check")
    #expect(check.status == 78 && check.output.contains(expected), "\(check.output)")
    let send = try site.pabal("send", "kim@example.org")
    #expect(send.status == 78 && send.errors.contains(expected), "\(send.errors)")
  }

  @Test func `check prints the state of a transport and ends with its status`() throws {
    let site = try TestSite(TestSite.scripted("held:transport"))
    try site.addFaultyPlugin()
    let run = try site.pabal("check")
    #expect(run.status == 77)
    #expect(run.output.contains("held  transport first"))
    #expect(run.output.contains("ok  transport file"))
  }

  @Test func `lint, check and send report a broken message with file, line and remedy`() throws {
    let site = try TestSite()
    try site.directory.write(
      "Subject: {{cod}}\n\n`{{code}}` {{valid_for}} {{service}}\n", to: "messages/verification/ko.md")
    for arguments in [["messages", "lint"], ["check"], ["send", "a@example.org"]] {
      let run = try ChildProcess.run(
        "\(BuiltProducts.directory)/pabal", arguments, directory: site.directory.path)
      #expect(run.status == 65, "\(arguments)")
      let text = run.output + run.errors
      #expect(text.contains("ko.md:1:"), "\(arguments): \(text)")
      #expect(text.contains("code"), "\(arguments)")
    }
    #expect(site.mails == [])
  }

  @Test func `without a configuration, the error says how to name one`() throws {
    let empty = try TemporaryDirectory()
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["check"], environment: ["PABAL_CONFIG": nil],
      directory: empty.path)
    // The machine may have an /etc/pabal/config.json.
    guard !"/etc/pabal/config.json".exists else { return }
    #expect(run.status == 78)
    #expect(run.errors.contains("--config"))
  }

  @Test
  func `mistakes in the settings of plugins are reported together with those of the file, in its order`()
    throws
  {
    let site = try TestSite(
      """
      {
        "transport": "file",
        "transports": {
          "file": { "plugin": "file", "drectory": "mail", "account": "mine" },
          "console": { "plugin": "consol" }
        },
        "accounts": { "mine": { "provider": "tokn", "user": "a@example.com" } },
        "from": "Pabal <pabal@example.com>",
        "bogus": 1
      }
      """)
    let run = try site.pabal("check")
    #expect(run.status == 78)
    let places = run.errors.split(separator: "\n").compactMap { line in
      line.firstMatch(of: /error: ([a-z.]+):/).map { String($0.1) }
    }
    #expect(places.first == "transports.file.drectory")
    #expect(
      Set(places).isSuperset(of: [
        "transports.file.drectory", "transports.console.plugin", "accounts.mine.provider", "bogus",
      ]))
    #expect(places.last == "bogus")
    // The account exists, although it has a mistake itself.
    #expect(!run.errors.contains("unknown account"))
  }

  @Test func `every secret in plain text is a warning, and that everyone can read it`() throws {
    let key = String(repeating: "a1", count: 32)
    let site = try TestSite(TestSite.shipped(with: #""keys": { "current": "\#(key)" }"#))
    let config = "\(site.directory.path)/config.json"
    chmod(config, 0o644)
    let run = try site.pabal("check")
    #expect(run.output.contains("warning: keys.current: a secret is stored in plain text in the file"))
    #expect(run.output.contains("chmod o-r config.json"))
    #expect(!run.output.contains(key))
    chmod(config, 0o600)
    #expect(try !site.pabal("check").output.contains("chmod o-r"))
  }

  @Test func `a configuration that others can write is refused by every command`() throws {
    let site = try TestSite()
    chmod("\(site.directory.path)/config.json", 0o666)
    for arguments in [["check"], ["send", "a@example.org"], ["outbox"], ["serve"]] {
      let run = try ChildProcess.run(
        "\(BuiltProducts.directory)/pabal", arguments, directory: site.directory.path)
      #expect(run.status == 78, "\(arguments)")
      #expect(run.errors.contains("config.json: error: anyone can change this file"), "\(run.errors)")
    }
    #expect(site.mails == [])
  }

  @Test func `the configuration is found from a directory below`() throws {
    let site = try TestSite()
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["send", "a@example.org"], environment: TestSite.cleanEnvironment,
      directory: "\(site.directory.path)/messages/verification")
    #expect(run.status == 0, "\(run.errors)")
    #expect(site.mails.count == 1)
  }
}
