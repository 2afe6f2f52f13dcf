import Foundation
import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

/// Errors that are found while the configuration is read.
@Suite struct AccountSettingsTests {
  private func problems(_ accounts: String) -> [Diagnostic] {
    let text = """
      {"transport": "t", "transports": {"t": {"plugin": "console"}}, "from": "a@example.com", "accounts": {\(accounts)}}
      """
    do throws(Diagnostics) {
      _ = try Configuration.read(
        Array(text.utf8), file: "config.json", directory: "/srv/x", providers: oauthProviders())
      return []
    } catch {
      return error.all
    }
  }

  private func google(_ name: String, _ more: String = "", user: String = "u@example.com") -> String {
    #""\#(name)": {"provider": "google", "client": "c.json", "user": "\#(user)"\#(more)}"#
  }

  @Test func `two accounts with the same token file are an error, however the path is written`() {
    for other in [
      google("b", #", "token": "tokens/a.json""#), google("b", #", "token": "/srv/x/./tokens/a.json""#),
      #""b": {"provider": "google-service-account", "key": "k", "user": "u@example.com", "token": "tokens/a.json"}"#,
    ] {
      let found = problems("\(google("a")), \(other)")
      #expect(found.count == 1)
      #expect(found.first?.message.contains("tokens/a.json is also used by accounts.a") == true)
      #expect(found.first?.path == "accounts.b")
    }
    #expect(problems("\(google("a")), \(google("b"))").isEmpty)
    let dotted = problems("\(google("a.b")), \(google("c", #", "token": "tokens/a.b.json""#))")
    #expect(dotted.count == 1)
    // A Microsoft account may have a second file, for Graph.
    func microsoft(_ name: String) -> String {
      #""\#(name)": {"provider": "microsoft", "tenant": "t", "client_id": "i", "user": "u@example.com"}"#
    }
    for names in [["office", "office.graph"], ["office.graph", "office"]] {
      let found = problems(names.map(microsoft).joined(separator: ", "))
      #expect(found.count == 1)
      #expect(found.first?.message.contains("tokens/office.graph.json is also used by") == true)
    }
  }

  @Test(arguments: ["", "alice", "alice@", "Alice <alice@example.com>"])
  func `a user that isn't an address is an error for providers whose users are addresses`(user: String) {
    for entry in [
      google("a", user: user),
      #""a": {"provider": "google-service-account", "key": "k", "user": "\#(user)"}"#,
      #""a": {"provider": "microsoft", "tenant": "t", "client_id": "i", "user": "\#(user)"}"#,
    ] {
      let found = problems(entry)
      #expect(found.count == 1, "\(found)")
      #expect(found.first?.path == "accounts.a.user")
      #expect(found.first?.remedy?.contains("you@example.com") == true)
    }
  }

  @Test func `a fetched user that isn't an address is an error when the account is opened`() throws {
    let folder = try TemporaryDirectory()
    try TestAccount.write("alice\n", to: "user", in: folder)
    let text = """
      {"transport": "t", "transports": {"t": {"plugin": "console"}}, "from": "a@example.com",
       "accounts": {"a": {"provider": "google", "client": "c.json", "user": {"file": "user"}}}}
      """
    let configuration = try Configuration.read(
      Array(text.utf8), file: "config.json", directory: folder.path, providers: oauthProviders())
    let problem = #expect(throws: Diagnostic.self) { try Accounts(configuration).account("a") }
    #expect(problem?.path == "accounts.a.user")
  }

  @Test(arguments: [0o777, 0o770, 0o720])
  func `a folder in which others can create files is rejected with the command that fixes it`(mode: Int)
    throws
  {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let folder = "\(test.folder.path)/tokens"
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder)
    #expect(try test.problem().held.contains("others can create a token file in \(folder)"))
    #expect(test.account.status().state == .dead)
    let remedy = try #require(test.account.status().remedy)
    #expect(remedy == "chmod go-w \(folder)")
    #expect(
      TestLogin(test).failure
        == "others can create a token file in \(folder): its mode is \(String(mode, radix: 8)); \(remedy)")
    #expect(try ChildProcess.run("/bin/sh", ["-c", remedy]).status == 0)
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
    // With the sticky bit, users can't replace files of others.
    try FileManager.default.setAttributes([.posixPermissions: 0o1777], ofItemAtPath: folder)
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
  }

  @Test func `the remedy for a truncated token file is to move it away and log in again`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    try TestAccount.write(String(try test.file().prefix(60)), to: "tokens/a.json", in: test.folder)
    #expect(test.account.status().remedy == "move it away, then log in again with `pabal account login NAME`")
  }
}
