import Foundation
import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

/// Every documented error of the authorization servers, provoked over HTTP and read as a person does.
@Suite struct ServerErrorTests {
  private func google(_ server: AuthorizationServer) throws -> TestAccount {
    let folder = try TemporaryDirectory()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    var dependencies = AccountDependencies.system
    let time = TestTime()
    dependencies.now = { time.now }
    dependencies.pause = time.dependencies.pause
    var test = try TestAccount(
      #""provider": "google", "client": "credentials.json""#, in: folder, dependencies: dependencies)
    test.time = time
    return test
  }

  /// A login whose browser returns with these fields instead of the server's.
  private func redirectTarget(_ test: TestAccount, _ fields: String) -> TestLogin {
    TestLogin(test) { url, port in
      let state = URLEncodedForm(query: url.drop { $0 != "?" }.dropFirst())["state"] ?? ""
      return [try TestLogin.open("http://127.0.0.1:\(port)/?\(fields)&state=\(state)")]
    }
  }

  /// Errors in the redirect of the browser.
  @Test(arguments: [
    ("redirect_uri_mismatch", "it isn't a desktop client"), ("invalid_client", "rejected the client secret"),
    ("deleted_client", "was deleted"), ("disallowed_useragent", "a regular browser"),
    ("org_internal", "change the audience to External"), ("admin_policy_enforced", "API controls"),
    ("access_denied", "only its test users can"), ("invalid_request", "copy the whole URL"),
    ("something_new", "Google rejected the request (something_new)"),
  ])
  func `an error in the browser's redirect is reported`(error: String, text: String) throws {
    let server = try AuthorizationServer()
    let test = try google(server)
    _ = try TestLogin(test).result.get()
    let before = try test.file()
    let login = redirectTarget(test, "error=\(error)")
    #expect(login.failure.contains(text), "\(login.failure)")
    #expect(login.failure.contains("Guides/Google.md#"))
    #expect(login.page.contains(error == "access_denied" ? "Access denied" : "The login failed"))
    #expect(try test.file() == before)

    // Google shows most of them on its own page, whose URL can be pasted.
    let pipe = Pipe()
    let writer = pipe.fileHandleForWriting
    let options = LoginOptions(
      opensBrowser: false, input: pipe.fileHandleForReading.fileDescriptor, timeout: .seconds(60))
    let pasted = TestLogin(test, options: options) { _, _ in
      let name = Data([0x0A, UInt8(error.utf8.count)] + Array(error.utf8) + [0x12, 1, 0x78])
        .base64EncodedString()
      let field = name.replacing("+", with: "%2B").replacing("=", with: "%3D")
      let page = "https://accounts.google.com/signin/oauth/error/v2?authError=\(field)&client_id=x"
      try writer.write(contentsOf: Data("\(page)\n".utf8))
      return []
    }
    #expect(pasted.failure == login.failure)
    #expect(try test.file() == before)
  }

  /// `invalid_grant` at the code exchange, for each of its causes.
  @Test(arguments: ["used twice", "expired", "another challenge", "another redirect URI"])
  func `an invalid code is reported and changes nothing`(cause: String) throws {
    let server = try AuthorizationServer()
    let test = try google(server)
    _ = try TestLogin(test).result.get()
    let before = try test.file()
    let login = TestLogin(test) { url, port in
      switch cause {
      case "expired":
        let back = try TestLogin.redirect(url)
        try server.control(["clock": 601])
        return [try TestLogin.open(back)]
      case "used twice":
        let back = try TestLogin.redirect(url)
        let code = URLEncodedForm(query: back.drop { $0 != "?" }.dropFirst())["code"] ?? ""
        _ = try ChildProcess.run(
          "curl",
          [
            "-sS", "--data-urlencode", "code=\(code)", "-d", "grant_type=authorization_code", "-d",
            "client_id=\(AuthorizationServer.clientID)&client_secret=\(AuthorizationServer.clientSecret)",
            server.url("/token"),
          ])
        return [try TestLogin.open(back)]
      default:
        let other =
          cause == "another challenge"
          ? url.replacing("code_challenge=", with: "code_challenge=A")
          : url.replacing("%3A\(port)", with: "%3A1")
        let back = try TestLogin.redirect(other)
        return [
          try TestLogin.open(back.replacing("http://127.0.0.1:1/?", with: "http://127.0.0.1:\(port)/?"))
        ]
      }
    }
    #expect(
      login.failure.contains("Google rejected the login code (invalid_grant")
        || cause == "another redirect URI" && login.failure.contains("it isn't a desktop client"),
      "\(login.failure)"
    )
    #expect(login.page.contains("The login failed"))
    #expect(try test.file() == before)
  }

