import Foundation
import PabalTesting
import Testing

/// `pabal account login` for a Microsoft account, whose tokens are valid for one service each.
@Suite struct MicrosoftLoginTests {
  private static let both = ["graph", "smtp"]

  @Test(
    arguments: [
      (["graph"], "", [MicrosoftSite.graphScope], ["office.graph.json"]),
      (
        ["graph"], #", "mailbox": "shop@example.test""#, [MicrosoftSite.sharedScope], ["office.graph.json"]
      ),
      (["smtp"], "", [MicrosoftSite.smtpScope], ["office.json"]),
      (
        both, "", [MicrosoftSite.graphScope, MicrosoftSite.smtpScope], ["office.graph.json", "office.json"]
      ),
      (
        ["smtp", "graph"], #", "mailbox": "shop@example.test""#,
        [MicrosoftSite.smtpScope, MicrosoftSite.sharedScope], ["office.graph.json", "office.json"]
      ),
    ] as [([String], String, [String], [String])])
  func `a login asks for the scopes of the route's transports, one service after the other`(
    route: [String], settings: String, scopes: [String], files: [String]
  ) throws {
    let site = try MicrosoftSite(route, settings: settings)
    let login = try site.logIn(scopes.count)
    #expect(login.status == 0, "\(login.errors)")
    #expect(try site.requestedScopes() == scopes.map { "\($0) offline_access" })
    #expect(site.tokenFiles == files)
    #expect(login.errors.contains("Login 1 of 2") == (scopes.count == 2))
    for scope in scopes { #expect(login.errors.contains("Requesting \(scope): send mail")) }
    for secret in try site.account.secrets() { #expect(!(login.errors + login.output).contains(secret)) }
    let check = try site.site.pabal("check")
    #expect(check.status == 0, "\(check.output)")
  }

  @Test func `each transport sends with the token for its service, until the logout removes both`() throws {
    let site = try MicrosoftSite(Self.both)
    let spare = try ChildProcess.run(
      "python3",
      ["-c", "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1])"]
    ).output.trimmingCharacters(in: .whitespacesAndNewlines)
    let login = try site.logIn(2, "--json", "--port", spare)
    #expect(login.status == 0, "\(login.errors)")
    let answer = try #require(
      JSONSerialization.jsonObject(with: Data(login.output.utf8)) as? [String: Any], "\(login.output)")
    #expect(answer["resource"] as? String == "graph")
    #expect((answer["token_file"] as? String)?.hasSuffix("/office.graph.json") == true)
    let others = try #require(answer["others"] as? [[String: Any]])
    #expect(others.count == 1)
    #expect(others[0]["resource"] is NSNull)
    #expect(others[0]["scopes"] as? [String] == [MicrosoftSite.smtpScope, "offline_access"])

    let status = try site.site.pabal("account", "status")
    #expect(status.status == 0)
    #expect(status.output.contains("fresh  office (graph) (microsoft, alice@example.test)\n"))
    #expect(status.output.contains("fresh  office (smtp) (microsoft, alice@example.test)\n"))
    let check = try site.site.pabal("check")
    #expect(check.status == 0, "\(check.output)")
    #expect(
      check.output.contains(
        "ok  account office (graph): fresh, alice@example.test, \(MicrosoftSite.graphScope)"))
    #expect(
      check.output.contains(
        "ok  account office (smtp): fresh, alice@example.test, \(MicrosoftSite.smtpScope)"))
    #expect(check.output.contains("may send as alice@example.test"))

    for transport in Self.both {
      let sent = try site.send("--transport", transport)
      #expect(sent.status == 0, "\(sent.errors)")
    }
    let tokens = (try site.token("office.graph.json"), try site.token("office.json"))
    #expect(tokens.0 != tokens.1)
    #expect(try site.graphReport().taken.map(\.recipients) == [["bob@example.net"]])
    #expect(try site.graphReport().tokens.last == tokens.0)
    let received = try site.mailServerReport()
    #expect(received.taken.map(\.recipients) == [["bob@example.net"]])
    let digest = try ChildProcess.run("sha256sum", input: Array(tokens.1.utf8)).output.prefix(64)
    #expect(received.attempts.last == ["XOAUTH2", AccountSite.user, String(digest)])

