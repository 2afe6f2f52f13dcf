import Foundation
import PabalCore
import PabalTesting
import Synchronization
import Testing

@testable import PabalAccounts

/// A clock that moves only when advanced, and a sleep that advances it.
final class TestTime: Sendable {
  private let state = Mutex((now: Timestamp.now(), pauses: [Duration]()))

  var now: Timestamp { state.withLock(\.now) }
  var pauses: [Duration] { state.withLock(\.pauses) }
  func advance(_ duration: Duration) { state.withLock { $0.now = $0.now + duration } }

  var dependencies: AccountDependencies {
    AccountDependencies(
      now: { self.now },
      pause: { duration in
        self.state.withLock { state in
          state.pauses.append(duration)
          state.now = state.now + duration
        }
      }, random: { Array(repeating: 128, count: $0) })
  }
}

/// An account `a` in a configuration of its own.
struct TestAccount {
  let folder: TemporaryDirectory
  var time = TestTime()
  var account: OAuthAccount

  /// Creates an account; `entry` are its members in JSON, without `user`.
  init(
    _ entry: String, in folder: TemporaryDirectory, plugin: String = "smtp",
    dependencies: AccountDependencies? = nil
  ) throws {
    self.folder = folder
    account = try Self.open(
      entry, in: folder, plugin: plugin, dependencies: dependencies ?? time.dependencies)
  }

  static func open(
    _ entry: String, in folder: TemporaryDirectory, plugin: String = "smtp", dependencies: AccountDependencies
  ) throws -> OAuthAccount {
    let text = """
      {"transport": "t", "transports": {"t": {"plugin": "\(plugin)", "account": "a"}}, "from": "a@example.com",
       "accounts": {"a": {"user": "user@example.com", \(entry)}}}
      """
    let configuration = try Configuration.read(
      Array(text.utf8), file: "config.json", directory: folder.path,
      providers: oauthProviders(dependencies: dependencies))
    return try #require(try Accounts(configuration).account("a") as? OAuthAccount)
  }

  /// Returns a `google` account that was logged in with Google's library.
  static func loggedIn(to server: AuthorizationServer, scopes: [String] = ["https://mail.google.com/"]) throws
    -> TestAccount
  {
    let folder = try TemporaryDirectory()
    try write(try server.googleToken(scopes: scopes, in: folder), to: "tokens/a.json", in: folder)
    try write(server.clientFile(), to: "credentials.json", in: folder)
    return try TestAccount(#""provider": "google", "client": "credentials.json""#, in: folder)
  }

  static func write(_ text: String, to name: String, in folder: TemporaryDirectory) throws {
    let path = try folder.write(text, to: name)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
  }

  func file(_ name: String = "tokens/a.json") throws -> String {
    try String(contentsOfFile: "\(folder.path)/\(name)", encoding: .utf8)
  }

  func mode(_ name: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder.path)/\(name)")
    return (attributes[.posixPermissions] as? Int ?? 0) & 0o777
  }

  /// Returns the error of a request for a token; fails if there is a token.
  func problem(rejected: String? = nil) throws -> AccessTokenError {
    do throws(AccessTokenError) {
      let token = try account.accessToken(rejected: rejected)
      throw AccessTokenError.deferred("got a token, valid for \(token.expiresIn.map { "\($0)" } ?? "ever")")
    } catch {
      return error
    }
  }
}

extension AccessTokenError {
  /// The reason of a `held`.
  var held: String {
    get throws {
      guard case .held(let reason, _) = self else { throw TestError("not held: \(self)") }
      return reason
    }
  }

  /// The reason of a `deferred`.
  var deferred: String {
    get throws {
      guard case .deferred(let reason, _) = self else { throw TestError("not deferred: \(self)") }
      return reason
    }
  }
}
