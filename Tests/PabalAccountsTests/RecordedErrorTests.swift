import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

/// What a failure that was written down means to those who come later.
@Suite struct RecordedErrorTests {
  private func another(_ test: TestAccount) throws -> OAuthAccount {
    try TestAccount.open(
      #""provider": "google", "client": "credentials.json""#, in: test.folder,
      dependencies: test.time.dependencies)
  }

  @Test func `a failure of a clock that was ahead counts no longer once it is set right`() throws {
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

  @Test func `a set-up that failed while the clock was ahead is asked again, by a service too`() throws {
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

  @Test func `a second refusal from a time to come hinders no renewal`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(86_400))
    let first = try test.account.accessToken(rejected: nil).text
    let second = try test.account.accessToken(rejected: first).text
    test.time.advance(.seconds(-86_400))
    #expect(throws: Never.self) { try test.account.accessToken(rejected: second) }
  }

  @Test func `a server that wants to be left alone is, by every process, for so long and an hour at most`()
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
      Issue.record("there is a token")
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
  func `tokens that live shortly are renewed once for all who ask`(life: Int) throws {
    let server = try AuthorizationServer(["expires_in": life])
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    let first = try test.account.accessToken(rejected: nil).text
    let requests = try server.requests("/token").count
    let others = try [another(test), another(test)]
    for account in [test.account] + others { #expect(try account.accessToken(rejected: nil).text == first) }
    #expect(try server.requests("/token").count == requests)
    // A quarter before its end.
    test.time.advance(.seconds(life * 3 / 4 - 1))
    #expect(try test.account.accessToken(rejected: nil).text == first)
    test.time.advance(.seconds(2))
    #expect(try test.account.accessToken(rejected: nil).text != first)
    // A service renews before that.
    let wait = test.account.refreshIfDue()
    #expect(wait > .zero && wait <= .seconds(life / 2))
  }
}
