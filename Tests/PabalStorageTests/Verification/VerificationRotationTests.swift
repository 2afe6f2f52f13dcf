import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// Rotations of the master key while verifications are pending.
@Suite struct VerificationRotationTests {
  @Test func `verifications, proofs and limits continue after a rotation`() async throws {
    let folder = try TemporaryDirectory()
    let path = "\(folder.path)/pabal.sqlite"
    func open(_ keys: Keyring) throws -> (SQLiteDatabase, VerificationFixture) {
      let database = try SQLiteDatabase(path, keys: keys)
      var policy = VerificationPolicy()
      policy.failures = 5
      return (
        database,
        VerificationFixture(
          SQLiteVerificationStore(database), SQLiteOutbox(database), keys: keys, policy: policy)
      )
    }
    let first = try Keyring.loadOrCreate(directory: "\(folder.path)/keys")
    let (old, before) = try open(first)
    let checked = try await before.start("a@example.com")
    let resent = try await before.start("b@example.com")
    let replaced = try await before.start("c@example.com")
    let guessed = try await before.start("d@example.com")
    for step in 1...4 { _ = try await before.outcome(guessed.id, before.wrong(for: "d@example.com", step)) }
    let proven = try await before.start("e@example.com")
    let proof = try #require(
      try await before.service.check(proven.id, code: before.code(for: "e@example.com")).proof)
    old.close()

    let second = try Keyring.rotate(directory: "\(folder.path)/keys")
    let (new, after) = try open(second)
    defer { new.close() }
    #expect(try await after.outcome(checked.id, before.code(for: "a@example.com")) == .approved)
    await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
      try await after.service.resend(resent.id)
    }
    #expect(try await after.service.redeem(proof).address.description == "e@example.com")
    // The fifth consecutive wrong code blocks; four of them were counted under the previous key.
    #expect(
      try await after.outcome(guessed.id, before.wrong(for: "d@example.com", 5)) == .mismatch)
    await expectError(.limited(.failures, retryAfter: .seconds(600))) {
      try await after.start("d@example.com")
    }
    after.clock.advance(.seconds(60))
    #expect(try await after.service.resend(resent.id).generation == 2)
    #expect(try await after.outcome(resent.id, before.code(for: "b@example.com")) == .superseded)
    _ = try await after.start("c@example.com")
    #expect(try await after.service.status(replaced.id).state == .superseded)
  }

  @Test func `a running process notices a rotation`() async throws {
    let folder = try TemporaryDirectory()
    let (path, directory) = ("\(folder.path)/pabal.sqlite", "\(folder.path)/keys")
    let keys = try Keyring.loadOrCreate(directory: directory)
    let running = try SQLiteDatabase(path, keys: keys)
    defer { running.close() }
    let fixture = VerificationFixture(SQLiteVerificationStore(running), SQLiteOutbox(running), keys: keys)
    let before = try await fixture.start("a@example.com")

    let rotated = try Keyring.rotate(directory: directory)
    let other = try SQLiteDatabase(path, keys: rotated)
    defer { other.close() }
    let rotatedFixture = VerificationFixture(
      SQLiteVerificationStore(other), SQLiteOutbox(other), keys: rotated)
    let after = try await rotatedFixture.start("b@example.com")
    #expect(try await fixture.outcome(after.id, rotatedFixture.code(for: "b@example.com")) == .approved)
    await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
      try await fixture.start("b@example.com")
    }
    #expect(try await fixture.outcome(before.id, fixture.code(for: "a@example.com")) == .approved)
    #expect(keys.checkValue == rotated.checkValue)
  }

  @Test func `a rotation between loading the keys and opening the database is handled`() throws {
    let folder = try TemporaryDirectory()
    let (path, directory) = ("\(folder.path)/pabal.sqlite", "\(folder.path)/keys")
    let early = try Keyring.loadOrCreate(directory: directory)
    try SQLiteDatabase(path, keys: early).close()
    try SQLiteDatabase(path, keys: try Keyring.rotate(directory: directory)).close()
    try SQLiteDatabase(path, keys: early).close()
  }

  @Test func `without the previous key its data can't be opened`() async throws {
    let folder = try TemporaryDirectory()
    let path = "\(folder.path)/pabal.sqlite"
    let (first, second) = (MasterKey.random(), MasterKey.random())
    let before = Keyring(current: first)
    let old = try SQLiteDatabase(path, keys: before)
    let fixture = VerificationFixture(SQLiteVerificationStore(old), SQLiteOutbox(old), keys: before)
    let started = try await fixture.start()
    old.close()
    #expect(throws: StorageError(.wrongKey, place: path)) {
      try SQLiteDatabase(path, keys: Keyring(current: second))
    }
    try SQLiteDatabase(path, keys: Keyring(current: second, previous: [first])).close()
    // The file belongs to the second key now.
    let keys = Keyring(current: second)
    let new = try SQLiteDatabase(path, keys: keys)
    defer { new.close() }
    let after = VerificationFixture(SQLiteVerificationStore(new), SQLiteOutbox(new), keys: keys)
    await expectError(.keys(.unknownKey)) { try await after.outcome(started.id, fixture.code()) }
  }
}
