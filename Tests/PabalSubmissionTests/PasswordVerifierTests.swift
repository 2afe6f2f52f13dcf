import PabalFormats
import Synchronization
import Testing

@testable import PabalCore
@testable import PabalSubmission

/// Passwords: what is hashed, for whom, and when a login is refused before.
@Suite struct PasswordVerifierTests {
  /// Hash functions that count, and a clock that is set.
  private final class Fixture: Sendable {
    let hashed = Mutex<[PasswordHash]>([])
    let time = Mutex(0)

    func verifier(capacity: Int = 64) -> PasswordVerifier {
      PasswordVerifier(capacity: capacity, now: { self.time.withLock { $0 } }) { hash, password in
        self.hashed.withLock { $0.append(hash) }
        // The hash of a password is the password itself.
        return password
      }
    }
  }

  private let users = [
    SubmissionConfiguration.User(
      name: "printer", password: PasswordHash(logCost: 10, salt: Array(0..<16), hash: Array("right".utf8))),
    SubmissionConfiguration.User(
      name: "scanner", password: PasswordHash(logCost: 10, salt: Array(1..<17), hash: Array("also".utf8))),
  ]

  private func credentials(_ user: String, _ password: String, as authorization: String = "")
    -> SMTPCredentials
  {
    SMTPCredentials(authorization: authorization, user: user, password: Array(password.utf8))
  }

  private func isAccepted(_ result: PasswordVerifier.Result, _ name: String = "printer") -> Bool {
    if case .accepted(.user(name)) = result.answer { true } else { false }
  }

  private func isLimited(_ result: PasswordVerifier.Result) -> Bool {
    if case .limited = result.answer { true } else { false }
  }

  @Test func `scrypt has the values of RFC 7914`() throws {
    // RFC 7914, 12
    let hash = PasswordHash(logCost: 10, blockSize: 8, parallelism: 16, salt: Array("NaCl".utf8), hash: [])
    let derived = try #require(hash.derive(Array("password".utf8), count: 64))
    let expected =
      "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
    #expect(Hexadecimal.string(derived.span) == expected)
  }

  @Test func `a new hash accepts its password only, and has a salt of its own`() throws {
    let (first, second) = (PasswordHash.make(Array("secret".utf8)), PasswordHash.make(Array("secret".utf8)))
    #expect(first != second)
    let read = try #require(PasswordHash(first.text))
    #expect(read.derive(Array("secret".utf8)) == first.hash)
    #expect(read.derive(Array("Secret".utf8)) != first.hash)
  }

  @Test func `a right password is hashed once, until a reload`() async {
    let fixture = Fixture()
    let verifier = fixture.verifier()
    for _ in 0..<3 {
      #expect(
        isAccepted(
          await verifier.verify(credentials("printer", "right"), users: users, address: "a", limit: 2)))
    }
    #expect(fixture.hashed.withLock { $0.count } == 1)
    verifier.clear()
    #expect(
      isAccepted(await verifier.verify(credentials("printer", "right"), users: users, address: "a", limit: 2))
    )
    #expect(fixture.hashed.withLock { $0.count } == 2)
  }

  @Test func `a remembered password of a user doesn't outlive its hash`() async {
    let fixture = Fixture()
    let verifier = fixture.verifier()
    _ = await verifier.verify(credentials("printer", "right"), users: users, address: "a", limit: 9)
    let changed = SubmissionConfiguration.User(
      name: "printer", password: PasswordHash(logCost: 10, salt: Array(0..<16), hash: Array("other".utf8)))
    let result = await verifier.verify(
      credentials("printer", "right"), users: [changed], address: "a", limit: 9)
    #expect(!isAccepted(result))
  }

  @Test func `an unknown user costs a hash of the same parameters, and is never accepted`() async {
    let fixture = Fixture()
    let verifier = fixture.verifier()
    for password in ["right", String(repeating: "\0", count: 5)] {
      let result = await verifier.verify(credentials("nemo", password), users: users, address: "a", limit: 9)
      #expect(!isAccepted(result, "nemo"))
    }
    let hashed = fixture.hashed.withLock { $0 }
    #expect(hashed.count == 2)
    #expect(hashed.allSatisfy { $0.description == users[0].password.description })
  }

  @Test func `failures of an address end its logins for a minute, before anything is hashed`() async {
    let fixture = Fixture()
    let verifier = fixture.verifier()
    for number in 0..<3 {
      _ = await verifier.verify(credentials("printer", "\(number)"), users: users, address: "a", limit: 3)
    }
    #expect(fixture.hashed.withLock { $0.count } == 3)
    // Not even the right password is compared, because the answer would tell a right guess.
    let limited = await verifier.verify(credentials("printer", "right"), users: users, address: "a", limit: 3)
    #expect(isLimited(limited))
    #expect(limited.reachedLimit)
    let again = await verifier.verify(credentials("printer", "right"), users: users, address: "a", limit: 3)
    #expect(isLimited(again) && !again.reachedLimit)
    #expect(fixture.hashed.withLock { $0.count } == 3)
    // Others aren't affected.
    #expect(
      isAccepted(await verifier.verify(credentials("printer", "right"), users: users, address: "b", limit: 3))
    )
    fixture.time.withLock { $0 = 60_000 }
    #expect(
      isAccepted(await verifier.verify(credentials("printer", "right"), users: users, address: "a", limit: 3))
    )
  }

  @Test func `a remembered password doesn't let an address guess on`() async {
    let fixture = Fixture()
    let verifier = fixture.verifier()
    _ = await verifier.verify(credentials("printer", "right"), users: users, address: "a", limit: 1)
    _ = await verifier.verify(credentials("printer", "wrong"), users: users, address: "a", limit: 1)
    #expect(
      isLimited(await verifier.verify(credentials("printer", "right"), users: users, address: "a", limit: 1)))
  }

  @Test func `many guesses at once don't exceed the limit`() async {
    let fixture = Fixture()
    let verifier = fixture.verifier()
    let users = users
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<100 {
        group.addTask {
          _ = await verifier.verify(
            SMTPCredentials(authorization: "", user: "printer", password: Array("\(number)".utf8)),
            users: users,
            address: "a", limit: 10)
        }
      }
    }
    #expect(fixture.hashed.withLock { $0.count } <= 10)
  }

  @Test func `sessions with the same password wait for one hash`() async {
    let fixture = Fixture()
    let verifier = fixture.verifier()
    let users = users
    let accepted = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<64 {
        group.addTask {
          let result = await verifier.verify(
            SMTPCredentials(authorization: "", user: "printer", password: Array("right".utf8)), users: users,
            address: "a", limit: 2)
          if case .accepted = result.answer { return true }
          return false
        }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(accepted == 64)
    #expect(fixture.hashed.withLock { $0.count } == 1)
  }

  @Test func `a full queue refuses for now`() async {
    let fixture = Fixture()
    let verifier = fixture.verifier(capacity: 0)
    #expect(
      isLimited(await verifier.verify(credentials("printer", "right"), users: users, address: "a", limit: 9)))
    #expect(fixture.hashed.withLock { $0.isEmpty })
  }

  @Test func `a user acts only for itself`() async {
    let verifier = Fixture().verifier()
    let own = await verifier.verify(
      credentials("printer", "right", as: "printer"), users: users, address: "a", limit: 9)
    #expect(isAccepted(own))
    let other = await verifier.verify(
      credentials("printer", "right", as: "scanner"), users: users, address: "a", limit: 9)
    #expect(!isAccepted(other) && !isAccepted(other, "scanner"))
  }
}
