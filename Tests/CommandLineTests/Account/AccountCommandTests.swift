import Foundation
import PabalTesting
import Testing

/// The output and exit statuses of the account commands.
@Suite struct AccountCommandTests {
  @Test
  func `the browser is opened with a page that leads to the URL, and the process list contains neither`()
    throws
  {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    // Records what other users of the machine can see while the browser runs.
    let browser = """
      #!/bin/sh
      cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' > "$PWD/seen"
      url=$(curl -sS "$1" | tr '"' '\\n' | grep '^http' | sed 's/&amp;/\\&/g')
      stat -c %a "${1#file://}" > "$PWD/mode"
      curl -sS -L -m 30 "$url" > "$PWD/page"
      """
    try site.write(browser, to: "browser", mode: 0o700)
    let login = try site.start("account", "login", "-v", environment: ["BROWSER": "\(site.path)/browser"])
    let end = try login.finish()
    #expect(end.status == 0, "\(end.errors)")
    #expect(end.errors.contains("Opening your browser. If it doesn't open, go to"))
    #expect(try String(contentsOfFile: "\(site.path)/page", encoding: .utf8).contains("You are logged in"))
    let seen = try String(contentsOfFile: "\(site.path)/seen", encoding: .utf8)
    #expect(seen.contains("file://"))
    #expect(!seen.contains("code_challenge=") && !seen.contains("state="))
    #expect(try String(contentsOfFile: "\(site.path)/mode", encoding: .utf8) == "600\n")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: "\(site.path)/tokens").sorted()
        == ["google.json", "google.json.lock"])
    for secret in try site.secrets() { #expect(!(seen + end.errors + end.output).contains(secret)) }
  }

