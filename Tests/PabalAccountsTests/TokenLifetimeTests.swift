import Foundation
import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

/// Days of operation, simulated with a clock shared by account and servers.
@Suite struct TokenLifetimeTests {
  /// Advances the clocks of account and server.
  private func advance(_ test: TestAccount, _ server: AuthorizationServer, _ duration: Duration) throws {
    test.time.advance(duration)
    try server.control(["clock": Int((test.time.now - Timestamp.now()).components.seconds)])
  }

  /// Opens the transport `gmail` to a fake Gmail that asks `server` for the user of each token.
  private func transport(_ test: TestAccount, _ server: AuthorizationServer) throws -> (
    transport: LoadedTransport, report: () throws -> RESTServerReport
  ) {
    struct Script: Encodable { let plain = true, tokeninfo: String }
    struct Port: Decodable { let port: Int }
    let fake = try FakeGmail.shared.get()
    let port = try fake.ask(["listen": Script(tokeninfo: server.url("/tokeninfo"))], as: Port.self).port
    let transport = try TestPlugin.open(
      BuiltProducts.plugin("gmail"),
      ["account": .string("a"), "endpoint": .string("http://localhost:\(port)")],
      accounts: ["a": test.account])
    return (transport, { try fake.ask(["report": port], as: RESTServerReport.self) })
  }

  @Test func `for a day no send waits for a token or fails`() async throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let (transport, report) = try transport(test, server)
    defer { transport.close() }
    let began = test.time.now
    var due = began
    var mails = 0
    while test.time.now - began < .seconds(86_400) {
      // Renews as a service does, at the times that it was asked to.
      if test.time.now >= due { due = test.time.now + test.account.refreshIfDue() }
      let requests = try server.requests("/token").count
      #expect(await transport.send(try Mail.sample()).outcome == .sent)
      mails += 1
      // The send itself didn't renew the token.
      #expect(try server.requests("/token").count == requests)
      try advance(test, server, .seconds(300))
    }
    let summary = try report()
    #expect(summary.taken.count == mails)
    // One request per mail, so none was rejected first. A token every 3599 s less 10 min makes 28 or 29 tokens.
    #expect(summary.whole == mails)
    #expect((24...34).contains(Set(summary.tokens).count))
    #expect(test.time.pauses.isEmpty)
  }

  @Test func `without renewals ahead of time, sends renew the token themselves`() async throws {
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
    // A minute, doubled each time, ± 10 %.
    for (wait, wanted) in zip(waits, [60.0, 120, 240]) { #expect(abs(wait - wanted) <= wanted / 10) }
    #expect(test.account.refreshIfDue() > .seconds(2000))
    #expect(try #require(try test.account.accessToken(rejected: nil).expiresIn) > .seconds(3000))
  }

  @Test func `after seven days in Testing every send is held with the reason`()
    async throws
  {
    let server = try AuthorizationServer(["refresh_token_expires_in": 604_799])
    let folder = try TemporaryDirectory()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let test = try TestAccount(#""provider": "google", "client": "credentials.json""#, in: folder)
    let end = try #require(try TestLogin(test).result.get().refreshTokenExpiry)
    let (transport, report) = try transport(test, server)
    defer { transport.close() }

    // The server ends the login, seven days after the login regardless of renewals.
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
        reply.contains(
          "account a: the login expired after seven days, as every login does while the app is in"))
      #expect(reply.contains("publish the app, then log in again: pabal account login a"))
    }
    #expect(try report().taken.count == hours)
    // No requests are sent for a dead login.
    #expect(try server.requests("/token").count == requests)
    #expect(transport.check().problem == .held(.transport))
    let status = test.account.status()
    #expect(status.state == .dead)
    #expect(status.cause?.contains("Testing") == true)
    #expect(status.guide == .publish)

    // After publishing and a new login, the open transport sends without a restart.
    try server.control(json: #"{"refresh_token_expires_in": null}"#)
    _ = try TestLogin(test).result.get()
    #expect(await transport.send(try Mail.sample()).outcome == .sent)
    #expect(test.account.status().state == .fresh)
  }
}
