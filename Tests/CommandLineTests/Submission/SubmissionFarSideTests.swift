import Foundation
import PabalTesting
import Testing

/// Mail from every client and through every door, followed to the real far sides.
@Suite struct SubmissionFarSideTests {
  private struct Sent: Decodable {
    let client: String
    let recipients: [String]
    /// Whether the client writes its own mail instead of the test's.
    let writes: Bool
  }

  private struct Result: Decodable {
    let sent: [Sent]
    let states: [String]
    let body: String
    let log: String
  }

  private let directory: TemporaryDirectory
  private let authority: TestAuthority
  private let tag = String(UUID().uuidString.lowercased().prefix(8))

  init() throws {
    directory = try TemporaryDirectory()
    authority = try TestAuthority.shared.get()
  }

  /// Sends a mail by each client; `transport` and `accounts` are JSON.
  private func send(by clients: String = "all", transport: String, accounts: String = "{}", sender: String)
    throws -> Result
  {
    let run = try ChildProcess.run(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/submission_clients.py", "\(BuiltProducts.directory)/pabal",
        directory.path, authority.good, authority.key, authority.authority, clients,
        #"{ "transport": \#(transport), "accounts": \#(accounts), "sender": "\#(sender)", "tag": "\#(tag)" }"#,
      ])
    try #require(run.status == 0, "\(run.errors)")
    let result = try JSONDecoder().decode(Result.self, from: Data(run.bytes))
    #expect(result.states.allSatisfy { $0 == "sent" }, "\(result.states) \(result.log)")
    return result
  }

  /// Whether a mail's part behind the header is the body that the test sends.
  private func hasBody(_ mail: Data, _ body: String) -> Bool {
    guard let end = mail.range(of: Data("\r\n\r\n".utf8)) else { return false }
    return mail[end.upperBound...] == Data(body.utf8)
  }

  @Test(.enabled(if: RealMailServer.isAvailable, "needs root and Tests/Servers/install.sh"))
  func `Postfix, which Dovecot tells who logs in, delivers to exactly the recipients`() throws {
    let server = try RealMailServer.of("postfix")
    let result = try send(
      transport: """
        { "plugin": "smtp", "host": "localhost", "port": \(server.values["tls"] ?? ""), "account": "a",
          "ca_file": "\(server.authority.authority)" }
        """,
      accounts:
        #"{ "a": { "provider": "token", "user": "alice@example.test", "token": "\#(server.values["token"] ?? "")" } }"#,
      sender: "alice@example.test")
    for sent in result.sent {
      for recipient in sent.recipients {
        let mail = try server.mail("Delivered-To: \(recipient)\n")
        let text = try #require(mail.range(of: Data("\n\n".utf8)).map { mail[$0.upperBound...] })
        #expect(
          sent.writes || RealMailServer.isSame(Data(text), Array(result.body.utf8)),
          "\(sent.client): \(String(decoding: mail, as: UTF8.self))")
      }
    }
    let folder = server.values["mail"] ?? ""
    let delivered = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { name in
      let mail = String(
        decoding: FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data(), as: UTF8.self)
      return mail.firstMatch(of: /\nDelivered-To: ([^\n]+)\n/).map { String($0.1) }
    }
    let wanted = result.sent.flatMap(\.recipients).sorted()
    #expect(delivered.filter { $0.contains(tag) }.sorted() == wanted)
  }

  @Test(.enabled(if: RealMailServer.isAvailable, "needs root and Tests/Servers/install.sh"))
  func `Gmail delivers to exactly the recipients, although no field names the second`() throws {
    struct Script: Encodable { let plain = true }
    let gmail = try FakeGmail.shared.get()
    let port = try gmail.listen(Script())
    let result = try send(
      transport: #"{ "plugin": "gmail", "account": "a", "endpoint": "http://localhost:\#(port)" }"#,
      accounts: #"{ "a": { "provider": "token", "user": "kim@example.com", "token": "ya29.test" } }"#,
      sender: "kim@example.com")
    let taken = try gmail.ask(["report": port], as: RESTServerReport.self).taken
    let reached = Set(taken.map { Set($0.recipients) })
    #expect(reached == Set(result.sent.map { Set($0.recipients) }) && taken.count == result.sent.count)
    for sent in result.sent {
      let mail = try #require(taken.first { $0.recipients.contains(sent.recipients[1]) })
      let delivered = try #require(mail.delivered)
      #expect(sent.writes || hasBody(delivered, result.body), "\(sent.client)")
      #expect(delivered.range(of: Data(sent.recipients[1].utf8)) == nil, "\(sent.client)")
    }
  }

  @Test(.enabled(if: RealMailServer.isAvailable, "needs root and Tests/Servers/install.sh"))
  func `each client's mail becomes a file with its body`() throws {
    let result = try send(
      transport: #"{ "plugin": "file", "directory": "received" }"#, sender: "kim@example.com")
    let files = try FileManager.default.contentsOfDirectory(atPath: "\(directory.path)/received")
      .filter { !$0.hasPrefix(".") }.map {
        try Data(contentsOf: URL(filePath: "\(directory.path)/received/\($0)"))
      }
    #expect(files.count == result.sent.count)
    for sent in result.sent {
      let mail = try #require(files.first { $0.range(of: Data(sent.recipients[0].utf8)) != nil })
      #expect(sent.writes || hasBody(mail, result.body), "\(sent.client)")
      #expect(mail.range(of: Data(sent.recipients[1].utf8)) == nil, "\(sent.client)")
    }
  }

  @Test(arguments: [#"["gmail", "smtp"]"#, #""gmail""#])
  func `a mail whose header names others never reaches them by REST`(route: String) throws {
    struct Script: Encodable { let plain = true }
    struct MailServerScript: Encodable { let security = "none", offers = ["PIPELINING"] }
    let (gmail, mailServer) = (try FakeGmail.shared.get(), try ScriptedServer("hostile.py"))
    let (rest, smtp) = (try gmail.listen(Script()), try mailServer.listen(MailServerScript()))
    let door = try SubmissionSite(nil)
    let site = try TestSite(
      """
      {
        "transport": \(route),
        "transports": {
          "gmail": { "plugin": "gmail", "account": "a", "endpoint": "http://localhost:\(rest)" },
          "smtp": { "plugin": "smtp", "host": "127.0.0.1", "port": \(smtp), "security": "none" }
        },
        "accounts": { "a": { "provider": "token", "user": "kim@example.com", "token": "ya29.test" } },
        "from": "kim@example.com",
        "serve": { "submission": { "socket": "\(door.directory.path)/submit" } }
      }
      """)
    let server = try InteractiveProcess(
      "\(BuiltProducts.directory)/pabal", ["serve"], environment: TestSite.cleanEnvironment,
      directory: site.directory.path)
    try server.transcript(until: "submission listening path=")
    let run = try door.sendmail(
      // Without a report to the sender, which would be sent by Gmail.
      ["-i", "-N", "never", "-f", "kim@example.com", "lee@example.net"],
      input: "To: outsider@example.org, Lee <LEE@Example.NET>\nCc: other@example.org\nSubject: list\n\ntext\n"
    )
    #expect(run.status == 0, "\(run.errors)")
    try eventually { try site.outbox().first?["state"] as? String != "waiting" }
    try eventually { try site.outbox().first?["state"] as? String != "sending" }
    let mail = try #require(try site.outbox().first)
    let recipients = try mailServer.ask(["report": smtp], as: MicrosoftSite.MailServerReport.self).taken
      .map(\.recipients)
    #expect(try gmail.ask(["report": rest], as: RESTServerReport.self).taken.isEmpty)
    if route.contains("smtp") {
      #expect(mail["state"] as? String == "sent", "\(mail)")
      #expect(recipients == [["lee@example.net"]])
    } else {
      #expect(mail["state"] as? String == "rejected", "\(mail)")
      #expect(mail["outcome"] as? String == "unsuited", "\(mail)")
      #expect(recipients.isEmpty)
    }
    server.signal(SIGTERM)
    let end = try server.finish()
    #expect(end.status == 0)
    // The log says why, without the addresses.
    #expect(end.errors.contains(/outcome=unsuited .*cause="[^"]*\(address\)/), "\(end.errors)")
    #expect(!end.errors.contains("outsider"))
  }
}
