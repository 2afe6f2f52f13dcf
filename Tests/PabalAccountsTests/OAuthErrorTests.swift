import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

/// An error of the token endpoint, and parts of the expected text.
struct OAuthErrorCase: Sendable, CustomTestStringConvertible {
  let issuer: OAuthErrorClassifier.Issuer
  let operation: OAuthErrorClassifier.Operation
  let error: String
  let text: String?
  var subtype: String?
  let kind: TokenError.Kind
  let texts: [String]

  var testDescription: String { "\(issuer) \(operation) \(error) \(subtype ?? text ?? "")" }

  static func google(
    _ error: String, _ text: String?, _ kind: TokenError.Kind, _ texts: String...,
    operation: OAuthErrorClassifier.Operation = .refresh, subtype: String? = nil
  ) -> OAuthErrorCase {
    OAuthErrorCase(
      issuer: .google, operation: operation, error: error, text: text, subtype: subtype, kind: kind,
      texts: texts)
  }

  static func workspace(_ error: String, _ text: String, _ texts: String...) -> OAuthErrorCase {
    OAuthErrorCase(
      issuer: .workspace, operation: .grant, error: error, text: text, kind: .setUp, texts: texts)
  }

  static func microsoft(
    _ error: String, _ text: String?, _ kind: TokenError.Kind, _ texts: String...,
    operation: OAuthErrorClassifier.Operation = .refresh
  ) -> OAuthErrorCase {
    OAuthErrorCase(
      issuer: .microsoft, operation: operation, error: error, text: text, kind: kind, texts: texts)
  }

  static let all: [OAuthErrorCase] = [
    .google("access_denied", nil, .setUp, "denied on Google's page", "test users", operation: .codeExchange),
    .google(
      "invalid_grant", "Malformed auth code.", .setUp, "already used, has expired", operation: .codeExchange),
    .google(
      "redirect_uri_mismatch", "Bad Request", .setUp, "isn't a desktop client", operation: .codeExchange),
    .google("org_internal", nil, .setUp, "Internal", "External", operation: .codeExchange),
    .google("admin_policy_enforced", nil, .setUp, "administrator", "API controls", operation: .codeExchange),
    .google(
      "disallowed_useragent", nil, .setUp, "regular browser", operation: .codeExchange),
    .google("invalid_request", nil, .setUp, "login URL as invalid", "whole URL", operation: .codeExchange),
    .google(
      "invalid_grant", "Token has been expired or revoked.", .dead, "Testing", "seven days",
      "password was changed",
      "access was removed", "six months", "100 times", "clock", "pabal account login a"),
    .google("invalid_grant", "Bad Request", .dead, "can't read the refresh token"),
    .google(
      "invalid_grant", "reauth related error (invalid_rapt)", .dead, "session policy", subtype: "invalid_rapt"
    ),
    .google(
      "invalid_grant", "reauth related error (rapt_required)", .dead, "(rapt_required)",
      subtype: "rapt_required"),
    .google("invalid_client", "The OAuth client was not found.", .setUp, "the OAuth client doesn't exist"),
    .google(
      "invalid_client", "Unauthorized", .setUp, "rejected the client secret",
      "download credentials.json"),
    .google("invalid_request", "Missing required parameter", .setUp, "renewal as invalid", "log in again"),
    .google("unauthorized_client", "Unauthorized", .setUp, "can't use this login"),
    .google("invalid_scope", "Bad Request", .setUp, "requested scope"),
    .google("deleted_client", "The OAuth client was deleted.", .setUp, "was deleted", "30 days"),
    .google("disabled_client", "The OAuth client was disabled.", .setUp, "disabled the OAuth client"),
    .workspace(
      "invalid_grant",
      "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
      "clock is wrong", "set-ntp"),
    .workspace("invalid_grant", "Invalid JWT Signature.", "doesn't know the signing key", "create a new key"),
    .workspace("invalid_grant", "Invalid email or User ID", "doesn't know the user", "not an alias"),
    .workspace("invalid_grant", "Invalid grant: account not found", "service account was deleted"),
    .workspace(
      "unauthorized_client", "Client is unauthorized to retrieve access tokens",
      "delegation is missing or not active yet"
    ),
    .workspace("invalid_scope", "bad scope", "doesn't know a requested scope"),
    .workspace("access_denied", "Requested client not authorized.", "denies the service account this scope"),
    .workspace("disabled_client", "off", "deleted or disabled"),
    .microsoft("invalid_grant", "AADSTS50173: The provided grant has expired", .dead, "password was changed"),
    .microsoft(
      "invalid_grant", "AADSTS700082: inactive for 90 days.\r\nTrace ID: 1", .dead, "because it wasn't used"),
    .microsoft("invalid_grant", "AADSTS50076: you must use multi-factor", .dead, "second factor"),
    .microsoft("invalid_grant", "something", .dead, "Microsoft ended the login"),
    .microsoft("invalid_grant", "AADSTS65001: has not consented", .setUp, "consent to a permission"),
    .microsoft(
      "invalid_client", "AADSTS65001: has not consented", .setUp, "lacks an administrator's consent",
      operation: .grant),
    .microsoft("access_denied", "AADSTS65004: declined", .setUp, "choose Accept", operation: .codeExchange),
    .microsoft(
      "access_denied", "AADSTS90094: admin", .setUp, "only an administrator", operation: .codeExchange),
    .microsoft("invalid_resource", "AADSTS650057: not listed", .setUp, "doesn't list the permission"),
    .microsoft("invalid_client", "AADSTS650052: lacks a service principal", .setUp, "lack of a license"),
    .microsoft("invalid_scope", "AADSTS28000: more than one resource", .setUp, "several services"),
    .microsoft("invalid_grant", "AADSTS53003: blocked by Conditional Access", .setUp, "conditional access"),
    .microsoft(
      "invalid_client", "AADSTS7000218: must contain client_assertion", .setUp, "public client flows"),
    .microsoft("invalid_client", "AADSTS7000222: expired secret", .setUp, "secret is wrong or has expired"),
    .microsoft(
      "unauthorized_client", "AADSTS700016: not found in directory", .setUp, "no app with this client ID"),
    .microsoft("invalid_request", "AADSTS90002: Tenant not found", .setUp, "tenant doesn't exist"),
    .microsoft(
      "invalid_request", "AADSTS50011: redirect URI", .setUp, "http://localhost", operation: .codeExchange),
    .microsoft("authorization_declined", nil, .setUp, "declined on Microsoft's page", operation: .devicePoll),
    .microsoft("expired_token", nil, .setUp, "expired before it was entered", operation: .devicePoll),
    .microsoft("bad_verification_code", "x", .setUp, "doesn't know the device code", operation: .devicePoll),
  ]
}