  /// Every error of a renewal, as sent by the server.
  @Test(arguments: ["google", "microsoft"])
  func `every error of a renewal is reported and keeps the tokens`(provider: String) throws {
    let server = try AuthorizationServer()
    let isGoogle = provider == "google"
    if !isGoogle { try server.control(["clients": ["app-id": NSNull()]]) }
    let test =
      isGoogle
      ? try google(server)
      : try TestAccount(
        #""provider": "microsoft", "tenant": "t", "authority": "\#(server.url(""))", "client_id": "app-id""#,
        in: TemporaryDirectory())
    let cases = OAuthErrorCase.all.filter {
      $0.operation == .refresh && ($0.issuer == .google) == isGoogle && $0.issuer != .workspace
    }
    #expect(cases.count > 6)
    for sample in cases {
      try server.control(json: #"{"dead": null}"#)
      _ = try TestLogin(test).result.get()
      let before = try test.file()
      test.time.advance(.seconds(3600))
      try server.control(["clock": Int((test.time.now - Timestamp.now()).components.seconds)])
      var serverError: [String: Any] = [
        "error": sample.error, "status": sample.error == "invalid_client" ? 401 : 400,
      ]
      if let text = sample.text { serverError["description"] = text }
      if let subtype = sample.subtype { serverError["error_subtype"] = subtype }
      try server.control(["dead": serverError])
      let requests = try server.requests(isGoogle ? "/token" : "/t/oauth2/v2.0/token").count
      for _ in 0..<2 {
        let said = try test.problem().held
        for text in sample.texts { #expect(said.contains(text), "\(sample): \(said)") }
      }
      // A dead login causes one request; an error that may be fixed meanwhile, one each time.
      let times = try server.requests(isGoogle ? "/token" : "/t/oauth2/v2.0/token").count - requests
      #expect(times == (sample.kind == .dead ? 1 : 2), "\(sample)")
      let status = test.account.status()
      #expect(status.state == .dead)
      #expect(sample.texts.contains { "\(status.cause ?? "") \(status.remedy ?? "")".contains($0) })
      #expect(try test.file() == before)
    }
  }

  /// The errors after which Google's library retries.
  @Test(arguments: [
    (408, nil), (429, nil), (500, nil), (503, nil), (504, nil), (400, "internal_failure"),
    (400, "server_error"),
    (400, "temporarily_unavailable"), (500, "internal_failure"),
  ])
  func `a transient error is retried three times and deferred`(status: Int, error: String?) throws {
    let server = try AuthorizationServer()
    let test = try google(server)
    _ = try TestLogin(test).result.get()
    let before = try test.file()
    test.time.advance(.seconds(3600))
    var fault: [String: Any] = ["status": status]
    if let error { fault["body"] = ["error": error] }
    try server.control(["faults": [fault, fault, fault]])
    #expect(try test.problem().deferred.contains("can't issue a token at the moment: status \(status)"))
    #expect(try server.requests("/token").count == 4)
    #expect(try test.file() == before)
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
  }

  /// Every error of a revocation.
  @Test(
    arguments: [
      (#"{"status": 400, "body": {"error": "invalid_token"}}"#, nil),
      (
        #"{"status": 400, "body": {"error": "invalid_request"}}"#,
        "the login wasn't revoked, so its file is kept"
      ),
      (#"{"status": 403, "body": {"error": "forbidden"}}"#, "the login wasn't revoked, so its file is kept"),
    ] as [(String, String?)])
  func `a failed revocation is reported unless the token is already invalid`(fault: String, error: String?)
    throws
  {
    let server = try AuthorizationServer()
    let test = try google(server)
    _ = try TestLogin(test).result.get()
    try server.control(json: #"{"faults_at": {"/revoke": [\#(fault)]}}"#)
    guard let error else {
      #expect(try test.account.logOut() == .alreadyExpired)
      return
    }
    let problem = try #require(throws: AccountError.self) { try test.account.logOut() }
    #expect(problem.diagnostic.message.contains(error))
    #expect(FileManager.default.fileExists(atPath: "\(test.folder.path)/tokens/a.json"))
  }

  /// Every error of a device login.
  @Test(arguments: [
    ("authorization_declined", "declined on Microsoft's page"),
    ("expired_token", "expired before it was entered"),
    ("bad_verification_code", "doesn't know the device code"),
  ])
  func `an error of a device login is reported`(error: String, text: String) throws {
    let server = try AuthorizationServer(["clients": ["app-id": NSNull()]])
    let test = try TestAccount(
      #""provider": "microsoft", "tenant": "t", "authority": "\#(server.url(""))", "client_id": "app-id", "flow": "device""#,
      in: TemporaryDirectory())
    try server.control(["faults": [["status": 400, "body": ["error": error]]]])
    #expect(TestLogin(test).failure.contains(text))
    #expect(try server.requests("/t/oauth2/v2.0/token").count == 1)
  }

  /// The fake server checks the times in the assertion.
  @Test func `a wrong clock of a service account is reported with the difference`() throws {
    for clock in [-600, 600, 4000] {
      let server = try AuthorizationServer(["clock": clock])
      let folder = try TemporaryDirectory()
      let pem = try ChildProcess.run(
        "openssl", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
      ).output
      let key = [
        "type": "service_account", "private_key_id": "k", "private_key": pem, "client_email": "r@p",
        "token_uri": server.url("/token"),
      ]
      try TestAccount.write(
        String(decoding: try JSONSerialization.data(withJSONObject: key), as: UTF8.self), to: "key.json",
        in: folder)
      try server.control([
        "service_accounts": ["r@p": "\(folder.path)/key.json"],
        "delegated": ["r@p": ["subjects": ["user@example.com"], "scopes": ["https://mail.google.com/"]]],
      ])
      let test = try TestAccount(#""provider": "google-service-account", "key": "key.json""#, in: folder)
      // Google accepts an assertion from the last hour, but none from the future.
      guard clock != 600 else {
        #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
        continue
      }
      let said = try test.problem().held
      #expect(said.contains("clock is wrong"))
      // The server's clock runs while the test's clock stands still.
      #expect(
        said.contains(
          clock < 0 ? /([5-9]|10) min ahead of the server's/ : /(6[6-9]|7[0-2]) min behind the server's/))
      #expect(test.account.status().guide == .clock)
    }
  }
}
