import Foundation
import Glibc
import PabalCore
import PabalTesting
import Synchronization
import Testing

@testable import PabalAccounts

/// The remedies of failed logins, and what they don't change.
@Suite struct LoginErrorTests {
  private func account(_ server: AuthorizationServer, client: String? = nil) throws -> TestAccount {
    let folder = try TemporaryDirectory()
    try TestAccount.write(client ?? server.clientFile(), to: "credentials.json", in: folder)
    var dependencies = AccountDependencies.system
    let time = TestTime()
    dependencies.now = { time.now }
    dependencies.pause = time.dependencies.pause
    return try TestAccount(
      #""provider": "google", "client": "credentials.json""#, in: folder, dependencies: dependencies)
  }

  /// Holds the lock of an account's token file until it is deinitialized.
  private final class LockHolder: Sendable {
    private let file: CInt

    init(_ test: TestAccount) throws {
      file = open("\(test.folder.path)/tokens/a.json.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      #expect(file >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0)
    }

    deinit { close(file) }
  }

  @Test func `without the lock no token is written, and the error says how to find its holder`() throws {
    let server = try AuthorizationServer()
    let test = try account(server)
    _ = try TestLogin(test).result.get()
    let before = try test.file()
    let holderBox = LockHolderBox()
    let login = TestLogin(test) { url, _ in
      // Another process locks the file while the person uses the browser.
      holderBox.holder = try LockHolder(test)
      return [try TestLogin.open(url, language: "ko")]
    }
    #expect(
      login.failure.contains("another process has locked \(test.folder.path)/tokens/a.json.lock for too long")
    )
    #expect(login.failure.contains("fuser -v"))
    #expect(login.errorKind == .transient)
    #expect(login.events.contains { $0.contains("waiting for another process") })
    #expect(login.page.contains("잠그고 있습니다"))
    #expect(try test.file() == before)
    let early = TestLogin(test)
    #expect(early.failure.contains("so the login wasn't started"))
    #expect(early.url == "")
    let problem = #expect(throws: AccountError.self) { try test.account.logOut(onlyHere: true) }
    #expect(problem?.kind == .transient)
    #expect(try test.file() == before)
    holderBox.holder = nil
    #expect(throws: Never.self) { try TestLogin(test).result.get() }
  }

  /// Passes a lock out of the browser's thread.
  private final class LockHolderBox: Sendable {
    private let state = Mutex<LockHolder?>(nil)
    var holder: LockHolder? {
      get { state.withLock { $0 } }
      set { state.withLock { $0 = newValue } }
    }
  }

  @Test func `a port in use leads to advice that a web client can follow`() throws {
    let server = try AuthorizationServer()
    let taken = server.port
    let spare = try LoopbackListener(port: nil, alsoIPv6: false, input: nil).port
    func client(_ addresses: String...) throws -> TestAccount {
      try account(server, client: server.clientFile("web", redirects: addresses))
    }
    let one = try client("http://127.0.0.1:\(taken)/")
    for port in [nil, UInt16(taken)] {
      let said = TestLogin(one, options: LoginOptions(opensBrowser: false, port: port)).failure
      #expect(said.contains("port \(taken) is in use by another program; stop that program, or register"))
      #expect(!said.contains("leave it out"))
    }
    let two = try client("http://127.0.0.1:\(taken)/", "http://127.0.0.1:\(spare)/")
    #expect(TestLogin(two).failure.contains("use --port \(spare), which is also registered"))
    #expect(
      throws: Never.self
    ) {
      try TestLogin(two, options: LoginOptions(opensBrowser: false, port: spare, timeout: .seconds(60)))
        .result
        .get()
    }
    // Ports reserved for root are not preferred.
    let low = try client("http://localhost", "http://127.0.0.1:\(spare)/")
    #expect(throws: Never.self) { try TestLogin(low).result.get() }
  }

  @Test func `an unselected email checkbox is reported`() throws {
    let server = try AuthorizationServer(["granted": ["https://mail.google.com/", "openid"]])
    let options = LoginOptions(opensBrowser: false, timeout: .seconds(60), confirmsUser: true)
    let login = TestLogin(try account(server), options: options)
    #expect(login.failure.contains("select the checkbox for the email address"))
    #expect(login.page.contains("A permission wasn't selected"))
  }

  @Test func `each failure has its kind`() throws {
    let server = try AuthorizationServer()
    let test = try account(server)
    func errorKind(_ flow: String?) -> AccountError.Kind? {
      TestLogin(test, options: LoginOptions(opensBrowser: false, flow: flow, timeout: .seconds(60))).errorKind
    }
    #expect(errorKind("foot") == .usage)
    #expect(errorKind("device") == .usage)
    try server.control(["consent": "deny"])
    #expect(errorKind(nil) == .refused)
    try server.control([
      "consent": "redirect", "faults": [["status": 503], ["status": 503], ["status": 503]],
    ])
    #expect(errorKind(nil) == .transient)
    let folder = try TemporaryDirectory()
    let none = try TestAccount(#""provider": "google", "token": "t.json""#, in: folder)
    #expect(TestLogin(none).errorKind == .configuration)
  }
}
