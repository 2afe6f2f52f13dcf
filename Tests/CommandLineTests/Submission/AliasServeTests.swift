import Foundation
import PabalTesting
import Testing

/// Aliases and a forced sender, by every way into the queue.
@Suite struct AliasServeTests {
  /// What Debian's cron hands to `sendmail -FCronDaemon -i -B8BITMIME -oem root`.
  private static let cronMail = """
    From: root (Cron Daemon)
    To: root
    Subject: Cron <root@vm> false
    MIME-Version: 1.0
    Content-Type: text/plain; charset=UTF-8
    X-Cron-Env: <LOGNAME=root>

    it failed

    """

  private static func site(_ local: String, serve: String = "") throws -> ListenerSite {
    let site = try ListenerSite(
      """
      { "submission": { "listen": "127.0.0.1:0", "security": "none", "networks": ["127.0.0.1"],
          "socket": "submit", "drop": "drop", "host": "mail.example.com"\(local) } },
        "aliases": { "root": "admin", "admin": ["ops@example.org", "night@example.org"] }
      """, listeners: 2)
    let drop = "\(site.site.directory.path)/drop"
    try FileManager.default.createDirectory(atPath: drop, withIntermediateDirectories: false)
    #expect(chmod(drop, 0o3733) == 0)
    return site
  }

  /// Sends cron's mail by a way into the queue, and returns the mail that the transport got.
  private static func send(_ way: String, _ site: ListenerSite) throws -> String {
    let folder = site.site.directory.path
    let before = Set(site.site.mails)
    switch way {
    case "smtp":
      let rows: [[String: Any]] = [
        [
          "door": ["host": "127.0.0.1", "port": site.ports[0]], "sender": "root", "recipients": ["root"],
          "mail": cronMail.replacing("\n", with: "\r\n"),
        ]
      ]
      let run = try ChildProcess.run(
        "python3", ["\(BuiltProducts.root)/Tests/Servers/submission_rules.py"],
        input: Array(try JSONSerialization.data(withJSONObject: rows)), directory: folder)
      #expect(run.output.contains("250"), "\(run.errors)\(run.output)")
    default:
      let ways =
        switch way {
        case "socket": ["--socket", "\(folder)/submit", "--drop", "/none"]
        case "drop": ["--socket", "/none", "--drop", "\(folder)/drop"]
        default: ["--socket", "/none", "--drop", "/none", "--config", "\(folder)/config.json"]
        }
      let run = try ChildProcess.run(
        "\(BuiltProducts.directory)/pabal",
        ["sendmail"] + ways + ["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"],
        input: Array(cronMail.utf8), environment: TestSite.cleanEnvironment)
      #expect(run.status == 0, "\(run.errors)")
    }
    try eventually { Set(site.site.mails).subtracting(before).count == 1 }
    let name = try #require(Set(site.site.mails).subtracting(before).first)
    let mail = try String(contentsOfFile: "\(folder)/mail/\(name)", encoding: .utf8)
    let log = site.log.split(separator: "\n").filter { $0.contains(name.dropLast(4)) }
    #expect(!log.isEmpty || way == "outbox")
    return mail
  }

  @Test(arguments: ["smtp", "socket", "drop", "outbox"])
  func `cron's mail to root reaches the persons behind it`(_ way: String) throws {
    let site = try Self.site("")
    let mail = try Self.send(way, site)
    #expect(mail.contains("\r\nTo: ops@example.org,\r\n night@example.org\r\n"), "\(mail)")
    #expect(mail.contains(/\r\nFrom: root@[a-z0-9.-]+ \(Cron Daemon\)\r\n/), "\(mail)")
    #expect(!mail.contains("Reply-To"))
    #expect(mail.hasSuffix("\r\n\r\nit failed\r\n"))
    let id = try #require(mail.firstMatch(of: /id ([0-9A-Z]{26});/)?.1)
    let shown = try site.site.pabal("outbox", "show", String(id), "--json").json
    #expect(String(describing: shown).contains("sent"))
    #expect(site.log.contains("recipients=1") || way == "outbox")
  }

  @Test(arguments: ["smtp", "socket", "drop", "outbox"])
  func `a forced sender replaces the author, who gets the replies`(_ way: String) throws {
    let forced = #"{ "forcedSender": "app@example.org" }"#
    let site = try Self.site(#", "local": { "default": \#(forced) }"#)
    if way == "smtp" {
      let file = "\(site.site.directory.path)/config.json"
      let text = try String(contentsOfFile: file, encoding: .utf8)
      try site.site.directory.write(
        text.replacing(
          #""networks": ["127.0.0.1"]"#,
          with: #""networks": [{ "network": "127.0.0.1", "forcedSender": "app@example.org" }]"#),
        to: "config.json")
      try site.logged("reloaded")
    }
    let mail = try Self.send(way, site)
    #expect(mail.contains("\r\nFrom: app@example.org (Cron Daemon)\r\n"), "\(mail)")
    #expect(mail.contains(/\r\nReply-To: root@[a-z0-9.-]+ \(Cron Daemon\)\r\n/), "\(mail)")
  }

  @Test func `a signature that is removed is a line of the log`() throws {
    let site = try Self.site("")
    let mail =
      "DKIM-Signature: v=1; d=shop.example; s=x; h=from:to; b=1\nFrom: a@shop.example\nTo: root\n\ntext\n"
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal",
      ["sendmail", "--socket", "\(site.site.directory.path)/submit", "-i", "-f", "a@shop.example", "root"],
      input: Array(mail.utf8), environment: TestSite.cleanEnvironment)
    #expect(run.status == 0, "\(run.errors)")
    try eventually {
      site.log.contains(/signature removed mail=[0-9A-Z]{26} domain=shop.example changed=to\n/)
    }
  }

  @Test func `check and readiness say where mail to root would end`() throws {
    let site = try ListenerSite(
      #"{ "listen": "127.0.0.1:0", "keyless": true, "submission": { "socket": "submit" } }"#)
    let check = try site.site.pabal("check")
    #expect(
      check.output.contains("warning: serve.submission: mail of local programs to root"), "\(check.output)")
    try site.logged(" listening host=127.0.0.1")
    let port = try #require(site.log.firstMatch(of: /listening host=127.0.0.1 port=([0-9]+)/)?.1)
    func readiness() throws -> String {
      try ChildProcess.run("curl", ["-sS", "http://127.0.0.1:\(port)/readyz"]).output
    }
    let text = try readiness()
    #expect(
      text.contains("mail of local programs to root, such as that of cron, is kept by the transport"),
      "\(text)")
    #expect(text.contains(#""ready""#) && !text.contains("degraded"), "\(text)")
    let file = "\(site.site.directory.path)/config.json"
    let before = try String(contentsOfFile: file, encoding: .utf8)
    try site.site.directory.write(
      before.replacing(#""serve": {"#, with: #""aliases": { "root": "ops@example.org" }, "serve": {"#),
      to: "config.json")
    try site.logged("reloaded")
    #expect(try !readiness().contains("local programs"))
    #expect(try !site.site.pabal("check").output.contains("local programs"))
  }
}
