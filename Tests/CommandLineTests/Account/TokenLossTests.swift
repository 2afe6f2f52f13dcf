import Foundation
import PabalTesting
import Testing

/// No command loses a login at a server that accepts each refresh token once.
@Suite struct TokenLossTests {
  private static let send = ["send", "bob@example.net", "--subject", "x", "--text", "y"]

  /// Returns a site with a login whose access token has expired, at a server that doesn't answer until it is allowed to.
  private func site(_ server: AuthorizationServer) throws -> AccountSite {
    let site = try AccountSite(
      server, transport: "gmail",
      transports: #""gmail": { "plugin": "gmail", "account": "google", "endpoint": "http://127.0.0.1:9" }"#)
    #expect(try site.logIn().status == 0)
    try site.change("expiry", "2020-01-01T00:00:00Z")
    return site
  }

  private static let commands: [[String]] = [
    send, send + ["--count", "4", "--parallel", "2", "--yes"], ["check"], ["serve"],
  ]

  @Test(arguments: commands, [SIGTERM, SIGINT, SIGHUP])
  func `a renewal that was sent is stored before a signal ends the process`(
    command: [String], signal: Int32
  ) throws {
    let server = try AuthorizationServer(["rotate": true, "reuse_ends": true])
    let site = try site(server)
    try server.control(["gate": true])
    let process = try InteractiveProcess(
      "/usr/bin/env", ["\(BuiltProducts.directory)/pabal"] + command, environment: ["PABAL_CONFIG": nil],
      directory: site.path)
    try eventually { try server.requests("/token").count == 2 }
    process.signal(signal)
    if command != ["serve"] {
      // It shows that the signal has arrived, and that a second one doesn't lose the token either.
      process.signal(signal)
    }
    try server.control(["gate": false])
    if command == ["serve"], signal == SIGHUP {
      try process.transcript(until: "reloaded")
      process.signal(SIGTERM)
    }
    let end = try process.finish()
    if command != ["serve"] { #expect(end.status == -signal, "\(end.errors)") }
    let used = try server.requests("/token").compactMap { $0["refresh_token"] }
    let stored = try #require(try site.token()["refresh_token"] as? String)
    #expect(used.count == 1 && !used.contains(stored), "\(end.errors)")
  }

  private static let canFreeze: Bool = {
    guard let folder = try? TemporaryDirectory() else { return false }
    return (try? ChildProcess.run("sh", ["-c", "chattr +i \"$0\" && chattr -i \"$0\"", folder.path]).status)
      == 0
  }()

  @Test(.enabled(if: canFreeze, "needs chattr"))
  func `send warns at once if a token can't be stored, and check doesn't spend it`() throws {
    let server = try AuthorizationServer(["rotate": true, "reuse_ends": true])
    let site = try site(server)
    let folder = "\(site.path)/tokens"
    #expect(try ChildProcess.run("chattr", ["+i", folder, site.tokenFile]).status == 0)
    defer { _ = try? ChildProcess.run("chattr", ["-R", "-i", folder]) }
    let check = try site.site.pabal("check")
    #expect(check.status == 77)
    #expect(check.output.contains("isn't renewed, because the answer couldn't be stored"))
    #expect(try server.requests("/token").count == 1)

    let first = try site.site.pabal("send", "bob@example.net", "--subject", "x", "--text", "y")
    #expect(first.errors.hasPrefix("pabal: warning: account google: the server replaced the refresh token"))
    #expect(first.errors.contains("\(site.tokenFile) can't be written"))
    let second = try site.site.pabal("send", "bob@example.net", "--subject", "x", "--text", "y")
    #expect(second.status == 77)
    #expect(second.errors.contains("most likely because a renewed refresh token can't be stored"))
    let status = try site.site.pabal("account", "status", "--json")
    #expect(status.output.contains("storage_problem"))
  }
}