@Suite struct OAuthErrorTests {
  @Test(arguments: OAuthErrorCase.all)
  func `each error has its own text and kind`(sample: OAuthErrorCase) {
    let classifier = OAuthErrorClassifier(issuer: sample.issuer, operation: sample.operation, account: "a")
    let serverError = OAuthError(error: sample.error, description: sample.text, subtype: sample.subtype)
    let failure = classifier.failure(serverError, clock: nil)
    #expect(failure.kind == sample.kind)
    for word in sample.texts { #expect(failure.sentence.contains(word)) }
    // Every error has a remedy, or at least the server's text.
    #expect(failure.remedy != nil || failure.sentence.contains(sample.error))
  }

  @Test func `no two errors have the same text`() {
    let sentences = OAuthErrorCase.all.map { sample in
      let classifier = OAuthErrorClassifier(issuer: sample.issuer, operation: sample.operation, account: "a")
      let serverError = OAuthError(error: sample.error, description: sample.text, subtype: sample.subtype)
      // The texts must differ even without the server's text in parentheses.
      return "\(sample.issuer) "
        + classifier.failure(serverError, clock: nil).sentence.replacing(serverError.summary, with: "")
    }
    let same = Dictionary(grouping: sentences) { $0 }.filter { $0.value.count > 1 }.keys
    #expect(same.isEmpty)
  }

  @Test func `a wrong clock is reported with the error it causes`() {
    let classifier = OAuthErrorClassifier(issuer: .workspace, operation: .grant, account: "a")
    let serverError = OAuthError(error: "invalid_grant", description: "Invalid JWT: iat and exp")
    let failure = classifier.failure(serverError, clock: .seconds(-420))
    #expect(failure.message.contains("7 min behind the server's"))
    #expect(failure.step == .clock)
    #expect(failure.sentence.ranges(of: "timedatectl").count == 1)
  }

  @Test func `a login that expired after seven days is recognized by its date`() {
    let now = Timestamp.now()
    let classifier = OAuthErrorClassifier(
      issuer: .google, operation: .refresh, account: "a", refreshTokenExpiry: now + .seconds(-5),
      loginExpiry: .testing, now: now)
    let failure = classifier.failure(
      OAuthError(error: "invalid_grant", description: "Token has been expired or revoked."), clock: nil)
    #expect(failure.message.contains("expired after seven days"))
    #expect(!failure.message.contains("password"))
  }
}

@Suite struct RefreshFailureTests {
  @Test func `an expired login is dead, causes one request, and keeps its file`() throws {
    let server = try AuthorizationServer([
      "dead": ["error": "invalid_grant", "description": "Token has been expired or revoked."]
    ])
    let test = try TestAccount.loggedIn(to: server)
    let before = try test.file()
    test.time.advance(.seconds(3600))
    for _ in 0..<3 { #expect(try test.problem().held.contains("Google ended the login")) }
    // Another process, later.
    let other = try TestAccount.open(
      #""provider": "google", "client": "credentials.json""#, in: test.folder,
      dependencies: test.time.dependencies)
    #expect(throws: AccessTokenError.self) { try other.accessToken(rejected: nil) }
    #expect(try server.requests("/token").count == 2)
    #expect(try test.file() == before)
    let status = other.status()
    #expect(status.state == .dead)
    #expect(status.cause?.contains("Testing") == true)
    #expect(status.remedy?.contains("pabal account login a") == true)

    // A new login, here by Google's library, is used without a restart.
    try server.control(json: #"{"dead": null}"#)
    try TestAccount.write(try server.googleToken(in: test.folder), to: "tokens/a.json", in: test.folder)
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
    #expect(test.account.status().state == .fresh)
  }

  @Test func `a valid token is used while it can't be renewed`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let first = try test.account.accessToken(rejected: nil).text
    test.time.advance(.seconds(3599 - 100))
    try server.control(["faults": [["status": 503], ["status": 503], ["status": 503]]])
    #expect(try test.account.accessToken(rejected: nil).text == first)
    #expect(try test.account.accessToken(rejected: nil).text != first)
  }

  @Test func `transient failures are retried after one second and two`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    try server.control(["faults": [["status": 503], ["status": 429]]])
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
    #expect(test.time.pauses.count == 2)
    for (pause, wanted) in zip(test.time.pauses, [1.0, 2.0]) {
      #expect(abs(pause / .seconds(1) - wanted) <= wanted * 0.1)
    }
    test.time.advance(.seconds(3600))
    try server.control([
      "faults": Array(repeating: ["status": 500, "body": ["error": "internal_failure"]], count: 3)
    ])
    #expect(
      try test.problem().deferred.contains("can't issue a token at the moment: status 500 (internal_failure)")
    )
  }

