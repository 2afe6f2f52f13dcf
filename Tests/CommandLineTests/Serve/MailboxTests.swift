import Foundation
import PabalTesting
import Testing

/// A site that reads a folder of a real Dovecot for bounces, and whose mail goes to files.
private struct MailboxSite {
  let server: RealMailServer
  let maildir: String
  let site: TestSite

  /// A site that reads `folder` with the members `login`.
  init(
    login: (RealMailServer, TestSite) throws -> String, folder: String, _ directory: String,
    serves: Bool = true
  ) throws {
    server = try RealMailServer.of("imap")
    maildir = try #require(server.values["mail"]) + directory
    site = try TestSite(TestSite.shipped(with: serves ? ServingSite.serve : ##""serve": {}"##))
    try site.edit(
      #""from":"#,
      #"""
      "accounts": { "relay": { "provider": "token", "user": "alice@example.test", "token": { "file": "token" } } },
      "mailboxes": { "bounces": {
        "host": "localhost", "port": \#(try #require(server.values["tls"])), \#(try login(server, site)),
        "ca_file": "\#(server.authority.authority)", "folder": "\#(folder)", "every": "1s" } },
      "from":
      """#)
  }

  static func token(_ server: RealMailServer, _ site: TestSite) throws -> String {
    try site.directory.write(try #require(server.values["token"]), to: "token")
    chmod("\(site.directory.path)/token", 0o600)
    return #""account": "relay""#
  }

  static func password(_ server: RealMailServer, _ site: TestSite) throws -> String {
    try site.directory.write("app-password-1\n", to: "password")
    chmod("\(site.directory.path)/password", 0o600)
    return #""user": "alice@example.test", "password": { "file": "password" }"#
  }

  /// Delivers a mail to the folder, as a mail server does.
  func deliver(_ text: String) throws {
    let name = "\(UUID().uuidString).test"
    let path = "\(maildir)/tmp/\(name)"
    try Data(text.replacing("\n", with: "\r\n").utf8).write(to: URL(filePath: path))
    chmod(path, 0o644)
    try #require(rename(path, "\(maildir)/new/\(name)") == 0)
  }

  func bounce(_ messageID: String, of recipient: String, status: String = "5.1.1") -> String {
    """
    From: MAILER-DAEMON@relay.example.test (Mail Delivery System)
    To: alice@example.test
    Subject: Undelivered Mail Returned to Sender
    Auto-Submitted: auto-replied
    Content-Type: multipart/report; report-type=delivery-status;
    \tboundary="B/1"
    MIME-Version: 1.0

    --B/1
    Content-Type: text/plain

    I'm sorry.

    --B/1
    Content-Type: message/delivery-status

    Reporting-MTA: dns; relay.example.test

    Final-Recipient: rfc822; \(recipient)
    Action: failed
    Status: \(status)
    Remote-MTA: dns; mx.example.org
    Diagnostic-Code: smtp; 550 5.1.1 no such user

    --B/1
    Content-Type: text/rfc822-headers

    Message-ID: \(messageID)
    From: alice@example.test

    --B/1--

    """
  }

  /// Sends a mail and returns its id and Message-ID.
  func send(_ serving: ServingSite, to recipient: String) throws -> (id: String, messageID: String) {
    let made = try serving.object("/v1/mails", #"{ "to": ["\#(recipient)"], "message": "registered" }"#)
    let id = try #require(made["id"] as? String, "\(made)")
    try eventually {
      try site.pabal("outbox", "show", id, "--json").json["state"] as? String == "sent"
    }
    let directory = "\(site.directory.path)/mail"
    for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
      let mail = try String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8)
      if mail.contains(recipient), let match = mail.firstMatch(of: /Message-ID: (<[^>]+>)/) {
        return (id, String(match.1))
      }
    }
    throw TestError("no mail to \(recipient)")
  }

  func events(_ id: String) throws -> [String] {
    let events = try site.pabal("outbox", "show", id, "--json").json["events"] as? [[String: Any]]
    return (events ?? []).map { "\($0["event"] ?? "?") \($0["code"] as? String ?? "-")" }
  }
}

/// How `pabal serve` reads bounces by IMAP.
@Suite(.enabled("needs mail servers, which run as root") { RealMailServer.isAvailable })
struct MailboxTests {
  @Test(arguments: ["token", "password"], [("INBOX", ""), ("받은", "/.&vBvHQA-")])
  func `bounces are read with either login, in any folder, and the mailbox stays as it is`(
    login: String, folder: (name: String, directory: String)
  ) throws {
    let test = try MailboxSite(
      login: login == "token" ? MailboxSite.token : MailboxSite.password, folder: folder.name,
      folder.directory)
    try test.deliver("From: kim@example.org\nSubject: Hello\n\nNot a bounce.\n")
    let serving = try ServingSite(test.site)
    let (id, messageID) = try test.send(serving, to: "nosuch@example.org")
    try test.deliver(test.bounce(messageID, of: "nosuch@example.org"))
    try test.deliver(test.bounce("<stranger@example.org>", of: "victim@example.org"))
    try eventually { try test.events(id) == ["bounced 5.1.1"] }
    let list = try test.site.pabal("suppress", "list", "--addresses", "--json").json["suppressions"]
    #expect(
      (list as? [[String: Any]] ?? []).compactMap { $0["address"] as? String } == ["nosuch@example.org"])

    // The next run goes on where this one ended.
    let log = try serving.stop()
    #expect(!log.contains("bounces unread"), "\(log)")
    let second = try ServingSite(test.site, key: serving.key)
    let (other, otherID) = try test.send(second, to: "full@example.org")
    try test.deliver(test.bounce(otherID, of: "full@example.org", status: "5.2.2"))
    try eventually { try test.events(other) == ["bounced 5.2.2"] }
    let later = try second.stop()
    #expect(later.matches(of: #/ bounced mail=/#).count == 1, "\(later)")

    // No mail was marked as read or deleted.
    let names = try ["new", "cur"].flatMap {
      try FileManager.default.contentsOfDirectory(atPath: "\(test.maildir)/\($0)")
    }
    #expect(names.count >= 4)
    #expect(names.allSatisfy { !$0.contains(":2,") || $0.hasSuffix(":2,") }, "\(names)")
  }

  @Test func `check opens the folder, and says what is wrong with a login, a folder or a server`() throws {
    func check(_ edit: (String, String)?) throws -> (status: Int32, output: String) {
      let test = try MailboxSite(login: MailboxSite.password, folder: "INBOX", "", serves: false)
      if let edit { try test.site.edit(edit.0, edit.1) }
      let run = try test.site.pabal("check")
      return (run.status, run.output + run.errors)
    }
    let good = try check(nil)
    #expect(good.output.contains("ok  mailbox bounces: INBOX at localhost"), "\(good)")
    let wrong = try check(("{ \"file\": \"password\" }", "\"wrong-password-1\""))
    #expect(wrong.status == 77 && wrong.output.contains("held  mailbox bounces"), "\(wrong)")
    #expect(
      wrong.output.contains("refused the login") && !wrong.output.contains("wrong-password-1"), "\(wrong)")
    let missing = try check(("\"folder\": \"INBOX\"", "\"folder\": \"Nowhere\""))
    #expect(
      missing.status == 77 && missing.output.contains("opening the folder Nowhere was refused"), "\(missing)")
    let untrusted = try check(("\"ca_file\"", "\"folder\": \"INBOX\", \"ca_file\""))
    #expect(untrusted.status == 78 && untrusted.output.contains("folder"), "\(untrusted)")
  }

  @Test func `a token that the server refuses is logged with the remedy, and not the token`() throws {
    let test = try MailboxSite(
      login: { server, site in
        try site.directory.write(try #require(server.values["expired"]), to: "token")
        chmod("\(site.directory.path)/token", 0o600)
        return #""account": "relay""#
      }, folder: "INBOX", "")
    let serving = try ServingSite(test.site)
    _ = try serving.server.transcript(until: "bounces unread")
    let log = try serving.stop()
    #expect(log.contains("mailbox=bounces") && log.contains("rejected the token"), "\(log)")
    let token = try #require(test.server.values["expired"])
    #expect(!log.contains(token) && !log.contains(token.suffix(20)), "\(log)")
  }
}
