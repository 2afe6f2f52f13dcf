import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

/// The effect of recorded failures on other processes.
@Suite struct RecordedErrorTests {
  private func another(_ test: TestAccount) throws -> OAuthAccount {
    try TestAccount.open(
      #""provider": "google", "client": "credentials.json""#, in: test.folder,
      dependencies: test.time.dependencies)
  }

  @Test func `a failure recorded by a clock that was ahead is ignored after it is corrected`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(86_400 * 400))
    try server.control(["dead": ["error": "invalid_grant", "description": "Bad Request"]])
    #expect(try test.problem().held.contains("can't read the refresh token"))
    try server.control(json: #"{"dead": null}"#)
    test.time.advance(.seconds(-86_400 * 400 + 3600))
    let other = try another(test)
    #expect(other.status().state == .fresh)
    #expect(throws: Never.self) { try other.accessToken(rejected: nil) }
  }

  @Test func `a configuration that failed while the clock was ahead is retried`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(86_400))
    try server.control(["dead": ["error": "disabled_client", "description": "x"]])
    _ = try test.problem()
    try server.control(json: #"{"dead": null}"#)
    test.time.advance(.seconds(-86_400 + 3600))
    let other = try another(test)
    #expect(other.refreshIfDue() > .seconds(2000))
    #expect(throws: Never.self) { try other.accessToken(rejected: nil) }
  }

  @Test func `a rejection dated in the future doesn't prevent a renewal`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(86_400))
    let first = try test.account.accessToken(rejected: nil).text
    let second = try test.account.accessToken(rejected: first).text
    test.time.advance(.seconds(-86_400))
    #expect(throws: Never.self) { try test.account.accessToken(rejected: second) }
  }

  @Test func `every process respects Retry-After, for at most an hour`()
    throws
  {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    let busy: [String: Any] = ["status": 429, "headers": ["Retry-After": "600"]]
    try server.control(["faults": [busy]])
    #expect(try test.problem().deferred.contains("status 429"))
    let requests = try server.requests("/token").count
    #expect(test.time.pauses.isEmpty)
    test.time.advance(.seconds(200))
    let other = try another(test)
    do throws(AccessTokenError) {
      _ = try other.accessToken(rejected: nil)
      Issue.record("got a token")
    } catch {
      guard case .deferred(_, let wait?) = error else {
        Issue.record("\(error)")
        return
      }
      #expect((.seconds(380)...(.seconds(401))).contains(wait))
    }
    #expect(try server.requests("/token").count == requests)
    test.time.advance(.seconds(401))
    #expect(throws: Never.self) { try other.accessToken(rejected: nil) }
  }

  @Test(arguments: [100, 200])
  func `short-lived tokens are renewed once for all processes`(life: Int) throws {
    let server = try AuthorizationServer(["expires_in": life])
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    let first = try test.account.accessToken(rejected: nil).text
    let requests = try server.requests("/token").count
    let others = try [another(test), another(test)]
    for account in [test.account] + others { #expect(try account.accessToken(rejected: nil).text == first) }
    #expect(try server.requests("/token").count == requests)
    // Until a quarter of the lifetime is left.
    test.time.advance(.seconds(life * 3 / 4 - 1))
    #expect(try test.account.accessToken(rejected: nil).text == first)
    test.time.advance(.seconds(2))
    #expect(try test.account.accessToken(rejected: nil).text != first)
    // A service renews before that.
    let wait = test.account.refreshIfDue()
    #expect(wait > .zero && wait <= .seconds(life / 2))
  }
}
