import Foundation
import PabalTesting
import Testing

/// The rules of senders, by every way into the queue.
@Suite struct SenderRuleTests {
  /// How a mail ended.
  private enum End: String { case queued, refusedAtMAIL, refusedAtContent }

  /// A mail, and how it ends by each way.
  private struct Row {
    let sender: String
    let header: String
    let end: End
    /// The transport by which it leaves.
    var transport = "file"
  }

  private static let rows = [
    Row(sender: "app@example.com", header: "From: app@example.com", end: .queued),
    Row(sender: "APP@Example.COM", header: "From: \"The App\" <App@EXAMPLE.com>", end: .queued),
    Row(
      sender: "any@XN--bcher-kva.example", header: "From: kim@xn--bcher-kva.example", end: .queued,
      transport: "books"),
    // The author decides, not the sender of the envelope.
    Row(sender: "any@xn--bcher-kva.example", header: "From: app@example.com", end: .queued),
    Row(
      sender: "app@example.com", header: "From: K <kim@Bücher.example>", end: .queued, transport: "books"),
    Row(sender: "", header: "From: app@example.com", end: .queued),
    Row(sender: "app@example.com", header: "Subject: no author", end: .queued),
    Row(sender: "ceo@example.com", header: "From: app@example.com", end: .refusedAtMAIL),
    Row(sender: "app@sub.xn--bcher-kva.example", header: "From: app@example.com", end: .refusedAtMAIL),
    Row(sender: "app@example.com", header: "From: ceo@example.com", end: .refusedAtContent),
    Row(sender: "", header: "From: ceo@example.com", end: .refusedAtContent),
    Row(sender: "app@example.com", header: "From: app@example.com, ceo@example.com", end: .refusedAtContent),
    Row(
      sender: "app@example.com", header: "From: app@example.com\nFrom: ceo@example.com",
      end: .refusedAtContent),
    Row(
      sender: "app@example.com", header: "From: app@example.com\nSender: ceo@example.com",
      end: .refusedAtContent),
    Row(
      sender: "app@example.com", header: "From: \"app@example.com\" <ceo@evil.example>",
      end: .refusedAtContent),
    Row(sender: "app@example.com", header: "From: app@example.com <ceo@evil.example", end: .refusedAtContent),
    Row(
      sender: "app@example.com", header: "Resent-From: app@example.com\nFrom: app@example.com", end: .queued),
    Row(
      sender: "app@example.com", header: "From: app@example.com\nResent-From: ceo@example.com",
      end: .refusedAtContent),
    Row(
      sender: "app@example.com",
      header: "Resent-From: app@example.com\nResent-Sender: ceo@example.com\nFrom: app@example.com",
      end: .refusedAtContent),
    Row(
      sender: "app@example.com",
      header: "Resent-From: app@example.com\nResent-From: ceo@example.com\nFrom: app@example.com",
      end: .refusedAtContent),
    Row(
      sender: "app@example.com", header: "Resent-From: app@example.com\nFrom: ceo@example.com",
      end: .refusedAtContent),
    Row(sender: "app@example.com", header: "FROM :\n (x)\n ceo@example.com", end: .refusedAtContent),
  ]

  private static let rules = #""senders": ["app@example.com", "bücher.example"]"#

