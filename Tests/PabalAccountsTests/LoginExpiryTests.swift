import Foundation
import PabalCore
import PabalFormats
import PabalTesting
import Testing

@testable import PabalAccounts

/// Why a login expires, determined from its lifetime.
@Suite struct LoginExpiryTests {
  @Test(arguments: [
    (604_799, LoginExpiry.testing), (604_800, .testing), (604_900, .testing), (3600, .limited),
    (2_592_000, .limited),
  ])
  func `a lifetime of seven days means Testing, any other doesn't`(seconds: Int, end: LoginExpiry) throws {
    #expect(LoginExpiry(lifetime: .seconds(seconds), .google) == end)
    #expect(LoginExpiry(lifetime: .seconds(seconds), .microsoft) == .limited)
  }

  @Test func `a grant of thirty days is never reported as Testing`() throws {
    let server = try AuthorizationServer(["refresh_token_expires_in": 2_592_000])
    let folder = try TemporaryDirectory()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let test = try TestAccount(#""provider": "google", "client": "credentials.json""#, in: folder)
    let login = TestLogin(test)
    #expect(try !login.result.get().isTesting)
    #expect(!login.page.contains("Testing"))
    #expect(login.page.contains("limited time"))
    test.time.advance(.seconds(25 * 86_400))
    var status = test.account.status()
    #expect(status.state == .expiring)
    #expect(status.cause?.contains("because access was granted for a limited time") == true)
    #expect(!"\(status)".contains("Testing"))
    test.time.advance(.seconds(5 * 86_400 + 1))
    try server.control(["clock": 30 * 86_400 + 60])
    #expect(try !test.problem().held.contains("Testing"))
    status = test.account.status()
    #expect(status.state == .dead)
    #expect(!"\(status)".contains("Testing"))
  }

  @Test func `a duration below an hour is given in minutes`() {
    #expect(OAuthAccount.durationText(.seconds(59 * 60)) == "59 min")
    #expect(OAuthAccount.durationText(.seconds(20)) == "1 min")
    #expect(OAuthAccount.durationText(.seconds(3600)) == "1 h")
  }
}

/// Secrets that a server repeats in its errors.
@Suite struct FormSecretRedactorTests {
  @Test(arguments: [
    "4/0Ab c~x*é", "4%2F0Ab%20c~x*%C3%A9", "4%2f0Ab+c%7Ex%2A%c3%a9", "4%252F0Ab%2520c~x*%25C3%25A9",
    "4/0Ab%20c~x*é",
  ])
  func `a secret is hidden in every encoding`(shown: String) {
    let redactor = SecretRedactor(formSecrets: ["4/0Ab c~x*é", "", "abc"])
    #expect(redactor.redact("no \(shown), 50% of abc") == "no …, 50% of abc")
    #expect(redactor.redact("4/0Ab") == "4/0Ab")
  }

  @Test func `errors of a renewal contain no secret, encoded or not`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let stored = try #require(try test.account.stored())
    let token = try #require(stored.refreshToken)
    #expect(token.contains("/"))
    let encoded = token.replacing("/", with: "%2F")
    test.time.advance(.seconds(3600))
    try server.control([
      "faults": [["status": 400, "body": ["error": "odd", "error_description": "no \(encoded) \(token)"]]]
    ])
    let said = try test.problem().held
    #expect(said.contains("odd: no … …"))
    #expect(!"\(said) \(test.account.status())".contains(token.dropFirst(4)))
  }

  @Test func `a device code is hidden, and an invalid answer names the endpoint to check`() throws {
    let server = try AuthorizationServer(["clients": ["app-id": NSNull()]])
    let test = try TestAccount(
      #""provider": "microsoft", "tenant": "t", "authority": "\#(server.url(""))", "client_id": "app-id", "flow": "device""#,
      in: TemporaryDirectory())
    try server.control(json: #"{"faults_at": {"/t/oauth2/v2.0/devicecode": [{"status": 200, "body": {}}]}}"#)
    let strange = TestLogin(test)
    #expect(strange.failure.contains("device authorization endpoint"))
    #expect(strange.errorKind == .transient)
    let offer =
      #"{"status": 200, "body": {"device_code": "secret/device", "user_code": "AB", "verification_uri": "http://x"}}"#
    try server.control(json: #"{"faults_at": {"/t/oauth2/v2.0/devicecode": [\#(offer)]}}"#)
    try server.control([
      "faults": [
        ["status": 400, "body": ["error": "odd", "error_description": "secret%2Fdevice secret/device"]]
      ]
    ])
    let login = TestLogin(test)
    #expect(login.failure.contains("odd: … …"))
    #expect(!login.failure.contains("secret"))
  }
}
