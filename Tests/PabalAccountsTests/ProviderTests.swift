import Foundation
import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

@Suite struct MicrosoftTests {
  private func account(
    _ server: AuthorizationServer, _ more: String = "", secret: String? = nil
  ) throws -> TestAccount {
    try server.control(["clients": ["app-id": secret.map { $0 as Any } ?? NSNull()]])
    return try TestAccount(
      """
      "provider": "microsoft", "tenant": "contoso.example", "authority": "\(server.url(""))", "client_id": "app-id"\(more)
      """, in: TemporaryDirectory())
  }

  private let scope = "https://outlook.office.com/SMTP.Send"

  @Test func `a device login polls at the interval that the server asks for`() throws {
    let server = try AuthorizationServer(["device": "slow_down"])
    let test = try account(server, #", "flow": "device""#)
    let login = TestLogin(test)
    #expect(try login.result.get().scopes == [scope])
    #expect(login.events.last == "ABCD-1234 \(server.url("/device"))")
    #expect(test.time.pauses == [.seconds(5), .seconds(10), .seconds(10), .seconds(10)])
    #expect(
      try server.requests("/contoso.example/oauth2/v2.0/devicecode").first?["scope"]
        == "\(scope) offline_access"
    )
    #expect(try test.account.accessToken(rejected: nil).text.isEmpty == false)
    #expect(test.account.status().state == .fresh)
  }

  @Test(arguments: [
    ("declined", "declined on Microsoft's page"), ("expired", "expired before it was entered"),
  ])
  func `a declined or expired device login is reported`(mode: String, error: String) throws {
    let server = try AuthorizationServer(["device": mode])
    #expect(TestLogin(try account(server, #", "flow": "device""#)).failure.contains(error))
  }

  @Test func `a browser login works with rotating refresh tokens`() throws {
    let server = try AuthorizationServer(["rotate": true])
    let test = try account(server)
    let login = TestLogin(test)
    #expect(throws: Never.self) { try login.result.get() }
    let path = "/contoso.example/oauth2/v2.0/token"
    #expect(
      try server.requests("/contoso.example/oauth2/v2.0/authorize").first?["redirect_uri"]?.hasPrefix(
        "http://localhost:") == true)
    for _ in 0..<3 {
      test.time.advance(.seconds(3600))
      _ = try test.account.accessToken(rejected: nil)
    }
    let forms = try server.requests(path)
    #expect(Set(forms.dropFirst().map { $0["refresh_token"] }).count == 3)
    #expect(forms.last?["scope"] == "\(scope) offline_access")
    #expect(forms.last?["client_secret"] == nil)
    #expect(try test.account.logOut() == .forgotten)
  }

  @Test func `a rotated token that can't be stored is kept in memory and reported`() throws {
    guard geteuid() != 0 else { return }
    let server = try AuthorizationServer(["rotate": true])
    let test = try account(server)
    _ = try TestLogin(test).result.get()
    let folder = "\(test.folder.path)/tokens"
    try FileManager.default.setAttributes([.posixPermissions: 0o500], ofItemAtPath: folder)
    defer { try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder) }
    for _ in 0..<2 {
      test.time.advance(.seconds(3600))
      _ = try test.account.accessToken(rejected: nil)
    }
    #expect(test.account.status().notes.contains { $0.contains("lost when this process ends") })
  }

  @Test func `an app renews its token with its client secret`() throws {
    let server = try AuthorizationServer()
    let test = try account(server, #", "flow": "app", "client_secret": "s3cret""#, secret: "s3cret")
    #expect(try test.account.accessToken(rejected: nil).text.isEmpty == false)
    #expect(test.account.status().state == .fresh)
    let form = try #require(try server.requests("/contoso.example/oauth2/v2.0/token").first)
    #expect(form["scope"] == "https://outlook.office365.com/.default")
    #expect(TestLogin(test).failure.contains("doesn't need a login"))
  }
}

