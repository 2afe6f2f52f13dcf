import Foundation
import PabalCore
import PabalTesting
import Synchronization
import Testing

@testable import PabalAccounts

@Suite struct TokenRefreshTests {
  @Test func `a token stored by Google's library is used until shortly before its expiry`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let stored = try #require(
      try JSONSerialization.jsonObject(with: Data(test.file().utf8)) as? [String: Any])
    let token = try test.account.accessToken(rejected: nil)
    #expect(token.text == stored["token"] as? String)
    #expect(try server.requests("/token").count == 1)

    test.time.advance(.seconds(3599 - 226))
    _ = try test.account.accessToken(rejected: nil)
    #expect(try server.requests("/token").count == 1)
    test.time.advance(.seconds(2))
    #expect(try test.account.accessToken(rejected: nil).text != token.text)
    let forms = try server.requests("/token")
    #expect(forms.map { $0["grant_type"] } == ["authorization_code", "refresh_token"])
    #expect(forms[1]["client_secret"] == AuthorizationServer.clientSecret)
    #expect(try test.mode("tokens/a.json") == 0o600)
  }

  @Test func `Google's library reads the renewed file`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    let token = try test.account.accessToken(rejected: nil)
    let script = """
      import sys
      from google.oauth2.credentials import Credentials
      credentials = Credentials.from_authorized_user_file(sys.argv[1])
      print(credentials.token, credentials.expiry.isoformat(), credentials.valid, credentials.scopes)
      """
    let read = try GooglePython.python(["-c", script, "\(test.folder.path)/tokens/a.json"])
    let expiry = try #require(token.expiresIn).components.seconds
    let end = (test.time.now + .seconds(expiry)).description.dropLast()
    #expect(read == "\(token.text) \(end) True ['https://mail.google.com/']\n")
  }

  @Test func `a rejected token is renewed once for all threads`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let first = try test.account.accessToken(rejected: nil).text
    let second = try test.account.accessToken(rejected: first).text
    #expect(second != first)
    #expect(try test.account.accessToken(rejected: first).text == second)
    #expect(try server.requests("/token").count == 2)
  }
}

/// The refresher of a running service, with a clock that advances by each sleep.
@Suite struct TokenRefresherTests {
  /// Runs a refresher until it has slept `sleeps` times; returns its sleeps and log lines.
  private func runRefresher(
    _ test: TestAccount, sleeps: Int, after: @escaping @Sendable (Int) throws -> Void = { _ in }
  ) async throws -> (sleeps: [Duration], lines: [String], test: TestAccount) {
    let slept = Mutex<[Duration]>([])
    let lines = Mutex<[String]>([])
    var dependencies = test.time.dependencies
    dependencies.sleep = { duration in
      let count = slept.withLock { slept in
        slept.append(duration)
        return slept.count
      }
      guard count < sleeps else { throw CancellationError() }
      test.time.advance(duration)
      try after(count)
    }
    var other = test
    other.account = try TestAccount.open(
      #""provider": "google", "client": "credentials.json""#, in: test.folder, dependencies: dependencies)
    await TokenRefresher([other.account]) { line in lines.withLock { $0.append(line) } }.run()
    return (slept.withLock { $0 }, lines.withLock { $0 }, other)
  }

  @Test func `a refresher sleeps between renewals and logs nothing`() async throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let run = try await runRefresher(test, sleeps: 30)
    #expect(run.lines == [])
    #expect(run.sleeps.allSatisfy { $0 >= .seconds(60) && $0 <= .seconds(3600) })
    #expect(try server.requests("/token").count <= 31)
    #expect(
      try #require(try run.test.account.accessToken(rejected: nil).expiresIn) > OAuthAccount.expiryMargin)
  }

  @Test func `a network failure is logged once, retried less and less often, and its end is logged`()
    async throws
  {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    try server.control(["faults": Array(repeating: ["drop": true], count: 3 * 7)])
    let run = try await runRefresher(test, sleeps: 9)
    let failing = run.sleeps.prefix { $0 < .seconds(1000) }.map { $0 / .seconds(1) }
    for (wait, wanted) in zip(failing, [60.0, 120, 240, 480, 600, 600, 600]) {
      #expect(abs(wait - wanted) <= wanted / 10)
    }
    #expect(failing.count == 7)
    #expect(run.lines.count == 2)
    #expect(run.lines.first?.hasPrefix("account a: the connection to 127.0.0.1 failed") == true)
    #expect(run.lines.last == "account a: its tokens are renewed again")
  }

  @Test func `a dead account is logged once with its cause, and a new login is detected`() async throws {
    let server = try AuthorizationServer([
      "dead": ["error": "invalid_grant", "description": "Token has been expired or revoked."]
    ])
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    let folder = test.folder
    let run = try await runRefresher(test, sleeps: 6) { count in
      guard count == 4 else { return }
      // One request, after which only the file is checked.
      #expect(try server.requests("/token").filter { $0["grant_type"] == "refresh_token" }.count == 1)
      try server.control(json: #"{"dead": null}"#)
      try TestAccount.write(try server.googleToken(in: folder), to: "tokens/a.json", in: folder)
    }
    #expect(run.sleeps.prefix(4).allSatisfy { $0 == .seconds(60) })
    #expect(run.lines.count == 2)
    #expect(run.lines.first?.hasPrefix("account a: Google ended the login (invalid_grant") == true)
    #expect(run.lines.last == "account a: its tokens are renewed again")
    let secrets = try server.requests("/token").compactMap { $0["refresh_token"] }
    for secret in secrets { #expect(!run.lines.joined().contains(secret)) }
  }

  @Test func `an expiring login is logged at first and on its last day`() async throws {
    let server = try AuthorizationServer(["refresh_token_expires_in": 26 * 3600])
    let folder = try TemporaryDirectory()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let test = try TestAccount(#""provider": "google", "client": "credentials.json""#, in: folder)
    _ = try TestLogin(test).result.get()
    let run = try await runRefresher(test, sleeps: 36) { _ in
      try server.control(["clock": Int((test.time.now - Timestamp.now()).components.seconds)])
    }
    #expect(run.lines.count == 3)
    #expect(run.lines.first?.contains("the login expires at") == true)
    #expect(run.lines.dropFirst().first?.contains("within a day; log in again") == true)
    #expect(run.lines.last?.contains("a limited time") == true)
  }

  @Test func `a refresher ends when its task is cancelled, and at once without accounts`() async throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let began = AsyncStream<Void>.makeStream()
    var dependencies = test.time.dependencies
    dependencies.sleep = { _ in
      began.continuation.yield()
      try await Task.sleep(for: .seconds(3600))
    }
    let account = try TestAccount.open(
      #""provider": "google", "client": "credentials.json""#, in: test.folder, dependencies: dependencies)
    let task = Task { await TokenRefresher([account]) { _ in }.run() }
    for await _ in began.stream { break }
    task.cancel()
    await task.value
    await TokenRefresher([]) { _ in }.run()
  }
}