  private static func site() throws -> ListenerSite {
    let site = try ListenerSite(
      """
      { "submission": [
        { "listen": "127.0.0.1:0", FILES, "client_ca": "ca.pem", "socket": "submit", "drop": "drop",
          "users": { "printer": { "password": "HASH", \(rules) } },
          "certificates": { "scanner": { "fingerprint": "SHA-client", \(rules) } },
          "local": { "default": { \(rules) }, "daemon": { "senders": ["daemon@example.com"] } } },
        { "listen": "127.0.0.2:0", "security": "none",
          "networks": ["127.0.0.0/8", { "network": "127.0.0.0/24", \(rules) }] } ] }
      """, listeners: 3, transports: #""books": { "plugin": "file", "directory": "books" }, "#,
      more: #", "routes": { "bücher.example": "books" }"#)
    let drop = "\(site.site.directory.path)/drop"
    try FileManager.default.createDirectory(atPath: drop, withIntermediateDirectories: false)
    #expect(chmod(drop, 0o3733) == 0)
    return site
  }

  /// Sends each row over a door with an SMTP client.
  private static func send(_ site: ListenerSite, _ door: [String: Any]) throws -> [(String, Int, String)] {
    let mails = rows.map { row in
      [
        "door": door, "sender": row.sender, "recipients": ["you@example.net"],
        "mail": "\(row.header)\n\ntext\n".replacing("\n", with: "\r\n"),
      ] as [String: Any]
    }
    let run = try ChildProcess.run(
      "python3", ["\(BuiltProducts.root)/Tests/Servers/submission_rules.py"],
      input: Array(try JSONSerialization.data(withJSONObject: mails)), directory: site.site.directory.path)
    try #require(run.status == 0, "\(run.errors)")
    let results = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [[Any]] ?? []
    return results.map { ($0[0] as? String ?? "", $0[1] as? Int ?? 0, $0[2] as? String ?? "") }
  }

  @Test func `are the same by every way into the queue`() throws {
    let site = try Self.site()
    let folder = site.site.directory.path
    var queued = ["file": 0, "books": 0]
    for (name, door) in [
      ("user", ["port": site.ports[0], "user": "printer", "password": ListenerSite.password]),
      ("certificate", ["port": site.ports[0], "certificate": "client"]),
      ("network", ["host": "127.0.0.2", "port": site.ports[1]]), ("socket", ["path": "\(folder)/submit"]),
    ] as [(String, [String: Any])] {
      let results = try Self.send(site, door)
      try #require(results.count == Self.rows.count)
      for (row, result) in zip(Self.rows, results) {
        let expected: (String, Int) =
          switch row.end {
          case .queued: ("DATA", 250)
          case .refusedAtMAIL: ("MAIL", 550)
          case .refusedAtContent: ("DATA", 550)
          }
        #expect(result.0 == expected.0 && result.1 == expected.1, "\(name) \(row): \(result)")
        if result.1 == 550 { #expect(result.2.hasPrefix("5.7.1 "), "\(name) \(row): \(result)") }
        if result.1 == 250 { queued[row.transport, default: 0] += 1 }
      }
    }
    // Refused at MAIL or at the content is one line of the log each.
    let refusals = site.log.matches(of: /submission refused submitter=\S+ door=(smtp|socket) status=5\.7\.1/)
      .count
    let refusedRows = Self.rows.count { $0.end != .queued }
    #expect(refusals == 4 * refusedRows)
    #expect(!site.log.contains("ceo"))

    for (name, ways) in [
      ("sendmail over the socket", ["--socket", "\(folder)/submit", "--drop", "/none"]),
      (
        "sendmail into the outbox",
        ["--socket", "/none", "--drop", "/none", "--config", "\(folder)/config.json"]
      ),
    ] {
      for row in Self.rows {
        let run = try ChildProcess.run(
          "\(BuiltProducts.directory)/pabal",
          ["sendmail"] + ways + ["-i", "-f", row.sender.isEmpty ? "<>" : row.sender, "you@example.net"],
          input: Array("\(row.header)\n\ntext\n".utf8), environment: TestSite.cleanEnvironment)
        #expect(run.status == (row.end == .queued ? 0 : 77), "\(name) \(row): \(run.errors)")
        if row.end != .queued {
          #expect(
            run.errors.contains("not an allowed sender") || run.errors.contains("not a valid list"),
            "\(run.errors)")
        }
        if run.status == 0 { queued[row.transport, default: 0] += 1 }
      }
    }
    // The writer of a drop file has its answer before it is read.
    for row in Self.rows {
      let run = try ChildProcess.run(
        "\(BuiltProducts.directory)/pabal",
        [
          "sendmail", "--socket", "/none", "--drop", "\(folder)/drop", "-i", "-f",
          row.sender.isEmpty ? "<>" : row.sender, "you@example.net",
        ], input: Array("\(row.header)\n\ntext\n".utf8), environment: TestSite.cleanEnvironment)
      #expect(run.status == 0, "\(run.errors)")
      // A sender that may be used learns that the content was refused.
      if row.end == .queued || row.end == .refusedAtContent && !row.sender.isEmpty {
        queued[row.transport, default: 0] += 1
      }
    }
    let refused = Self.rows.count { $0.end != .queued }
    try eventually {
      try FileManager.default.contentsOfDirectory(atPath: "\(folder)/drop").sorted() == ["limits", "refused"]
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/drop/refused").count == refused)
    #expect(
      site.log.matches(of: /submission refused submitter=\S+ door=drop status=5\.7\.1/).count == refused)
    try eventually {
      site.site.mails.count == queued["file"] && site.site.mails(in: "books").count == queued["books"]
    }
    #expect(try site.stop() == 0)
  }

  @Test func `limit what a submitter sends by all ways together, and name its lane`() throws {
    let rules = #""rate": ["3/1h"], "lane": "bulk""#
    let site = try ListenerSite(
      #"{ "submission": { "socket": "submit", "drop": "drop", "local": { "default": { \#(rules) } } } }"#)
    let folder = site.site.directory.path
    try FileManager.default.createDirectory(atPath: "\(folder)/drop", withIntermediateDirectories: false)
    #expect(chmod("\(folder)/drop", 0o3733) == 0)
    func send(_ ways: String...) throws -> ChildProcess {
      try ChildProcess.run(
        "\(BuiltProducts.directory)/pabal",
        ["sendmail"] + ways + ["-i", "-f", "a@example.com", "you@example.net"],
        input: Array("Subject: x\n\ntext\n".utf8), environment: TestSite.cleanEnvironment)
    }
    #expect(try send("--socket", "/none", "--drop", "\(folder)/drop").status == 0)
    try site.logged("door=drop")
    for _ in 0..<2 { #expect(try send("--socket", "\(folder)/submit", "--drop", "/none").status == 0) }
    let refused = try send("--socket", "\(folder)/submit", "--drop", "/none")
    #expect(
      refused.status == 75 && refused.errors.contains("the limit of 3 recipients in 1h is reached"),
      "\(refused.errors)")
    #expect(site.log.contains("door=socket status=4.7.1"))
    // Without another way, it isn't lost: it waits in the drop directory.
    #expect(try send("--socket", "\(folder)/submit", "--drop", "\(folder)/drop").status == 0)
    try site.logged("drop delayed")
    // Beside the limits that the service publishes there.
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/drop").count == 2)
    #expect(try site.site.outbox().allSatisfy { $0["lane"] as? String == "bulk" })
    #expect(try site.site.outbox().count == 3)
  }

  @Test func `follow an edit of the configuration, on a connection that is open`() throws {
    let site = try Self.site()
    let folder = site.site.directory.path
    let open = try InteractiveProcess(
      "/usr/bin/env",
      [
        "python3", "-c",
        """
        import smtplib, sys
        c = smtplib.SMTP("127.0.0.2", int(sys.argv[1])); c.ehlo()
        print(c.docmd("MAIL", "FROM:<ceo@example.com>")[0], file=sys.stderr, flush=True)
        sys.stdin.readline()
        print(c.docmd("MAIL", "FROM:<ceo@example.com>")[0], file=sys.stderr, flush=True)
        c.rset()
        print(c.docmd("MAIL", "FROM:<app@example.com>")[0], file=sys.stderr, flush=True)
        """, "\(site.ports[1])",
      ], directory: folder)
    try open.transcript(until: "550")
    let text = try String(contentsOfFile: "\(folder)/config.json", encoding: .utf8)
    try site.site.directory.write(
      text.replacing("app@example.com", with: "ceo@example.com"), to: "config.json")
    try site.logged("reloaded")
    try open.type(line: "")
    let end = try open.finish()
    #expect(end.errors.split(separator: "\n").suffix(2) == ["250", "550"], "\(end.errors)")
  }
}
