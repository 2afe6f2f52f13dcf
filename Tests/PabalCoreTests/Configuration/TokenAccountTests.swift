import Foundation
import Synchronization
import Testing

@testable import PabalCore

@Suite struct TokenAccountTests {
  private func account(
    _ source: SecretSource, _ environment: @escaping @Sendable (String) -> String? = { _ in nil }
  )
    -> TokenAccount
  {
    TokenAccount(
      user: "a@example.com",
      token: ConfiguredValue(
        .secret(source), at: SettingLocation(path: "accounts.g.token"),
        access: SecretAccess(environment: environment, commandTimeout: .milliseconds(100))))
  }

  private func problem(_ account: TokenAccount, rejected: String? = nil) -> AccessTokenError? {
    #expect(throws: AccessTokenError.self) { try account.accessToken(rejected: rejected) }
  }

  @Test func `a token is fetched once and cached`() throws {
    let fetches = Atomic(0)
    let account = account(.environment("T")) { _ in "t\(fetches.add(1, ordering: .relaxed).newValue)" }
    #expect(fetches.load(ordering: .relaxed) == 0)
    for _ in 0..<3 { #expect(try account.accessToken(rejected: nil).text == "t1") }
    #expect(try account.accessToken(rejected: nil).expiresIn == nil)
    #expect(fetches.load(ordering: .relaxed) == 1)
  }

  @Test func `a rejected token is fetched again, unless a newer one is cached`() throws {
    let fetches = Atomic(0)
    let account = account(.environment("T")) { _ in "t\(fetches.add(1, ordering: .relaxed).newValue)" }
    #expect(try account.accessToken(rejected: nil).text == "t1")
    #expect(try account.accessToken(rejected: "t1").text == "t2")
    #expect(try account.accessToken(rejected: "t1").text == "t2")
    #expect(try account.accessToken(rejected: "t0").text == "t2")
    #expect(fetches.load(ordering: .relaxed) == 2)
  }

  @Test func `an unchanged token is held until the next attempt`() throws {
    let fetches = Atomic(0)
    let token = Mutex("old")
    let account = account(.environment("T")) { _ in
      fetches.add(1, ordering: .relaxed)
      return token.withLock(\.self)
    }
    let held = AccessTokenError.held(
      "accounts.g.token: the server rejected the token, and fetching it again returned the same one; renew it"
    )
    #expect(try account.accessToken(rejected: nil).text == "old")
    #expect(problem(account, rejected: "old") == held)
    // Another mail reports the same token, whose result is known.
    #expect(problem(account, rejected: "old") == held)
    #expect(fetches.load(ordering: .relaxed) == 2)
    token.withLock { $0 = "new" }
    #expect(try account.accessToken(rejected: nil).text == "new")
    #expect(fetches.load(ordering: .relaxed) == 3)
  }

  @Test func `a token that was rejected by mistake can be used again`() throws {
    let account = account(.environment("T")) { _ in "t" }
    #expect(try account.accessToken(rejected: nil).text == "t")
    _ = problem(account, rejected: "t")
    #expect(try account.accessToken(rejected: nil).text == "t")
  }

  @Test(arguments: ["x9 y9", " x9", "Bearer x9", "토큰", "a\u{7F}", "a\nb", "{\n\"x\": 1}"])
  func `an invalid token is held`(token: String) {
    guard case .held(let reason, nil) = problem(account(.environment("T")) { _ in token }) else {
      return #expect(Bool(false), "not held")
    }
    #expect(!reason.contains(token))
  }

  @Test(arguments: ["ya29.a0Af_H~-+/=", "EwB4A8l6*!$", "!~"])
  func `every valid character of a token is accepted`(token: String) throws {
    #expect(try account(.environment("T")) { _ in token }.accessToken(rejected: nil).text == token)
  }

  @Test func `an error that a person must correct is held, a transient one is deferred`() throws {
    #expect(
      problem(account(.environment("T")))
        == .held("accounts.g.token: environment variable T is not set; set it with export T=…"))
    #expect(
      problem(account(.command(["false"])))
        == .held(
          "accounts.g.token: the command 'false' ended with status 1; run it by hand to see why; if it needs variables, name them in \"environment\""
        ))
    try TemporaryFolder.with { folder in
      let pipe = folder.path("pipe")
      #expect(mkfifo(pipe, 0o600) == 0)
      #expect(
        problem(account(.command(["cat", pipe])))
          == .deferred(
            "accounts.g.token: the command 'cat' didn't end within 100ms; run it by hand to see whether it waits for input"
          ))
    }
  }

  @Test func `a failure isn't cached for the next attempt`() throws {
    let token = Mutex<String?>(nil)
    let account = account(.environment("T")) { _ in token.withLock(\.self) }
    _ = problem(account)
    token.withLock { $0 = "t" }
    #expect(try account.accessToken(rejected: nil).text == "t")
  }

  @Test func `the command runs once for 64 threads with the same rejected token`() throws {
    try TemporaryFolder.with { folder in
      let runs = try folder.write("runs", "")
      // Each run appends a line, and the token is the number of lines.
      let script = "echo run >> '\(runs)'; wc -l < '\(runs)' | tr -d ' '"
      let account = TokenAccount(
        user: "a@example.com",
        token: ConfiguredValue(
          .secret(.command(["sh", "-c", script])), at: SettingLocation(path: "accounts.g.token")))
      #expect(try account.accessToken(rejected: nil).text == "1")
      #expect(
        Self.mapOnThreads(64) { try? account.accessToken(rejected: "1").text }
          == Array(repeating: "2", count: 64))
      #expect(try String(contentsOfFile: runs, encoding: .utf8) == "run\nrun\n")
    }
  }

  @Test func `a command that prints the rejected token again runs once for 64 threads, and all are held`()
    throws
  {
    try TemporaryFolder.with { folder in
      let runs = try folder.write("runs", "")
      let account = TokenAccount(
        user: "a@example.com",
        token: ConfiguredValue(
          .secret(.command(["sh", "-c", "echo run >> '\(runs)'; echo same"])),
          at: SettingLocation(path: "accounts.g.token")))
      #expect(try account.accessToken(rejected: nil).text == "same")
      let results = Self.mapOnThreads(64) { try? account.accessToken(rejected: "same").text }
      #expect(results == Array(repeating: nil, count: 64))
      #expect(try String(contentsOfFile: runs, encoding: .utf8) == "run\nrun\n")
    }
  }

  /// Returns the results of `body` on `count` threads that start together.
  private static func mapOnThreads(_ count: Int, _ body: @escaping @Sendable () -> String?) -> [String?] {
    let results = Results()
    let (ready, done) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    for _ in 0..<count {
      Thread {
        ready.wait()
        let result = body()
        results.all.withLock { $0.append(result) }
        done.signal()
      }.start()
    }
    for _ in 0..<count { ready.signal() }
    for _ in 0..<count { done.wait() }
    return results.all.withLock(\.self)
  }

  private final class Results: Sendable {
    let all = Mutex<[String?]>([])
  }

  @Test func `an account is opened once for all transports`() throws {
    let fetches = Atomic(0)
    let configuration = try Configuration.read(
      Array(
        """
        {"transport": "a", "transports": {"a": {"plugin": "a"}}, "from": "a@b.c",
         "accounts": {"google": {"provider": "token", "user": {"env": "U"}, "token": {"env": "T"}}}}
        """.utf8), file: "config.json", directory: "/",
      secrets: SecretAccess(environment: { "\($0)\(fetches.add(1, ordering: .relaxed).newValue)" }))
    let accounts = Accounts(configuration)
    #expect(fetches.load(ordering: .relaxed) == 0)
    #expect(try accounts.account("google").user == "U1")
    #expect(try accounts.account("google").accessToken(rejected: nil).text == "T2")
    #expect(try accounts.account("google").accessToken(rejected: nil).text == "T2")
    let problem = #expect(throws: Diagnostic.self) { try accounts.account("gogle") }
    #expect(problem?.description == "error: unknown account 'gogle'; did you mean 'google'?")
  }
}
