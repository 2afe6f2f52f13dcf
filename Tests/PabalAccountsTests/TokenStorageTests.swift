import Foundation
import PabalCore
import PabalTesting
import Synchronization
import Testing

@testable import PabalAccounts

/// Tokens of a server that replaces each refresh token and ends the login if an old one is used again.
@Suite struct TokenStorageTests {
  private static let canMount =
    (try? ChildProcess.run("unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).status) == 0

  private static let rotating = ["rotate": true, "reuse_ends": true]

  /// A folder `tokens` in which nothing can be created, replaced or removed, until it is deinitialized.
  private final class LockedFolder: Sendable {
    let path: String

    /// Locks the folder, and the file `a.json` in it too unless `keepsFile`.
    init(_ test: TestAccount, keepsFile: Bool) throws {
      path = "\(test.folder.path)/tokens"
      // Root may write everywhere, so attributes of the file system stand in for permissions.
      let file = "\(path)/a.json"
      let run = try ChildProcess.run("chattr", ["+i", path] + (keepsFile ? [] : [file]))
      guard run.status == 0 else { throw TestError("chattr: \(run.errors)") }
    }

    deinit { _ = try? ChildProcess.run("chattr", ["-R", "-i", path]) }
  }

  private static let canFreeze: Bool = {
    guard let folder = try? TemporaryDirectory() else { return false }
    let run = try? ChildProcess.run(
      "sh", ["-c", "chattr +i \"$0\" && ! touch \"$0/x\" 2>/dev/null; chattr -i \"$0\"", folder.path])
    return run?.status == 0 && FileManager.default.fileExists(atPath: "\(folder.path)/x") == false
  }()

  private func events(_ test: inout TestAccount) throws -> EventLog {
    let log = EventLog()
    test.account = try TestAccount.open(
      #""provider": "google", "client": "credentials.json""#, in: test.folder,
      dependencies: test.time.dependencies.reporting { log.add($0) })
    return log
  }

  @Test(.enabled(if: canFreeze, "needs chattr"))
  func `in a folder that can't be written, the file is overwritten in place`() throws {
    let server = try AuthorizationServer(Self.rotating)
    var test = try TestAccount.loggedIn(to: server)
    let log = try events(&test)
    try withExtendedLifetime(LockedFolder(test, keepsFile: true)) {
      for _ in 0..<3 {
        test.time.advance(.seconds(3600))
        // As a new process.
        test.account.forget()
        _ = try test.account.accessToken(rejected: nil)
      }
    }
    #expect(log.events.isEmpty)
    #expect(test.account.status().storageProblem == nil)
    let stored = try StoredToken(SecretDocument.read("\(test.folder.path)/tokens/a.json", as: "x"))
    #expect(stored.refreshToken != nil)
    // The padding doesn't grow.
    #expect(try test.file().utf8.count == 4096)
  }

  @Test(.enabled(if: canFreeze, "needs chattr"))
  func `tokens that can't be stored are reported at once, and named when the login dies`() throws {
    let server = try AuthorizationServer(Self.rotating)
    var test = try TestAccount.loggedIn(to: server)
    let log = try events(&test)
    let locked = try LockedFolder(test, keepsFile: false)
    test.time.advance(.seconds(3600))
    _ = try test.account.accessToken(rejected: nil)
    #expect(
      log.events.contains { event in
        if case .unstored("a", let text) = event {
          text.contains("the server replaced the refresh token, but the new one can't be stored")
            && text.contains("tokens/a.json can't be written: Operation not permitted")
        } else {
          false
        }
      }, "\(log.events)")
    #expect(test.account.needsAttention)
    #expect(test.account.status().storageProblem?.contains("can't be written") == true)
    // This process keeps the new one, also when it reloads its configuration.
    test.time.advance(.seconds(3600))
    _ = try test.account.accessToken(rejected: nil)
    _ = try events(&test)
    test.time.advance(.seconds(3600))
    _ = try test.account.accessToken(rejected: nil)
    test.account.forget()
    test.time.advance(.seconds(3600))
    let said = try test.problem().held
    #expect(said.contains("a renewed refresh token can't be stored"), "\(said)")
    #expect(said.contains("can't be written: Operation not permitted"))
    #expect(!said.contains("Testing") && !said.contains("password"))
    withExtendedLifetime(locked) {}
  }

  @Test(.enabled(if: canFreeze, "needs chattr"))
  func `the cause is still named after the file has become writable`() throws {
    let server = try AuthorizationServer(Self.rotating)
    let test = try TestAccount.loggedIn(to: server)
    // Only the file is frozen, so that the state file can be written.
    let file = "\(test.folder.path)/tokens/a.json"
    #expect(try ChildProcess.run("chattr", ["+i", file]).status == 0)
    defer { _ = try? ChildProcess.run("chattr", ["-i", file]) }
    for _ in 0..<2 {
      test.time.advance(.seconds(3600))
      _ = try test.account.accessToken(rejected: nil)
    }
    #expect(try ChildProcess.run("chattr", ["-i", file]).status == 0)
    test.account.forget()
    #expect(test.account.status().notes.contains { $0.contains("couldn't be stored") })
    test.time.advance(.seconds(3600))
    let said = try test.problem().held
    #expect(
      said.contains("because a renewed refresh token couldn't be stored: \(file) can't be written"), "\(said)"
    )
    #expect(test.account.status().cause?.contains("couldn't be stored") == true)
  }

