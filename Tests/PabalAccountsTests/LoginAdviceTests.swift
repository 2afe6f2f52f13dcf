import Foundation
import Glibc
import PabalCore
import PabalTesting
import Synchronization
import Testing

@testable import PabalAccounts

/// What a login that can't go on advises, and what it leaves alone.
@Suite struct LoginAdviceTests {
  private func account(_ server: AuthorizationServer, client: String? = nil) throws -> TestAccount {
    let folder = try TemporaryDirectory()
    try TestAccount.write(client ?? server.clientFile(), to: "credentials.json", in: folder)
    var surroundings = Surroundings.system
    let time = TestTime()
    surroundings.now = { time.now }
    surroundings.pause = time.surroundings.pause
    return try TestAccount(
      #""provider": "google", "client": "credentials.json""#, in: folder, surroundings: surroundings)
  }

  /// Holds the lock of an account's token file until it is let go.
  private final class Holder: Sendable {
    private let file: CInt

    init(_ test: TestAccount) throws {
      file = open("\(test.folder.path)/tokens/a.json.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      #expect(file >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0)
    }

    deinit { close(file) }
  }

  @Test func `without the lock no token is written, and it is said who to look for`() throws {
    let server = try AuthorizationServer()
    let test = try account(server)
    _ = try LoginRun(test).result.get()
    let before = try test.file()
    let held = HeldBox()
    let login = LoginRun(test) { url, _ in
      // Another process takes it while the person is at the browser.
      held.holder = try Holder(test)
      return [try LoginRun.open(url, language: "ko")]
    }
    #expect(
      login.failure.contains("another process has held \(test.folder.path)/tokens/a.json.lock for too long"))
    #expect(login.failure.contains("fuser -v"))
    #expect(login.fault == .passing)
    #expect(login.notices.contains { $0.contains("waiting for it") })
    #expect(login.page.contains("잠그고 있습니다"))
    #expect(try test.file() == before)
    let early = LoginRun(test)
    #expect(early.failure.contains("so nothing was begun"))
    #expect(early.url == "")
    let problem = #expect(throws: AccountProblem.self) { try test.account.logOut(onlyHere: true) }
    #expect(problem?.kind == .passing)
    #expect(try test.file() == before)
    held.holder = nil
    #expect(throws: Never.self) { try LoginRun(test).result.get() }
  }

  /// Carries what a browser's thread holds out of it.
  private final class HeldBox: Sendable {
    private let state = Mutex<Holder?>(nil)
    var holder: Holder? {
      get { state.withLock { $0 } }
      set { state.withLock { $0 = newValue } }
    }
  }

  @Test func `a port that is taken is no advice to a web client to use a port it hasn't registered`() throws {
    let server = try AuthorizationServer()
    let taken = server.port
    let spare = try LoopbackListener(port: nil, alsoIPv6: false, input: nil).port
    func client(_ addresses: String...) throws -> TestAccount {
      try account(server, client: server.clientFile("web", redirects: addresses))
    }
    let one = try client("http://127.0.0.1:\(taken)/")
    for port in [nil, UInt16(taken)] {
      let said = LoginRun(one, manner: LoginManner(opensBrowser: false, port: port)).failure
      #expect(said.contains("port \(taken) is taken by another program; end that program, or register"))
      #expect(!said.contains("leave it out"))
    }
    let two = try client("http://127.0.0.1:\(taken)/", "http://127.0.0.1:\(spare)/")
    #expect(LoginRun(two).failure.contains("use --port \(spare), which is registered too"))
    #expect(
      throws: Never.self
    ) {
      try LoginRun(two, manner: LoginManner(opensBrowser: false, port: spare, patience: .seconds(60))).result
        .get()
    }
    // Root's ports are no one's first choice.
    let low = try client("http://localhost", "http://127.0.0.1:\(spare)/")
    #expect(throws: Never.self) { try LoginRun(low).result.get() }
  }

  @Test func `who doesn't tick the email box is told to`() throws {
    let server = try AuthorizationServer(["granted": ["https://mail.google.com/", "openid"]])
    let manner = LoginManner(opensBrowser: false, patience: .seconds(60), confirmsUser: true)
    let login = LoginRun(try account(server), manner: manner)
    #expect(login.failure.contains("tick the email box"))
    #expect(login.page.contains("A box was not ticked"))
  }

  @Test func `each failure has the fault it is`() throws {
    let server = try AuthorizationServer()
    let test = try account(server)
    func fault(_ flow: String?) -> AccountProblem.Kind? {
      LoginRun(test, manner: LoginManner(opensBrowser: false, flow: flow, patience: .seconds(60))).fault
    }
    #expect(fault("foot") == .usage)
    #expect(fault("device") == .usage)
    try server.control(["consent": "deny"])
    #expect(fault(nil) == .refused)
    try server.control([
      "consent": "redirect", "faults": [["status": 503], ["status": 503], ["status": 503]],
    ])
    #expect(fault(nil) == .passing)
    let folder = try TemporaryDirectory()
    let none = try TestAccount(#""provider": "google", "token": "t.json""#, in: folder)
    #expect(LoginRun(none).fault == .configuration)
  }
}
