import Foundation
import PabalTesting
import Testing

/// The exit statuses of the account commands, and what they print while they wait.
@Suite struct AccountExitStatusTests {
  @Test func `every command reports a login without the scope that mail needs`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    #expect(try site.logIn().status == 0)
    // A token file without scopes, as written by other programs.
    try site.change("scopes", [String]())
    let answer: [String: Any] = [
      "access_token": "ya29.small", "expires_in": 3599,
      "scope": "https://www.googleapis.com/auth/gmail.send",
    ]
    try server.control(["faults": [["status": 200, "body": answer]]])
    let check = try site.site.pabal("check")
    #expect(check.status == 77, "\(check.output)")
    #expect(
      check.output.contains(
        "held  account google: the login lacks the scope https://mail.google.com/, and no transport can send without it; "
          + "log in again: pabal account login google"))
    let status = try site.site.pabal("account", "status")
    #expect(status.status == 77)
    #expect(
      status.output.hasPrefix("dead  google (google, alice@example.test)\n    the login lacks the scope"))
    #expect(try site.logIn().status == 0)
    #expect(try site.site.pabal("check").status == 0)
  }

  @Test func `the exit status of a login says what went wrong`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    #expect(try site.site.pabal("account", "login", "--flow", "foot").status == 64)
    try server.control(["faults": [["status": 503], ["status": 503], ["status": 503]]])
    #expect(try site.logIn().status == 75)
    try server.control(["consent": "deny"])
    #expect(try site.logIn().status == 77)
    let noClient = try AccountSite(server, account: #""provider": "google", "token": "t.json""#)
    #expect(try noClient.site.pabal("account", "login").status == 78)
    let shared = try AccountSite(
      server,
      account:
        #""provider": "google", "client": "c.json" }, "b": { "user": "b@example.test", "provider": "google", "client": "c.json", "token": "tokens/google.json""#
    )
    let run = try shared.site.pabal("account", "status")
    #expect(run.status == 78)
    #expect(run.errors.contains("is also used by accounts.google"))
  }

  @Test func `login and logout say that they wait for another process`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    #expect(try site.logIn().status == 0)
    let script = """
      import fcntl, sys
      file = open(sys.argv[1], "w")
      fcntl.flock(file, fcntl.LOCK_EX)
      print("held", file=sys.stderr, flush=True)
      sys.stdin.readline()
      """
    for command in [["account", "login", "--no-browser"], ["account", "logout", "--yes"]] {
      let holder = try InteractiveProcess(
        "/usr/bin/env", ["python3", "-c", script, "\(site.tokenFile).lock"], directory: site.path)
      try holder.transcript(until: "held")
      let run = try InteractiveProcess(
        "\(BuiltProducts.directory)/pabal", command, environment: ["PABAL_CONFIG": nil], directory: site.path)
      try run.transcript(until: "waiting for another process that has locked \(site.tokenFile)")
      try holder.type(line: "")
      _ = try holder.finish()
      if command[1] == "login" {
        try AccountSite.open(AccountSite.address(in: run.transcript(until: "press Return:")))
      }
      #expect(try run.finish().status == 0)
    }
  }

  @Test(arguments: ["login", "status", "logout"])
  func `help has examples`(command: String) throws {
    let help = try TestSite().pabal("account", command, "--help")
    #expect(help.output.contains("Examples:\n  pabal account \(command)"))
  }
}