  @Test(.enabled(if: canFreeze, "needs chattr"))
  func `a service stores its tokens as soon as the file can be written again`() throws {
    let server = try AuthorizationServer(Self.rotating)
    var test = try TestAccount.loggedIn(to: server)
    _ = try events(&test)
    var locked: LockedFolder? = try LockedFolder(test, keepsFile: false)
    test.time.advance(.seconds(3600))
    #expect(test.account.refreshIfDue() == .seconds(60))
    #expect(test.account.attentionMessage()?.contains("the new one can't be stored") == true)
    withExtendedLifetime(locked) {}
    locked = nil
    #expect(test.account.refreshIfDue() > .seconds(60))
    #expect(!test.account.needsAttention)
    test.account.forget()
    test.time.advance(.seconds(3600))
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
  }

  @Test(.enabled(if: canFreeze, "needs chattr"))
  func `a check renews no token that couldn't be stored`() throws {
    let server = try AuthorizationServer(Self.rotating)
    let test = try TestAccount.loggedIn(to: server)
    let locked = try LockedFolder(test, keepsFile: false)
    test.account.storeEveryRenewal()
    try test.account.refreshNow()
    test.time.advance(.seconds(3600))
    #expect(throws: AccessTokenError.self) { try test.account.refreshNow() }
    #expect(try test.problem().held.contains("isn't renewed, because the answer couldn't be stored"))
    #expect(try server.requests("/token").count == 1)
    withExtendedLifetime(locked) {}
  }

  @Test(.enabled(if: canFreeze, "needs chattr"))
  func `a login that couldn't be stored ends before the browser opens`() throws {
    let server = try AuthorizationServer(Self.rotating)
    let test = try TestAccount.loggedIn(to: server)
    let locked = try LockedFolder(test, keepsFile: false)
    let login = TestLogin(test)
    #expect(login.failure.contains("tokens/a.json can't be written"), "\(login.failure)")
    #expect(login.url == "")
    withExtendedLifetime(locked) {}
  }

