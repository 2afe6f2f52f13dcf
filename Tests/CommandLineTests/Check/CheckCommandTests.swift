import Foundation
import PabalTesting
import Testing

@Suite struct CheckCommandTests {
  @Test func `check finds everything in order with the shipped configuration`() throws {
    let site = try TestSite()
    let run = try site.pabal("check")
    #expect(run.status == 0, "\(run.output)")
    let json = try site.pabal("check", "--json")
    let steps = try #require(JSONSerialization.jsonObject(with: Data(json.bytes)) as? [[String: Any]])
    #expect(steps.allSatisfy { $0["ok"] as? Bool == true })
    #expect(site.mails == [])
  }

  @Test func `what a plugin prints while it is loaded stays out of an answer in JSON`() throws {
    let site = try TestSite()
    try site.directory.copy(BuiltProducts.fixture("faulty"), to: "chatty/libpabal-faulty.so")
    let show = try site.pabal("transports", "show", "./chatty/libpabal-faulty.so", "--json")
    #expect(try show.json["plugin"] as? String == "faulty")
    #expect(show.errors.contains("a word of the plugin's own"))
  }

  @Test func `all mistakes of the configuration are told at once, with place and cure`() throws {
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

  @Test func `a plugin's settings are checked with place and cure`() throws {
    let site = try TestSite(
      TestSite.shipped.replacing(#""directory": "mail""#, with: #""directroy": "mail""#))
    let run = try site.pabal("send", "a@example.org")
    #expect(run.status == 78)
    #expect(run.errors.contains("transports.file.directroy"))
    #expect(run.errors.contains("directory"))
  }

  @Test func `check says what a transport's state is, and ends with its status`() throws {
    let site = try TestSite(TestSite.scripted("held:transport"))
    try site.addFaultyPlugin()
    let run = try site.pabal("check")
    #expect(run.status == 77)
    #expect(run.output.contains("held  transport first"))
    #expect(run.output.contains("ok  transport file"))
  }

  @Test func `a broken message is told by lint, check and send with file, line and cure`() throws {
    let site = try TestSite()
    try site.directory.write(
      "Subject: {{cod}}\n\n`{{code}}` {{valid_for}} {{service}}\n", to: "messages/verification/ko.md")
    for arguments in [["messages", "lint"], ["check"], ["send", "a@example.org"]] {
      let run = try ChildProcess.run(
        "\(BuiltProducts.directory)/pabal", arguments, directory: site.directory.path)
      #expect(run.status == 65, "\(arguments)")
      let told = run.output + run.errors
      #expect(told.contains("ko.md:1:"), "\(arguments): \(told)")
      #expect(told.contains("code"), "\(arguments)")
    }
    #expect(site.mails == [])
  }

  @Test func `messages are listed and rendered with their examples`() throws {
    let site = try TestSite()
    let list = try site.pabal("messages", "list")
    #expect(list.status == 0)
    #expect(list.output.contains("verification (en, ko)"))
    let render = try site.pabal("messages", "render", "verification", "--language", "en", "--json")
    #expect(try render.json["language"] as? String == "en")
    let part = try site.pabal(
      "messages", "render", "verification", "--part", "subject", "--set", "code=000000")
    #expect(part.output.contains("000000"))
    let none = try site.pabal("messages", "render", "verificatoin")
    #expect(none.status == 65)
    #expect(none.errors.contains("did you mean \"verification\"?"))
  }

  @Test func `transports are listed with the one in use first, and show their settings`() throws {
    let site = try TestSite()
    let list = try site.pabal("transports")
    #expect(list.status == 0)
    #expect(list.output.contains("→ file, by the plugin file"))
    let show = try site.pabal("transports", "show", "file", "--json").json
    #expect(show["plugin"] as? String == "file")
    let settings = try #require(show["settings"] as? [[String: Any]])
    #expect(settings.map { $0["key"] as? String } == ["directory"])
    #expect(try site.pabal("transports", "show", "nothing").status == 78)
  }

  @Test func `without a configuration it says where one is looked for`() throws {
    let empty = try TemporaryDirectory()
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["check"], environment: ["PABAL_CONFIG": nil],
      directory: empty.path)
    // A machine may have /etc/pabal/config.json; then there is one.
    guard !"/etc/pabal/config.json".exists else { return }
    #expect(run.status == 78)
    #expect(run.errors.contains("--config"))
  }
}