@Suite struct OAuth2Tests {
  @Test func `any server works with its endpoints configured`() async throws {
    // Runs in a separate process, because it changes the environment.
    await #expect(processExitsWith: .success) {
      let server = try AuthorizationServer(["clients": ["me": "s3cret"]])
      let test = try TestAccount(
        """
        "provider": "oauth2", "authorization_endpoint": "\(server.url("/authorize"))", "client_id": "me",
        "token_endpoint": "\(server.url("/token"))", "client_secret": {"env": "PABAL_TEST_SECRET"},
        "revocation_endpoint": "\(server.url("/revoke"))", "scopes": ["mail.send", "offline_access"]
        """, in: TemporaryDirectory())
      #expect(TestLogin(test).failure.contains("PABAL_TEST_SECRET is not set"))
      setenv("PABAL_TEST_SECRET", "s3cret", 1)
      #expect(try TestLogin(test).result.get().scopes == ["mail.send", "offline_access"])
      test.time.advance(.seconds(3600))
      #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
      #expect(try test.account.logOut() == .revoked)
    }
  }
}

@Suite struct ServiceAccountTests {
  /// Creates a key file with OpenSSL and an account that uses it.
  private func account(_ server: AuthorizationServer, delegated: Bool = true) throws -> TestAccount {
    let folder = try TemporaryDirectory()
    let pem = try ChildProcess.run(
      "openssl", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    ).output
    let key: [String: Any] = [
      "type": "service_account", "project_id": "p", "private_key_id": "key-1", "private_key": pem,
      "client_email": "robot@p.iam.gserviceaccount.com", "client_id": "1", "token_uri": server.url("/token"),
      "universe_domain": "googleapis.com",
    ]
    let text = String(decoding: try JSONSerialization.data(withJSONObject: key), as: UTF8.self)
    try TestAccount.write(text, to: "key.json", in: folder)
    try server.control([
      "service_accounts": ["robot@p.iam.gserviceaccount.com": "\(folder.path)/key.json"],
      "delegated": [
        "robot@p.iam.gserviceaccount.com": [
          "subjects": ["user@example.com"], "scopes": delegated ? ["https://mail.google.com/"] : [],
        ]
      ],
    ])
    return try TestAccount(#""provider": "google-service-account", "key": "key.json""#, in: folder)
  }

  @Test func `the same server accepts assertions signed by Google's library and by Pabal`() throws {
    let server = try AuthorizationServer()
    let test = try account(server)
    let script = """
      import sys
      from google.oauth2 import service_account
      import google.auth.transport.requests
      credentials = service_account.Credentials.from_service_account_file(
          sys.argv[1], scopes=["https://mail.google.com/"], subject="user@example.com")
      credentials.refresh(google.auth.transport.requests.Request())
      print(bool(credentials.token))
      """
    #expect(try GooglePython.python(["-c", script, "\(test.folder.path)/key.json"]) == "True\n")
    let token = try test.account.accessToken(rejected: nil)
    #expect(try #require(token.expiresIn) <= .seconds(3599))
    #expect(test.account.status().state == .fresh)

    // Another process uses the stored token.
    let other = try TestAccount.open(
      #""provider": "google-service-account", "key": "key.json""#, in: test.folder,
      dependencies: test.time.dependencies)
    #expect(try other.accessToken(rejected: nil).text == token.text)
    #expect(try server.requests("/token").count == 2)
    test.time.advance(.seconds(3599))
    // The server's clock is unchanged, so it rejects an assertion from the future.
    let problem = try test.problem()
    #expect(try problem.held.contains("clock"))
  }

  @Test func `each error of the fake server has its own text`() throws {
    let server = try AuthorizationServer()
    let test = try account(server, delegated: false)
    #expect(try test.problem().held.contains("delegation is missing or not active yet"))
    #expect(test.account.status().state == .dead)
    try server.control(["delegated": [:]])
    #expect(try test.problem().held.contains("doesn't know the user"))
    try server.control(["service_accounts": [:]])
    #expect(try test.problem().held.contains("service account was deleted"))
    let key = try test.file("key.json").replacing("key-1", with: "key-2")
    try TestAccount.write(key, to: "other.json", in: test.folder)
    try server.control([
      "service_accounts": ["robot@p.iam.gserviceaccount.com": "\(test.folder.path)/other.json"]
    ])
    #expect(try test.problem().held.contains("doesn't know the signing key"))
  }

  @Test func `a damaged key is reported without its content`() throws {
    let server = try AuthorizationServer()
    let test = try account(server)
    try TestAccount.write(
      try test.file("key.json").replacing("MII", with: "XII"), to: "key.json", in: test.folder)
    let said = try test.problem().held
    #expect(said.contains("is damaged or isn't an RSA key"))
    #expect(!said.contains("PRIVATE"))
  }
}

@Suite struct AccountConfigurationTests {
  private func errors(_ entry: String) throws -> [String] {
    let text = """
      {"transport": "t", "transports": {"t": {"plugin": "smtp", "account": "a"}}, "from": "a@example.com",
       "accounts": {"a": {"user": "user@example.com", \(entry)}}}
      """
    do throws(Diagnostics) {
      _ = try Configuration.read(
        Array(text.utf8), file: "config.json", directory: "/srv", providers: oauthProviders())
      return []
    } catch {
      return error.all.map(\.description)
    }
  }