  @Test(.enabled(if: canMount, "needs to mount files"))
  func `a token file that is a mount of its own is overwritten in place, from login to logout`() throws {
    let server = try AuthorizationServer(Self.rotating)
    let test = try TestAccount.loggedIn(to: server)
    let folder = test.folder.path
    try test.folder.write(
      """
      {"transport": "t", "transports": {"t": {"plugin": "smtp", "account": "a"}}, "from": "a@example.com",
       "accounts": {"a": {"user": "user@example.com", "provider": "google", "client": "credentials.json"}}}
      """, to: "config.json")
    let expired = try test.file().replacing(
      #/"expiry": "[^"]*"/#, with: #""expiry": "2020-01-01T00:00:00Z""#)
    try TestAccount.write(expired, to: "real.json", in: test.folder)
    let run = try ChildProcess.run(
      "unshare",
      [
        "-m", "sh", "-c",
        "mount --bind real.json tokens/a.json && \"$0\" config.json a 1 --rejected && \"$0\" config.json a 1 --rejected",
        "\(BuiltProducts.directory)/token-client",
      ], directory: folder)
    #expect(run.status == 0 && run.output.ranges(of: "token ").count == 2, "\(run.output)\(run.errors)")
    let tokens = try server.requests("/token").compactMap { $0["refresh_token"] }
    #expect(Set(tokens).count == tokens.count && tokens.count >= 3)
    let stored = try StoredToken(SecretDocument.read("\(folder)/real.json", as: "x"))
    #expect(stored.refreshToken.map(tokens.contains) == false)
  }

  @Test func `the space for a token is reserved before the request`() throws {
    let folder = try TemporaryDirectory()
    let path = try folder.write("{}", to: "t.json")
    let prepared = try PreparedFile.prepare(path)
    #expect(prepared.method == .replacement)
    // The space is reserved.
    let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder.path)/.t.json.new")
    #expect((attributes[.size] as? Int ?? 0) >= 4096)
    try prepared.store(Array(#"{"a": 1}"#.utf8))
    #expect(try String(contentsOfFile: path, encoding: .utf8) == #"{"a": 1}"#)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/.t.json.new"))
  }

  @Test func `an abandoned preparation changes nothing`() throws {
    let folder = try TemporaryDirectory()
    let path = try folder.write(#"{"x": "y"}"#, to: "t.json")
    _ = try PreparedFile.prepare(path)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == #"{"x": "y"}"#)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["t.json"])
    _ = try PreparedFile.prepare("\(folder.path)/none.json")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["t.json"])
  }

  @Test func `logout removes the content behind links`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let folder = test.folder.path
    let refreshToken = try #require(
      try StoredToken(SecretDocument.read("\(folder)/tokens/a.json", as: "x")).refreshToken)
    let manager = FileManager.default
    try manager.createDirectory(atPath: "\(folder)/safe", withIntermediateDirectories: false)
    try manager.moveItem(atPath: "\(folder)/tokens/a.json", toPath: "\(folder)/safe/real.json")
    try manager.linkItem(atPath: "\(folder)/safe/real.json", toPath: "\(folder)/safe/second.json")
    try manager.createSymbolicLink(
      atPath: "\(folder)/safe/middle.json", withDestinationPath: "real.json")
    try manager.createSymbolicLink(
      atPath: "\(folder)/tokens/a.json", withDestinationPath: "../safe/middle.json")
    #expect(try test.account.logOut() == .revoked)
    let found = try ChildProcess.run(
      "grep", ["-rlF", "--", refreshToken, "\(folder)/safe", "\(folder)/tokens"])
    #expect(found.output == "")
    #expect(!manager.fileExists(atPath: "\(folder)/tokens/a.json"))
    #expect(!manager.fileExists(atPath: "\(folder)/safe/real.json"))
    #expect(test.account.status().cause?.contains("not logged in yet") == true)
    // The next login stores its tokens where the link leads.
    _ = try TestLogin(test).result.get()
    #expect(manager.fileExists(atPath: "\(folder)/safe/real.json"))
    #expect(
      try manager.destinationOfSymbolicLink(atPath: "\(folder)/tokens/a.json") == "../safe/middle.json")
  }

  @Test func `an empty token file counts as not logged in, and a login fills it`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    try TestAccount.write("", to: "tokens/a.json", in: test.folder)
    #expect(try test.problem().held.contains("not logged in yet"))
    _ = try TestLogin(test).result.get()
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
  }
}

/// The events that an account has reported.
final class EventLog: Sendable {
  private let list = Mutex<[AccountEvent]>([])

  var events: [AccountEvent] { list.withLock { $0 } }
  func add(_ event: AccountEvent) { list.withLock { $0.append(event) } }
}