    let logout = try site.site.pabal("account", "logout", "office", "--json")
    #expect(logout.status == 0)
    #expect(try logout.json["resource"] as? String == "graph")
    #expect((try logout.json["others"] as? [[String: Any]])?.map { $0["result"] as? String } == ["forgotten"])
    #expect(site.tokenFiles == [])
    for transport in Self.both {
      let held = try site.send("--transport", transport)
      #expect(held.status == 77)
      #expect(held.output.contains("not logged in yet; log in: pabal account login office"))
    }
    let again = try site.site.pabal("account", "logout", "office")
    #expect(again.status == 77)
    #expect(
      again.errors.contains("/office.graph.json and ") && again.errors.contains("/office.json don't exist"))
  }

  @Test func `a refused second login leaves the first one stored, and says so`() throws {
    let site = try MicrosoftSite(Self.both)
    let login = try site.logIn(2) { number in
      try site.server.control(["consent": number == 2 ? "deny" : "redirect"])
    }
    #expect(login.status == 77)
    #expect(login.output.hasPrefix("Logged in as alice@example.test; tokens stored in "))
    #expect(login.errors.contains("error: the user didn't consent to the permission on Microsoft's page"))
    #expect(
      login.errors.hasSuffix("warning: the login for office (graph) succeeded, and its tokens are stored\n"))
    #expect(site.tokenFiles == ["office.graph.json"])

    let status = try site.site.pabal("account", "status")
    #expect(status.status == 77)
    #expect(status.output.contains("fresh  office (graph)"))
    #expect(
      status.output.contains("dead  office (smtp) (microsoft, alice@example.test)\n    not logged in yet\n"))
    let check = try site.site.pabal("check")
    #expect(check.status == 77)
    #expect(check.output.contains("ok  transport graph: "))
    #expect(check.output.contains("held  account office (smtp): not logged in yet"))
    // The route goes on with what there is.
    #expect(try site.send().status == 0)

    // The next login asks for both again; what it doesn't get stays as it was.
    try site.server.control(["consent": "redirect"])
    #expect(try site.logIn(2).status == 0)
    let stored = try site.token("office.json")
    let second = try site.logIn(2, "--json") { number in
      try site.server.control(["consent": number == 2 ? "deny" : "redirect"])
    }
    #expect(second.status == 77)
    let errors = try #require(
      JSONSerialization.jsonObject(with: Data(second.output.utf8)) as? [String: [[String: Any]]],
      "\(second.output)")
    #expect(errors["errors"]?.map { $0["severity"] as? String } == ["error", "warning"])
    #expect(try site.token("office.json") == stored)
    #expect(try site.site.pabal("check").status == 0)

    // A logout of one login doesn't fail for lack of the other.
    try FileManager.default.removeItem(atPath: "\(site.account.path)/tokens/office.graph.json")
    let logout = try site.site.pabal("account", "logout", "office")
    #expect(logout.status == 0)
    #expect(
      logout.output
        == "The tokens of alice@example.test for office (smtp) were removed from this machine; nothing was revoked.\n"
    )
  }

  @Test func `a second code that expires, or Ctrl-C, leaves the first login stored`() throws {
    let site = try MicrosoftSite(Self.both)
    try site.server.control(["device": ["approved", "expired"]])
    let device = try site.site.pabal("account", "login", "office", "--flow", "device")
    #expect(device.status == 77)
    #expect(device.errors.contains("error: the code expired before it was entered"))
    #expect(device.errors.contains("warning: the login for office (graph) succeeded"))
    #expect(site.tokenFiles == ["office.graph.json"])

    let stopped = try MicrosoftSite(Self.both)
    let login = try stopped.account.startLogin(onTerminal: true)
    try AccountSite.open(AccountSite.address(in: login.transcript(until: "press Return:")))
    try login.transcript(until: "press Return:", times: 2)
    try login.type([3])
    let end = try login.finish()
    #expect(end.status == -SIGINT)
    #expect(end.output.contains("/office.graph.json.\n"))
    #expect(stopped.tokenFiles == ["office.graph.json"])
    #expect(try stopped.send().status == 0)
  }

  @Test func `an app has no login, and names the mailbox that sends`() throws {
    let app = #", "flow": "app", "client_secret": { "command": ["echo", "s3cret-of-the-app"] }"#
    let site = try MicrosoftSite(Self.both, more: app, secret: "s3cret-of-the-app")
    let login = try site.site.pabal("account", "login", "office")
    #expect(login.status == 64)
    #expect(login.errors.contains("doesn't need a login"))
    let check = try site.site.pabal("check")
    #expect(check.status == 77)
    #expect(
      check.output.contains(
        "the account is an app, which has no mailbox of its own; set \"mailbox\" to the one that sends"))
    let named = try MicrosoftSite(
      Self.both, settings: #", "mailbox": "shop@example.test""#, more: app, secret: "s3cret-of-the-app")
    let ready = try named.site.pabal("check")
    #expect(ready.status == 0, "\(ready.output)")
    #expect(ready.output.contains("may send as shop@example.test"))
    #expect(try named.send().status == 0)
    let scopes = try named.server.requests("/contoso.example/oauth2/v2.0/token").map { $0["scope"] }
    #expect(
      Set(scopes) == ["https://graph.microsoft.com/.default", "https://outlook.office365.com/.default"])
  }
}
