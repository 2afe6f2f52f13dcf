import Foundation
import PabalTesting
import Testing

/// From the downloaded client file to sent mail, with the command only.
@Suite(.enabled(if: RealMailServer.isAvailable, "needs root and Tests/Servers/install.sh"))
struct LoginToSendTests {
  /// Starts a fake Gmail that asks the authorization server for the user of each token.
  private func gmail(_ server: AuthorizationServer) throws -> (
    port: Int, report: () throws -> RESTServerReport
  ) {
    struct Script: Encodable { let plain = true, tokeninfo: String }
    struct Port: Decodable { let port: Int }
    let fake = try FakeGmail.shared.get()
    let port = try fake.ask(["listen": Script(tokeninfo: server.url("/tokeninfo"))], as: Port.self).port
    return (port, { try fake.ask(["report": port], as: RESTServerReport.self) })
  }

  private func site(_ server: AuthorizationServer, gmail: Int, postfix: RealMailServer?) throws -> AccountSite
  {
    var transports =
      #""gmail": { "plugin": "gmail", "account": "google", "endpoint": "http://localhost:\#(gmail)" }"#
    if let postfix {
      transports += """
        , "smtp": { "plugin": "smtp", "host": "localhost", "port": \(postfix.values["tls"] ?? ""),
          "account": "google", "ca_file": "\(postfix.authority.authority)" }
        """
    }
    return try AccountSite(server, transport: "gmail", transports: transports)
  }

  private func send(_ site: AccountSite, _ transport: String, subject: String) throws -> ChildProcess {
    try site.site.pabal(
      "send", "bob@example.net", "--subject", subject, "--text", "hello", "--transport", transport, "--json",
      "-v")
  }

  @Test func `one login sends by REST and by SMTP, and both verify the token's user`() throws {
    let server = try AuthorizationServer()
    let postfix = try RealMailServer.postfix(tokenInfo: server.url("/tokeninfo"))
    let (port, report) = try gmail(server)
    let site = try site(server, gmail: port, postfix: postfix)
    #expect(try send(site, "gmail", subject: "too early").status == 77)

    let login = try site.logIn()
    #expect(login.status == 0, "\(login.errors)")
    #expect(login.output == "Logged in as alice@example.test; tokens stored in \(site.tokenFile).\n")
    // The scope for SMTP is sufficient for REST.
    #expect(try server.requests("/o/oauth2/auth").map { $0["scope"] } == ["https://mail.google.com/"])
    let token = try #require(try site.token()["token"] as? String)

    let check = try site.site.pabal("check")
    #expect(check.status == 0, "\(check.output)")
    #expect(check.output.contains("ok  account google: fresh, alice@example.test, https://mail.google.com/"))
    #expect(check.output.contains("sends as alice@example.test\n"))
    #expect(check.output.contains("logged in as alice@example.test"))

    // The check has renewed the token.
    let second = try #require(try site.token()["token"] as? String)
    #expect(second != token)
    let marker = UUID().uuidString
    for transport in ["gmail", "smtp"] {
      let sent = try send(site, transport, subject: "\(transport) \(marker)")
      #expect(sent.status == 0, "\(sent.errors)")
      #expect(try sent.json["outcome"] as? String == "sent")
    }
    #expect(try report().taken.map(\.recipients) == [["bob@example.net"]])
    #expect(try report().tokens.last == second)
    #expect(try !postfix.mail("Subject: smtp \(marker)").isEmpty)
    // Gmail verifies it with a form, Dovecot with a query. Both got this token, so it wasn't renewed.
    let requests = try server.requests("/tokeninfo").compactMap { $0["access_token"] }.filter { $0 == second }
    #expect(requests.count >= 2)
    #expect(try server.requests("/token").count == 2)

    // The server revokes all tokens: each transport renews its rejected token once.
    for transport in ["gmail", "smtp"] {
      try server.control(["void": true])
      let sent = try send(site, transport, subject: "again")
      #expect(sent.status == 0, "\(sent.errors)")
    }
    #expect(try server.requests("/token").count == 4)

    #expect(try site.site.pabal("account", "logout", "google", "--yes").status == 0)
    for transport in ["gmail", "smtp"] {
      let held = try send(site, transport, subject: "too late")
      #expect(held.status == 77)
      #expect(held.output.contains("not logged in yet; log in: pabal account login google"))
      for secret in try site.secrets() { #expect(!(held.errors + held.output).contains(secret)) }
    }
  }

  @Test func `with REST only, the narrow scope suffices, and check says what it can't verify`() throws {
    let server = try AuthorizationServer()
    let (port, report) = try gmail(server)
    let site = try site(server, gmail: port, postfix: nil)
    let login = try site.logIn()
    #expect(
      login.errors.contains(
        "Requesting https://www.googleapis.com/auth/gmail.send: send mail through Gmail's"))
    #expect(try send(site, "gmail", subject: "small").status == 0)
    #expect(try report().taken.count == 1)
    let check = try site.site.pabal("check")
    #expect(check.status == 0)
    #expect(check.output.contains("its scope doesn't allow reading the mailbox's address"))
  }

  @Test func `check reports a login as another mailbox`() throws {
    let server = try AuthorizationServer(["user": "bob@example.test"])
    let postfix = try RealMailServer.postfix(tokenInfo: server.url("/tokeninfo"))
    let (port, _) = try gmail(server)
    let site = try site(server, gmail: port, postfix: postfix)
    #expect(try site.logIn().status == 0)
    let check = try site.site.pabal("check")
    #expect(check.status == 77)
    #expect(
      check.output.contains(
        "sends as bob@example.test, although \"user\" of its account is alice@example.test"))
    #expect(check.output.contains("held  transport smtp"))
    #expect(check.output.contains("--confirm-user"))

    let again = try site.logIn("--confirm-user")
    #expect(again.status == 77)
    #expect(
      again.errors.contains("bob@example.test logged in, but \"user\" is alice@example.test"))
    try server.control(json: #"{"user": null}"#)
    let right = try site.logIn("--confirm-user")
    #expect(right.status == 0)
    #expect(right.errors.contains("Requesting email: see the email address."))
    #expect(try site.site.pabal("check").status == 0)
  }
}
