import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

/// The status of accounts whose login lacks scopes that transports need.
@Suite struct ScopeTests {
  private let send = "https://www.googleapis.com/auth/gmail.send"

  @Test func `a login whose scopes suffice for no transport is dead and names the missing ones`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server, scopes: [send])
    let status = test.account.status()
    #expect(status.state == .dead)
    #expect(status.missingScopes == ["https://mail.google.com/"])
    #expect(status.cause?.contains("lacks the scope https://mail.google.com/") == true)
    #expect(status.remedy == "log in again: pabal account login a")
    #expect(status.guide == .login)
  }

  @Test func `scopes missing in the file are known after a renewal`()
    throws
  {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server, scopes: [send])
    let silent = try test.file().replacing(#/"scopes": \[[^\]]*\]/#, with: #""scopes": []"#)
    try TestAccount.write(silent, to: "tokens/a.json", in: test.folder)
    #expect(test.account.status().state == .fresh)
    #expect(test.account.status().missingScopes == [])
    #expect(test.account.status().notes.contains { $0.contains("doesn't list its scopes") })
    try test.account.refreshNow()
    #expect(test.account.status().state == .dead)
    #expect(test.account.status().missingScopes == ["https://mail.google.com/"])
  }

  @Test func `an account that works for one of two transports is fresh and names the other's scope`() throws {
    let server = try AuthorizationServer()
    let folder = try TemporaryDirectory()
    try TestAccount.write(try server.googleToken(scopes: [send], in: folder), to: "tokens/a.json", in: folder)
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let text = """
      {"transport": "t", "from": "a@example.com", "transports": {
         "t": {"plugin": "gmail", "account": "a"}, "u": {"plugin": "smtp", "account": "a"}},
       "accounts": {"a": {"user": "user@example.com", "provider": "google", "client": "credentials.json"}}}
      """
    let configuration = try Configuration.read(
      Array(text.utf8), file: "config.json", directory: folder.path, providers: oauthProviders())
    let account = try #require(try Accounts(configuration).account("a") as? OAuthAccount)
    let status = account.status()
    #expect(status.state == .fresh)
    #expect(status.missingScopes == ["https://mail.google.com/"])
    #expect(status.scopeProblem?.contains("pabal account login a") == true)
  }

  @Test func `the remedy for insufficient configured scopes is to change them first`() throws {
    let server = try AuthorizationServer()
    let folder = try TemporaryDirectory()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let test = try TestAccount(
      #""provider": "google", "client": "credentials.json", "scopes": ["\#(send)"]"#, in: folder)
    _ = try TestLogin(test).result.get()
    #expect(test.account.status().state == .dead)
    #expect(test.account.status().remedy?.hasPrefix("add it to \"scopes\"") == true)
  }

  @Test func `scopes that include sending suffice for REST`() {
    for scope in ["gmail.modify", "gmail.compose"] {
      #expect(GoogleScopes.missing([send], in: ["https://www.googleapis.com/auth/\(scope)"]) == [])
    }
    #expect(GoogleScopes.missing([send], in: ["https://www.googleapis.com/auth/gmail.readonly"]) == [send])
  }
}
