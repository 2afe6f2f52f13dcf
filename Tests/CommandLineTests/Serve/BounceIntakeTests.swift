import Foundation
import PabalTesting
import Testing

/// How `pabal serve` reads the bounces in an account's mailbox at Gmail.
@Suite struct BounceIntakeTests {
  /// A fake Gmail whose mailbox gets reports, and has `inbox` from the start.
  private struct Gmail {
    private let fake: ScriptedServer
    let port: Int

    init(_ server: AuthorizationServer, inbox: [String] = []) throws {
      struct Script: Encodable {
        let plain = true
        let bounces = true
        let tokeninfo: String
        let inbox: [String]
      }
      struct Port: Decodable { let port: Int }
      fake = try FakeGmail.shared.get()
      let texts = inbox.map { Data($0.replacing("\n", with: "\r\n").utf8).base64EncodedString() }
      port = try fake.ask(
        ["listen": Script(tokeninfo: server.url("/tokeninfo"), inbox: texts)], as: Port.self
      ).port
    }

    var requests: Int {
      get throws { try fake.ask(["report": port], as: RESTServerReport.self).begun }
    }
  }

  private func site(_ server: AuthorizationServer, _ gmail: Gmail, bounces: Bool = true) throws -> AccountSite
  {
    let site = try AccountSite(
      server, transport: "gmail",
      transports: """
        "gmail": { "plugin": "gmail", "account": "google", "endpoint": "http://localhost:\(gmail.port)" }
        """)
    if bounces { try turnOn(site, gmail) }
    return site
  }

  private func turnOn(_ site: AccountSite, _ gmail: Gmail) throws {
    try site.site.edit(
      #""user": "\#(AccountSite.user)","#,
      #"""
      "user": "\#(AccountSite.user)", "bounces": { "every": "1s", "endpoint": "http://localhost:\#(gmail.port)" },
      """#)
  }

  private func serve(_ site: AccountSite) throws -> ServingSite {
    // Only now, because the configuration isn't valid before the client has been added.
    try site.site.edit(#""from":"#, ServingSite.serve + #", "from":"#)
    return try ServingSite(site.site)
  }

  private func send(_ serving: ServingSite, to recipients: String...) throws -> String {
    let list = recipients.map { "\"\($0)\"" }.joined(separator: ", ")
    let made = try serving.object(
      "/v1/mails", #"{ "to": [\#(list)], "message": "registered" }"#)
    return try #require(made["id"] as? String, "\(made)")
  }

  private func events(_ site: AccountSite, _ id: String) throws -> [String] {
    let events = try site.site.pabal("outbox", "show", id, "--json").json["events"] as? [[String: Any]]
    return (events ?? []).map {
      "\($0["to_masked"] as? String ?? "?") \($0["event"] ?? "?") \($0["code"] as? String ?? "-")"
    }
  }

  private func suppressed(_ site: AccountSite) throws -> [String] {
    let list = try site.site.pabal("suppress", "list", "--addresses", "--json").json["suppressions"]
    return (list as? [[String: Any]] ?? []).compactMap { $0["address"] as? String }.sorted()
  }

  /// A report about a mail that Pabal didn't send.
  private let forged = """
    From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
    Subject: Delivery Status Notification (Failure)
    Content-Type: multipart/report; report-type=delivery-status; boundary=b

    --b
    Content-Type: message/delivery-status

    Reporting-MTA: dns; m

    Final-Recipient: rfc822; victim@example.org
    Action: failed
    Status: 5.1.1

    --b
    Content-Type: message/rfc822

    Message-ID: <stranger@example.org>

    x
    --b--

    """

  @Test func `bounces mark their recipients and suppress addresses that don't work, once`() throws {
    let server = try AuthorizationServer()
    let gmail = try Gmail(server, inbox: [forged])
    let site = try site(server, gmail)
    #expect(try site.logIn().status == 0)
    let scopes = try server.requests("/o/oauth2/auth").compactMap { $0["scope"] }
    #expect(
      scopes == [
        "https://www.googleapis.com/auth/gmail.send https://www.googleapis.com/auth/gmail.readonly"
      ])
    let serving = try serve(site)
    let failed = try send(serving, to: "nosuch@example.org", "kim@example.org")
    let full = try send(serving, to: "full@example.org")
    let late = try send(serving, to: "late@example.org")
    try eventually { try events(site, failed) == ["n***@example.org bounced 5.1.1"] }
    try eventually { try events(site, full) == ["f***@example.org bounced 5.2.2"] }
    try eventually { try events(site, late) == ["l***@example.org delayed 4.4.1"] }
    #expect(try suppressed(site) == ["nosuch@example.org"])
    #expect(try site.site.pabal("outbox", "list").output.contains(" · 1 bounced"))
    #expect(try serving.ask("/metrics").body.contains("pabal_bounced_recipients_total 3"))
    let log = try serving.stop()
    #expect(log.contains(#/ bounced mail=\S+ recipients=1 suppressed=1 status=5.1.1/#))
    #expect(!log.contains("nosuch@") && !log.contains("bounces unread"), "\(log)")

    // Another run knows what was read.
    let before = try gmail.requests
    let second = try ServingSite(site.site, key: serving.key)
    try eventually { try gmail.requests >= before + 2 }
    #expect(try !second.stop().contains(" bounced "))
    #expect(try suppressed(site) == ["nosuch@example.org"])
  }

  @Test func `a login that doesn't permit reading is logged with the remedy, and mail is sent`() throws {
    let server = try AuthorizationServer()
    let gmail = try Gmail(server)
    let site = try site(server, gmail, bounces: false)
    #expect(try site.logIn().status == 0)
    try turnOn(site, gmail)
    let serving = try serve(site)
    let id = try send(serving, to: "kim@example.org")
    try eventually {
      try site.site.pabal("outbox", "show", id, "--json").json["state"] as? String == "sent"
    }
    _ = try serving.server.transcript(until: "bounces unread")
    let log = try serving.stop()
    #expect(log.contains("log in again with `pabal account login`"), "\(log)")
  }

  @Test func `a misspelt key of bounces is an error`() throws {
    let site = try TestSite(
      TestSite.shipped(
        with:
          #""accounts": { "google": { "provider": "google", "user": "a@b.example", "client": "c.json", "bounces": { "evry": "1m" } } }"#
      ))
    let check = try site.pabal("check")
    #expect(check.status == 78)
    #expect(
      (check.output + check.errors).contains("did you mean 'every'?"), "\(check.output)\(check.errors)")
  }

  @Test func `accounts of which the mailbox can't be read are refused`() throws {
    let site = try TestSite(
      TestSite.shipped(
        with:
          #""accounts": { "other": { "provider": "token", "user": "a@b.example", "token": { "env": "T" }, "bounces": true } }"#
      ))
    let check = try site.pabal("check")
    #expect(check.status == 78)
    #expect((check.output + check.errors).contains("can't be read for bounces"), "\(check.output)")
  }
}
