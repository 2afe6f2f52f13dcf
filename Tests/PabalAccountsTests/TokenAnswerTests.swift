import Foundation
import PabalCore
import PabalFormats
import PabalTesting
import Testing

@testable import PabalAccounts

/// Answers of token endpoints that differ from RFC 6749, as servers in the field send them.
@Suite struct TokenAnswerTests {
  private func oauth2(
    _ server: AuthorizationServer, _ more: String = "", in folder: TemporaryDirectory
  ) throws -> TestAccount {
    try TestAccount(
      """
      "provider": "oauth2", "token_endpoint": "\(server.url("/token"))", "client_id": "app-id",
      "authorization_endpoint": "\(server.url("/o/oauth2/auth"))",
      "device_authorization_endpoint": "\(server.url("/devicecode"))",
      "revocation_endpoint": "\(server.url("/revoke"))", "scopes": ["mail.send", "offline_access"]\(more)
      """, in: folder)
  }

  @Test(arguments: [
    (200, "invalid_grant", true), (201, "invalid_grant", true), (400, "invalid_grant", true),
    (401, "invalid_grant", true), (403, "invalid_grant", true), (404, "invalid_grant", true),
    (500, "invalid_grant", false), (502, "Bad Gateway", false), (520, "origin error", false),
    (599, "invalid_client", false), (429, "slow", false), (200, "temporarily_unavailable", false),
  ])
  func `the error of an answer decides whatever its status, except that every 5xx passes`(
    status: Int, error: String, isFinal: Bool
  ) throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    let fault: [String: Any] = ["status": status, "body": ["error": error]]
    try server.control(["faults": [fault, fault, fault]])
    if isFinal {
      #expect(try test.problem().held.contains("Google ended the login"))
      #expect(test.account.status().state == .dead)
    } else {
      #expect(try test.problem().deferred.contains("status \(status)"))
      #expect(test.account.status().state == .fresh)
    }
  }

  @Test(arguments: [#"{"error": ""}"#, #"{"error": false}"#, #"{"error": null}"#, #"{"error": []}"#])
  func `an empty error beside a token isn't an error`(members: String) throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    let body = members.replacing("{", with: #"{"access_token": "ya29.x", "expires_in": 60, "#)
    try server.control(json: #"{"faults": [{"status": 200, "body": \#(body)}]}"#)
    #expect(try test.account.accessToken(rejected: nil).text == "ya29.x")
  }

  @Test func `errors with status 200 end a login, a device login and a logout`() throws {
    let server = try AuthorizationServer(["clients": ["app-id": NSNull()], "error_status": 200])
    let test = try oauth2(server, #", "flow": "device""#, in: TemporaryDirectory())
    // Two polls are answered with `authorization_pending`.
    #expect(throws: Never.self) { try TestLogin(test).result.get() }
    #expect(try server.requests("/token").count == 3)
    try server.control(json: #"{"faults_at": {"/revoke": [{"status": 200, "body": {"error": "denied"}}]}}"#)
    let problem = try #require(throws: AccountError.self) { try test.account.logOut() }
    #expect(problem.diagnostic.message.contains("the login wasn't revoked"))
    let browser = try oauth2(server, in: TemporaryDirectory())
    try server.control(["faults": [["status": 200, "body": ["error": "invalid_grant"]]]])
    #expect(TestLogin(browser).failure.contains("the login code was rejected (invalid_grant)"))
  }

  @Test(arguments: [",", nil])
  func `granted scopes may be separated by commas or left out`(separator: String?) throws {
    let server = try AuthorizationServer(["clients": ["app-id": NSNull()], "rotate": true])
    try server.control(["scope_separator": separator as Any? ?? NSNull()])
    let test = try oauth2(server, in: TemporaryDirectory())
    #expect(try TestLogin(test).result.get().scopes.contains("mail.send"))
    test.time.advance(.seconds(3600))
    _ = try test.account.accessToken(rejected: nil)
    #expect(test.account.status().missingScopes == [])
    #expect(test.account.status().notes == [])
  }

  @Test func `a server's missing scope isn't explained as a checkbox`() throws {
    let server = try AuthorizationServer([
      "clients": ["app-id": NSNull()], "granted": ["other", "offline_access"],
    ])
    let test = try oauth2(server, in: TemporaryDirectory())
    let failure = TestLogin(test).failure
    #expect(failure.contains("the server didn't grant mail.send") && !failure.contains("checkbox"))
  }

  @Test(arguments: ["browser", "device", "app"])
  func `a server that wants Basic authentication gets it, and that is remembered`(flow: String) throws {
    // Characters that RFC 6749 section 2.3.1 has encoded.
    let server = try AuthorizationServer(["clients": ["app-id": "s+c/r %:t"], "basic_only": true])
    let folder = try TemporaryDirectory()
    let more = #", "flow": "\#(flow)", "client_secret": "s+c/r %:t""#
    let test = try oauth2(server, more, in: folder)
    if flow != "app" { _ = try TestLogin(test).result.get() }
    _ = try test.account.accessToken(rejected: nil)
    let before = try server.requests("/token").count
    let next = try oauth2(server, more, in: folder)
    next.time.advance(.seconds(7200))
    _ = try next.account.accessToken(rejected: nil)
    let forms = try server.requests("/token").dropFirst(before)
    // One request, without the refused form.
    #expect(forms.count == 1 && forms.first?["by_basic"] == "yes")
    if flow != "app" { #expect(try next.account.logOut() == .revoked) }
  }

  @Test func `a wrong secret is reported once both ways were refused, and Google is never sent Basic`() throws
  {
    let server = try AuthorizationServer(["clients": ["app-id": "right"]])
    let test = try oauth2(server, #", "flow": "app", "client_secret": "wrong""#, in: TemporaryDirectory())
    #expect(try test.problem().held.contains("rejected the client ID or secret (invalid_client"))
    #expect(try server.requests("/token").count == 2)
    let google = try AuthorizationServer()
    let other = try TestAccount.loggedIn(to: google)
    try TestAccount.write(google.clientFile(secret: "wrong"), to: "credentials.json", in: other.folder)
    let before = try google.requests("/token").count
    other.time.advance(.seconds(3600))
    _ = try other.problem().held
    #expect(try google.requests("/token").count == before + 1)
  }

  @Test func `only the first line of Microsoft's description is shown`() throws {
    let server = try AuthorizationServer(["clients": ["app-id": NSNull()]])
    let test = try TestAccount(
      #""provider": "microsoft", "tenant": "common", "authority": "\#(server.url(""))", "client_id": "app-id""#,
      in: TemporaryDirectory())
    for (text, words) in [
      ("AADSTS50194: Application 'x' is not configured as a multi-tenant application.", "set \"tenant\" to"),
      ("AADSTS999123: Something new.", "https://login.microsoftonline.com/error?code=999123"),
    ] {
      for tail in ["\r\nTrace ID: 1-2\r\nCorrelation ID: 3", " Trace ID: 1-2 Correlation ID: 3", "\nx"] {
        try server.control([
          "faults": [["status": 400, "body": ["error": "odd", "error_description": text + tail]]]
        ])
        let failure = TestLogin(test).failure
        #expect(failure.contains(text) && failure.contains(words), "\(failure)")
        #expect(!failure.contains("Trace") && !failure.contains("\\u{"), "\(failure)")
      }
    }
  }

  @Test(arguments: ["\n", "\\n", "\\\\n", "\r\n", "\\r\\n", " ", ""])
  func `a private key is read whatever its line breaks became`(lineBreak: String) throws {
    let pem = try ChildProcess.run(
      "openssl", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    ).output
    let folder = try TemporaryDirectory()
    let key = [
      "type": "service_account", "private_key_id": "k", "client_email": "r@p",
      "private_key": pem.replacing("\n", with: lineBreak), "token_uri": "https://oauth2.googleapis.com/token",
    ]
    let data = try JSONSerialization.data(withJSONObject: key)
    try TestAccount.write(String(decoding: data, as: UTF8.self), to: "key.json", in: folder)
    #expect(throws: Never.self) { try ServiceAccountKey("\(folder.path)/key.json") }
  }

  @Test func `a request that takes three seconds says what is waited for, once`() throws {
    let server = try AuthorizationServer()
    let folder = try TemporaryDirectory()
    try TestAccount.write(try server.googleToken(in: folder), to: "tokens/a.json", in: folder)
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let log = EventLog()
    let time = TestTime()
    let account = try TestAccount.open(
      #""provider": "google", "client": "credentials.json""#, in: folder,
      dependencies: time.dependencies.reporting { log.add($0) })
    time.advance(.seconds(3600))
    try server.control(["gate": true])
    let renewal = ThreadTask { try? account.accessToken(rejected: nil).text }
    try eventually { try server.requests("/token").count == 2 }
    time.advance(.seconds(2))
    #expect(log.events == [])
    time.advance(.seconds(1))
    try eventually { !log.events.isEmpty }
    time.advance(.seconds(9))
    try server.control(["gate": false])
    #expect(renewal.value != nil)
    #expect(
      log.events == [.waiting(account: "a", "waiting for an answer of 127.0.0.1")])
  }

  @Test func `the browser is given a private page instead of the login's URL`() throws {
    let folder = try TemporaryDirectory()
    let neighbor = "\(folder.path)/a b.json"
    let target = "https://server.test/auth?state=s&code_challenge=\"c"
    var page = RedirectPage(to: target, nextTo: neighbor)
    let path = "\(folder.path)/.a b.json.login.html"
    #expect(page?.url == "file://\(folder.path)/.a%20b.json.login.html")
    #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
    let html = try String(contentsOfFile: path, encoding: .utf8)
    #expect(html.contains(#"0;url=https://server.test/auth?state=s&amp;code_challenge=&quot;c""#))
    page = nil
    #expect(!FileManager.default.fileExists(atPath: path))
    // Without the folder of the tokens, in a folder of its own.
    page = RedirectPage(to: target, nextTo: "/nonexistent/a.json")
    #expect(page?.url.contains("/pabal-login-") == true)
  }
}
