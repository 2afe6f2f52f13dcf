import Foundation
import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

/// Days in fast motion: account, authorization server and mail server share a clock that tests move.
@Suite struct TokenLifetimeTests {
  /// Moves both clocks; they start together.
  private func advance(_ test: TestAccount, _ server: AuthorizationServer, _ duration: Duration) throws {
    test.time.advance(duration)
    try server.control(["clock": Int((test.time.now - Timestamp.now()).components.seconds)])
  }

  /// The transport `gmail` as `pabal` loads it, towards a fake Gmail that asks `server` whose each token is.
  private func transport(_ test: TestAccount, _ server: AuthorizationServer) throws -> (
    transport: LoadedTransport, report: () throws -> GmailReport
  ) {
    struct Script: Encodable { let plain = true, tokeninfo: String }
    struct Port: Decodable { let port: Int }
    let fake = try FakeGmail.shared.get()
    let port = try fake.ask(["listen": Script(tokeninfo: server.url("/tokeninfo"))], as: Port.self).port
    let transport = try TestPlugin.open(
      BuiltProducts.plugin("gmail"),
      ["account": .string("a"), "endpoint": .string("http://localhost:\(port)")],
      accounts: ["a": test.account])
    return (transport, { try fake.ask(["report": port], as: GmailReport.self) })
  }

  @Test func `for a day no send waits for a token, and none fails`() async throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let (transport, report) = try transport(test, server)
    defer { transport.close() }
    let began = test.time.now
    var due = began
    var mails = 0
    while test.time.now - began < .seconds(86_400) {
      // The service's own renewals, when it said that it wants to be called again.
      if test.time.now >= due { due = test.time.now + test.account.refreshIfDue() }
      let requests = try server.requests("/token").count
      #expect(await transport.send(try Mail.sample()).outcome == .sent)
      mails += 1
      // The send itself renewed nothing.
      #expect(try server.requests("/token").count == requests)
      try advance(test, server, .seconds(300))
    }
    let told = try report()
    #expect(told.taken.count == mails)
    // No mail was refused first: one request each. 3599 s less 10 min each: 28 or 29 tokens.
    #expect(told.whole == mails)
    #expect((24...34).contains(Set(told.tokens).count))
    #expect(test.time.pauses.isEmpty)
  }

  @Test func `with nobody who renews ahead of time the sends of a day do it themselves`() async throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let (transport, report) = try transport(test, server)
    defer { transport.close() }
    for _ in 0..<48 {
      #expect(await transport.send(try Mail.sample()).outcome == .sent)
      try advance(test, server, .seconds(1800))
    }
    #expect(try report().whole == 48)
  }

  @Test func `an outage of ten minutes around a renewal fails no send`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    _ = test.account.refreshIfDue()
    test.time.advance(.seconds(3599 - 590))
    try server.control(["faults": Array(repeating: ["status": 503], count: 9)])
    var waits: [Double] = []
    for _ in 0..<3 {
      let again = test.account.refreshIfDue()
      waits.append(again / .seconds(1))
      #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
      test.time.advance(min(again, .seconds(100)))
    }
    // A minute, then twice as long each time, give or take a tenth.
    for (wait, wanted) in zip(waits, [60.0, 120, 240]) { #expect(abs(wait - wanted) <= wanted / 10) }
    #expect(test.account.refreshIfDue() > .seconds(2000))
    #expect(try #require(try test.account.accessToken(rejected: nil).expiresIn) > .seconds(3000))
  }

  @Test func `on the seventh day of a Testing project every send is held, and the reason is told`()
    async throws
  {
    let server = try AuthorizationServer(["refresh_token_expires_in": 604_799])
    let folder = try TemporaryDirectory()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let test = try TestAccount(#""provider": "google", "client": "credentials.json""#, in: folder)
    let end = try #require(try TestLogin(test).result.get().refreshTokenExpiry)
    let (transport, report) = try transport(test, server)
    defer { transport.close() }

    // The server, not the test, ends the login: it counts from the login on, whatever is renewed.
    var hours = 0
    var last: Receipt
    repeat {
      #expect(test.account.status().state == (test.time.now < end ? .expiring : .dead))
      #expect(test.account.status().refreshTokenExpiry.map { abs(($0 - end) / .seconds(1)) < 3 } == true)
      _ = test.account.refreshIfDue()
      last = await transport.send(try Mail.sample())
      if last.outcome == .sent { hours += 1 }
      try advance(test, server, .seconds(3600))
    } while last.outcome == .sent && hours < 24 * 8
    #expect((24 * 7 - 1...24 * 7 + 1).contains(hours))

    let requests = try server.requests("/token").count
    for _ in 0..<3 {
      let receipt = await transport.send(try Mail.sample())
      #expect(receipt.outcome == .held(.transport))
      let reply = try #require(receipt.reply)
      #expect(
        reply.contains("account a: the login lived its seven days, as every login does while the app is in"))
      #expect(reply.contains("publish the app, then log in again: pabal account login a"))
    }
    #expect(try report().taken.count == hours)
    // Nobody asks a server that has given its final answer.
    #expect(try server.requests("/token").count == requests)
    #expect(transport.check().problem == .held(.transport))
    let status = test.account.status()
    #expect(status.state == .dead)
    #expect(status.cause?.contains("Testing") == true)
    #expect(status.guide == .publish)

    // Published and logged in again, the same opened transport sends without a restart.
    try server.control(json: #"{"refresh_token_expires_in": null}"#)
    _ = try TestLogin(test).result.get()
    #expect(await transport.send(try Mail.sample()).outcome == .sent)
    #expect(test.account.status().state == .fresh)
  }
}