  @Test(arguments: [
    (#""provider": "google""#, "accounts.a: missing key 'client'"),
    (#""provider": "google", "clients": "x""#, "unknown key; did you mean 'client'?"),
    (#""provider": "google", "client": "c", "scopes": ["a b"]"#, "not a valid scope"),
    (#""provider": "google", "client": "c", "scopes": []"#, "the list is empty"),
    (#""provider": "google-service-account""#, "accounts.a: missing key 'key'"),
    (#""provider": "microsoft", "client_id": "x""#, "accounts.a: missing key 'tenant'"),
    (#""provider": "microsoft", "client_id": "x", "tenant": "a/b""#, "not a tenant"),
    (
      #""provider": "microsoft", "client_id": "x", "tenant": "a", "flow": "app""#,
      "needs the key “client_secret”"
    ),
    (#""provider": "microsoft", "client_id": "x", "tenant": "a", "flow": "magic""#, "unknown flow"),
    (
      #""provider": "microsoft", "client_id": "x", "tenant": "a", "authority": "http://a.example""#,
      "not a URL that secrets"
    ),
    (#""provider": "oauth2", "client_id": "x", "scopes": ["a"]"#, "accounts.a: missing key 'token_endpoint'"),
    (
      #""provider": "oauth2", "client_id": "x", "scopes": ["a"], "token_endpoint": "https://a/t""#,
      "needs the key “authorization_endpoint”"
    ),
    (
      #""provider": "oauth2", "client_id": "x", "token_endpoint": "https://a/t", "authorization_endpoint": "https://a/a""#,
      "accounts.a: missing key 'scopes'"
    ),
    (#""provider": "googel", "client": "c""#, "unknown provider"),
  ])
  func `a mistake in an account is reported with its position`(entry: String, error: String) throws {
    let errors = try errors(entry)
    #expect(errors.contains { $0.contains("config.json:2:") && $0.contains(error) }, "\(errors)")
  }

  @Test func `tokens are stored next to the configuration, or in /var/lib for one in /etc`() {
    #expect(TokenLocation.file(nil, account: "a", directory: "/home/me").path == "/home/me/tokens/a.json")
    #expect(
      TokenLocation.file(nil, account: "a", directory: "/etc/pabal").path == "/var/lib/pabal/tokens/a.json")
    #expect(TokenLocation.file("/x/t.json", account: "a", directory: "/etc/pabal").path == "/x/t.json")
  }

  @Test func `scopes follow from the transports`() {
    let gmail = AccountUse(scopes: [AccountScope(provider: "google", scope: GoogleScopes.send)])
    let smtp = AccountUse(scopes: [AccountScope(provider: "google", scope: GoogleScopes.mail)])
    #expect(GoogleScopes.needed(by: [gmail]) == [GoogleScopes.send])
    #expect(GoogleScopes.needed(by: [gmail, smtp]) == [GoogleScopes.mail])
    // A plugin that declares no scopes may need any.
    #expect(GoogleScopes.needed(by: [gmail, AccountUse(scopes: [])]) == [GoogleScopes.mail])
    #expect(GoogleScopes.needed(by: []) == [GoogleScopes.mail])
    #expect(GoogleScopes.missing([GoogleScopes.send], in: [GoogleScopes.mail]).isEmpty)
    #expect(GoogleScopes.missing([GoogleScopes.mail], in: [GoogleScopes.send]) == [GoogleScopes.mail])
  }
}