  @Test func `on a server, the URL of the page that failed to load can be pasted`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    let login = try site.start("account", "login", "google", "--no-browser", "--json", onTerminal: true)
    let address = try AccountSite.address(in: login.transcript(until: "press Return:"))
    let back = try ChildProcess.run("curl", ["-sS", "-o", "/dev/null", "-w", "%{redirect_url}", address])
      .output
    try login.type([0xFF, 0xFE, 0xC3] + Array("가".utf8.prefix(2)) + [0x0D])
    try login.transcript(until: "paste the URL of the page that failed to load")
    try login.type(line: back.replacing("state=", with: "state=A"))
    try login.transcript(until: "the URL belongs to another login")
    try login.type(line: back)
    let end = try login.finish()
    #expect(end.status == 0, "\(end.errors)")
    let answer = try #require(
      try JSONSerialization.jsonObject(with: Data(end.output.utf8)) as? [String: Any])
    #expect(answer["user"] as? String == AccountSite.user)
    #expect(answer["testing"] as? Bool == false)
    #expect(answer["token_file"] as? String == site.tokenFile)
    #expect(!end.errors.contains("THE TERMINAL IS ANOTHER"))
  }

  @Test func `a port in use is named`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    let taken = try site.start("account", "login", "--no-browser", "--port", "\(server.port)")
    let end = try taken.finish()
    #expect(end.status == 77)
    #expect(end.output == "")
    #expect(
      end.errors.hasSuffix(
        "\npabal: error: port \(server.port) is in use by another program; choose another --port, or leave it out\n"
      ))
  }

  @Test func `the browser returns to a fixed port, for a tunnel from another machine`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    let spare = try ChildProcess.run(
      "python3",
      ["-c", "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1])"]
    ).output.trimmingCharacters(in: .whitespacesAndNewlines)
    let login = try site.logIn("--port", spare)
    #expect(login.status == 0, "\(login.errors)")
    #expect(login.errors.contains("ssh -L \(spare):127.0.0.1:\(spare) THIS-MACHINE"))
    #expect(try server.requests("/token").first?["redirect_uri"] == "http://127.0.0.1:\(spare)")
  }

  @Test func `a login of a project in Testing prints a warning and is shown as expiring`() throws {
    let server = try AuthorizationServer(["refresh_token_expires_in": 604_799])
    let site = try AccountSite(server)
    let login = try site.logIn()
    #expect(login.status == 0)
    #expect(login.errors.contains("THIS LOGIN EXPIRES AT 20"))
    #expect(
      login.errors.contains("publishing status is Testing, so Google ends every login after seven days"))
    #expect(login.errors.contains("Guides/Google.md#3-publishing-status"))
    let status = try site.site.pabal("account", "status")
    #expect(status.status == 0)
    #expect(status.output.hasPrefix("expiring  google (google, alice@example.test)\n"))
    #expect(status.output.contains("the app's publishing status is Testing"))
    let check = try site.site.pabal("check")
    #expect(check.status == 0)
    #expect(check.output.contains("warning: the login expires at"))
    #expect(check.output.contains("Guides/Google.md#3-publishing-status"))
  }

  @Test func `every command shows why an account is dead, and none shows a secret`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(
      server, transport: "gmail",
      // The port is closed, but without a token the transport never connects.
      transports: #""gmail": { "plugin": "gmail", "account": "google", "endpoint": "http://127.0.0.1:9" }"#)
    #expect(try site.logIn().status == 0)
    #expect(try site.site.pabal("account").output.hasPrefix("fresh  google"))
    try site.change("expiry", "2020-01-01T00:00:00Z")
    try server.control([
      "dead": ["error": "invalid_grant", "description": "Token has been expired or revoked."]
    ])
    let stored = try Data(contentsOf: URL(filePath: site.tokenFile))
    var screens = ""
    for _ in 0..<2 {
      let send = try site.site.pabal("send", "bob@example.net", "--subject", "x", "--text", "y", "-v")
      #expect(send.status == 77)
      #expect(send.errors.contains("account google: Google ended the login (invalid_grant: Token has been"))
      #expect(send.errors.contains("publishing status is Testing"))
      #expect(send.errors.contains("pabal account login google"))
      screens += send.errors + send.output
    }
    let json = try site.site.pabal("send", "bob@example.net", "--subject", "x", "--text", "y", "--json")
    #expect(try json.json["outcome"] as? String == "held")
    #expect(try (json.json["reply"] as? String)?.contains("Google ended the login") == true)
    // Requested once, however often commands run.
    #expect(try server.requests("/token").count == 2)

    let status = try site.site.pabal("account", "status", "google")
    #expect(status.status == 77)
    #expect(status.output.hasPrefix("dead  google (google, alice@example.test)\n    Google ended the login"))
    #expect(
      status.output.contains(
        "→ publish the app if it is in Testing, then log in again: pabal account login google"))
    #expect(
      status.output.contains("see Sources/PabalCore/PabalCore.docc/Guides/Google.md#3-publishing-status"))
    let statusJSON = try site.site.pabal("account", "status", "--json")
    #expect(statusJSON.status == 77)
    let account = try #require(
      (try JSONSerialization.jsonObject(with: Data(statusJSON.bytes)) as? [[String: Any]])?.first)
    #expect(account["state"] as? String == "dead")
    #expect((account["cause"] as? String)?.contains("the password was changed") == true)
    #expect(
      account["guide"] as? String == "Sources/PabalCore/PabalCore.docc/Guides/Google.md#3-publishing-status")
    let check = try site.site.pabal("check", "-v")
    #expect(check.status == 77)
    #expect(check.output.contains("held  account google: Google ended the login"))
    #expect(check.output.contains("held  transport gmail"))
    // The reason isn't repeated for the transport.
    #expect(check.output.ranges(of: "Google ended the login").count == 1)
    #expect(check.output.contains("Guides/Google.md#3-publishing-status"))
    let checkJSON = try site.site.pabal("check", "--json")
    #expect(checkJSON.status == 77)
    #expect(try Data(contentsOf: URL(filePath: site.tokenFile)) == stored)

    let logout = try site.site.pabal("account", "logout", "--yes", "--json")
    #expect(logout.status == 0)
    #expect(!FileManager.default.fileExists(atPath: site.tokenFile))
    for run in [status, statusJSON, check, checkJSON, json, logout] { screens += run.output + run.errors }
    for secret in try site.secrets() { #expect(!screens.contains(secret)) }
  }

  @Test func `logout asks for confirmation, and fails without a terminal`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    #expect(try site.logIn().status == 0)
    let silent = try site.site.pabal("account", "logout")
    #expect(silent.status == 64)
    #expect(silent.errors.contains("to the whole project, so other programs"))
    #expect(silent.errors.contains("--only-here"))

    for answer in ["n\n", "\n", "가\n"] {
      let no = try site.start("account", "logout", onTerminal: true)
      try no.transcript(until: "[y/N]")
      try no.type(Array(answer.utf8))
      #expect(try no.finish().status == 64)
    }
    #expect(FileManager.default.fileExists(atPath: site.tokenFile))
    #expect(try server.requests("/revoke").isEmpty)

    let yes = try site.start("account", "logout", onTerminal: true)
    try yes.transcript(until: "[y/N]")
    try yes.type(line: "y")
    let end = try yes.finish()
    #expect(end.status == 0)
    #expect(
      end.output == "Logged out: the login of alice@example.test was revoked and its tokens were removed.\n")
    #expect(try server.requests("/revoke").count == 1)
    let again = try site.site.pabal("account", "logout", "--yes")
    #expect(again.status == 77)
    #expect(again.errors.contains("not logged in"))
  }

  @Test func `Ctrl-C at each prompt restores the terminal and leaves no file`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    let login = try site.start("account", "login", "--no-browser", onTerminal: true)
    try login.transcript(until: "press Return:")
    try login.type([3])
    let end = try login.finish()
    #expect(end.status == -SIGINT)
    #expect(!end.errors.contains("THE TERMINAL IS ANOTHER"))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: "\(site.path)/tokens") == ["google.json.lock"])

    #expect(try site.logIn().status == 0)
    let logout = try site.start("account", "logout", onTerminal: true)
    try logout.transcript(until: "[y/N]")
    try logout.type([3])
    let left = try logout.finish()
    #expect(left.status == -SIGINT)
    #expect(!left.errors.contains("THE TERMINAL IS ANOTHER"))
    #expect(FileManager.default.fileExists(atPath: site.tokenFile))
  }

  @Test func `two concurrent logins both succeed and leave one valid file`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    let logins = try (0..<2).map { _ in try site.start("account", "login", "--no-browser") }
    let addresses = try logins.map { try AccountSite.address(in: $0.transcript(until: "press Return:")) }
    // Each browser returns to its own login; one that is sent to the other login is rejected.
    let strayed = try ChildProcess.run(
      "curl", ["-sS", "-o", "/dev/null", "-w", "%{redirect_url}", addresses[0]]
    ).output
    let ports = try addresses.map {
      try #require($0.firstMatch(of: /redirect_uri=http%3A%2F%2F127\.0\.0\.1%3A([0-9]+)/)?.1)
    }
    let page = try AccountSite.open(strayed.replacing(":\(ports[0])", with: ":\(ports[1])"))
    #expect(page.contains("This page belongs to another login"))
    for address in addresses { #expect(try AccountSite.open(address).contains("You are logged in")) }
    for login in logins { #expect(try login.finish().status == 0) }
    #expect(try site.site.pabal("check").status == 0)
  }
}
