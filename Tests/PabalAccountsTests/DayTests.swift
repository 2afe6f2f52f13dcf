import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

@Suite struct DayTests {
  @Test func `for a day nobody waits for a token, and none fails`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let began = test.time.now
    var due = began
    var tokens = Set<String>()
    while test.time.now - began < .seconds(86_400) {
      // The service's own renewals, when it said that it wants to be called again.
      if test.time.now >= due { due = test.time.now + test.account.keepFresh() }
      let asked = try server.asked("/token").count
      let token = try test.account.accessToken(rejected: nil)
      #expect(try server.asked("/token").count == asked)
      #expect(try #require(token.expiresIn) > OAuthAccount.margin)
      tokens.insert(token.text)
      test.time.advance(.seconds(300))
    }
    // 3599 s less 10 min each: 28 or 29 of them.
    #expect((24...34).contains(tokens.count))
    #expect(test.time.pauses.isEmpty)
  }

  @Test func `an outage of ten minutes around a renewal fails no send`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    _ = test.account.keepFresh()
    test.time.advance(.seconds(3599 - 590))
    try server.control(["faults": Array(repeating: ["status": 503], count: 3)])
    let again = test.account.keepFresh()
    #expect(again == .seconds(60))
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
    test.time.advance(again)
    _ = test.account.keepFresh()
    #expect(try #require(try test.account.accessToken(rejected: nil).expiresIn) > .seconds(3000))
  }

  @Test func `on the seventh day of a Testing project the account is dead, and the reason is shown`() throws {
    let server = try AuthorizationServer(["refresh_token_expires_in": 604_799])
    let test = try TestAccount.loggedIn(to: server)
    // Google's library doesn't keep the date; Pabal learns it at the first renewal.
    test.time.advance(.seconds(3600))
    _ = try test.account.accessToken(rejected: nil)
    #expect(test.account.status().state == .expiring)
    // Google counts from the login on.
    try server.control(["refresh_token_expires_in": 1])
    for _ in 0..<7 * 24 - 1 {
      test.time.advance(.seconds(3600))
    }
    try server.control([
      "dead": ["error": "invalid_grant", "description": "Token has been expired or revoked."]
    ])
    test.time.advance(.seconds(3600))
    for _ in 0..<3 {
      let problem = try test.problem()
      #expect(problem.held.contains("lived its seven days"))
      #expect(problem.held.contains("publish the app"))
    }
    let status = test.account.status()
    #expect(status.state == .dead)
    #expect(status.cause?.contains("Testing") == true)
    #expect(status.guide == .publish)
    #expect(try server.asked("/token").filter { $0["grant_type"] == "refresh_token" }.count == 2)
  }
}