  @Test(arguments: [
    (#"{"status": 200, "kind": "text/html", "body": "<html>Welcome to the hotel"}"#, "isn't JSON"),
    (#"{"status": 302, "headers": {"Location": "http://portal/"}}"#, "status 302"),
    (#"{"status": 200, "body": {"token_type": "Bearer"}}"#, "no access token"),
    (#"{"drop": true}"#, "the connection to 127.0.0.1 failed"), (#"{"status": 408}"#, "status 408"),
    (#"{"status": 400, "body": {"error": "temporarily_unavailable"}}"#, "temporarily_unavailable"),
  ])
  func `an answer that isn't from the token server is deferred`(fault: String, error: String) throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    try server.control(json: "{\"faults\": [\(fault), \(fault), \(fault)]}")
    #expect(try test.problem().deferred.contains(error))
    try server.control(["faults": []])
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
  }

  @Test(arguments: [#"{"status": 404, "body": {"error": "not_found"}}"#, #"{"status": 404}"#])
  func `a URL without a token endpoint is named`(fault: String) throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    try server.control(json: "{\"faults\": [\(fault), \(fault), \(fault)]}")
    let problem = try test.problem()
    let said = "\(problem)"
    #expect(said.contains("404"))
    #expect(said.contains("check that \(server.url("/token")) is the right URL"))
  }

  @Test func `errors and descriptions contain no secret`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let stored = try StoredToken(SecretDocument.read("\(test.folder.path)/tokens/a.json", as: "x"))
    let refreshToken = try #require(stored.refreshToken)
    test.time.advance(.seconds(3600))
    try server.control([
      "faults": [
        [
          "status": 400,
          "body": ["error": "odd", "error_description": "no \(refreshToken) \u{1B}[2J GOCSPX-fake-secret"],
        ]
      ]
    ])
    let said = try test.problem().held
    #expect(said.contains("odd: no … \\u{1b}[2J …"))
    let status = test.account.status()
    #expect(
      !"\(said) \(status) \(test.account) \(stored) \(String(reflecting: stored))".contains(refreshToken))
    var dumped = ""
    dump(stored, to: &dumped)
    dump(status, to: &dumped)
    #expect(!dumped.contains(refreshToken))
    #expect(!(try test.file("tokens/a.json.state")).contains(refreshToken))
  }

  @Test func `a fixed configuration works again without a restart`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    try TestAccount.write(server.clientFile(secret: "wrong"), to: "credentials.json", in: test.folder)
    guard case .held(let reason, let after) = try test.problem() else {
      Issue.record("not held")
      return
    }
    #expect(reason.contains("rejected the client secret"))
    #expect(after == .seconds(60))
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: test.folder)
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
  }

  @Test func `a token rejected right after its renewal isn't renewed again`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let first = try test.account.accessToken(rejected: nil).text
    let second = try test.account.accessToken(rejected: first).text
    #expect(try test.problem(rejected: second).held.contains("the token isn't the cause"))
    #expect(try server.requests("/token").count == 2)
    test.time.advance(.seconds(61))
    #expect(throws: Never.self) { try test.account.accessToken(rejected: second) }
  }

  @Test func `a rotated refresh token is used for the next renewal`() throws {
    let server = try AuthorizationServer(["rotate": true])
    let test = try TestAccount.loggedIn(to: server)
    var tokens = Set<String>()
    for _ in 0..<3 {
      test.time.advance(.seconds(3600))
      _ = try test.account.accessToken(rejected: nil)
      tokens.insert(try #require(try server.requests("/token").last?["refresh_token"]))
    }
    #expect(tokens.count == 3)
  }
}
