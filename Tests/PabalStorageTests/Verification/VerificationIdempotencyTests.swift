import Foundation
import PabalCore
import PabalStorage
import PabalTesting
import Synchronization
import Testing

/// What every store keeps to where a request comes twice.
@Suite struct VerificationIdempotencyTests {
  typealias Backend = VerificationBackend

  private func key(_ key: String, client: String = "shop", _ payload: [UInt8] = [1]) throws -> IdempotencyKey
  {
    try #require(IdempotencyKey(key, client: client, payload: payload))
  }

  @Test(arguments: Backend.allCases)
  func `a start that comes again gives the verification as it is now, and costs nothing`(
    _ backend: Backend
  ) async throws {
    try await backend.withFixture { fixture in
      let key = try key("k")
      let first = try await fixture.service.start(
        to: "kim@example.com", client: "192.0.2.1", idempotencyKey: key)
      #expect(!first.isReplay)
      for _ in 0..<20 {
        let again = try await fixture.service.start(
          to: "kim@example.com", client: "192.0.2.1", idempotencyKey: key)
        #expect(again.isReplay && again.value == first.value)
      }
      #expect(try await fixture.outbox.read(OutboxQuery()).entries.count == 1)
      #expect(fixture.composer.all.count == 1)
      // Neither the cooldown nor the client's ten starts have heard of them.
      fixture.clock.advance(.seconds(60))
      _ = try await fixture.start(client: "192.0.2.1")
      let replaced = try await fixture.service.start(to: "kim@example.com", idempotencyKey: key)
      #expect(replaced.isReplay && replaced.value.id == first.value.id && replaced.value.state == .superseded)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a key is its client's and its operation's, and of one payload`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.cooldown = .zero }) { fixture in
      let first = try await fixture.service.start(to: "kim@example.com", idempotencyKey: try key("k"))
      await expectError(.reused) {
        try await fixture.service.start(to: "lee@example.com", idempotencyKey: key("k", [2]))
      }
      let other = try await fixture.service.start(
        to: "lee@example.com", idempotencyKey: try key("k", client: "bank", [2]))
      #expect(!other.isReplay && other.value.id != first.value.id)
      let resent = try await fixture.service.resend(first.value.id, idempotencyKey: try key("k"))
      #expect(!resent.isReplay && resent.value.generation == 2)
      await expectError(.reused) {
        try await fixture.service.resend(other.value.id, idempotencyKey: key("k"))
      }
      #expect(try await fixture.outbox.read(OutboxQuery()).entries.count == 3)
      // What looks alike in one row of bytes is not the same.
      for (name, client) in [("ab", "c"), ("b", "ca"), ("c", "ab")] {
        let next = try await fixture.service.start(
          to: "x@example.com", idempotencyKey: try key(name, client: client))
        #expect(!next.isReplay)
        if name == "ab" { fixture.clock.advance(.seconds(1)) }
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a resend that comes again sends nothing, whatever became of it since`(_ backend: Backend) async throws
  {
    try await backend.withFixture { fixture in
      let id = try await fixture.start().id
      fixture.clock.advance(.seconds(60))
      let key = try key("k")
      let first = try await fixture.service.resend(id, idempotencyKey: key)
      let again = try await fixture.service.resend(id, idempotencyKey: key)
      #expect(again.isReplay && again.value == first.value)
      #expect(try await fixture.outcome(id, fixture.code()) == .approved)
      let late = try await fixture.service.resend(id, idempotencyKey: key)
      #expect(late.isReplay && late.value.state == .approved && late.value.generation == 2)
      #expect(try await fixture.outbox.read(OutboxQuery()).entries.count == 2)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a request that was refused leaves its key as new as it was`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let live = try await fixture.start()
      let key = try key("k")
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
        try await fixture.service.start(to: "kim@example.com", idempotencyKey: key)
      }
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
        try await fixture.service.resend(live.id, idempotencyKey: key)
      }
      await #expect(throws: VerificationError.self) {
        try await fixture.service.start(to: "kim", idempotencyKey: key)
      }
      await #expect(throws: VerificationError.self) {
        try await fixture.service.start(to: "a@example.com", message: "broken", idempotencyKey: key)
      }
      fixture.clock.advance(.seconds(60))
      #expect(try await !fixture.service.resend(live.id, idempotencyKey: key).isReplay)
      fixture.clock.advance(.seconds(60))
      #expect(try await !fixture.service.start(to: "kim@example.com", idempotencyKey: key).isReplay)
    }
  }

  @Test(arguments: Backend.allCases)
  func `of the same start a hundred times at once one is made`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.cooldown = .zero }) { fixture in
      let key = try key("k")
      let answers = try await withThrowingTaskGroup(of: IdempotentResult<Verification>.self) { group in
        for _ in 0..<100 {
          group.addTask { try await fixture.service.start(to: "kim@example.com", idempotencyKey: key) }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(answers.filter { !$0.isReplay }.count == 1)
      #expect(Set(answers.map(\.value.id)).count == 1)
      #expect(try await fixture.outbox.read(OutboxQuery()).entries.count == 1)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a key is remembered for a day, whether it is swept out then or not`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let key = try key("k")
      let first = try await fixture.service.start(to: "kim@example.com", idempotencyKey: key)
      fixture.clock.advance(.seconds(86_399))
      _ = try await fixture.service.sweep()
      #expect(
        try await fixture.service.start(to: "kim@example.com", idempotencyKey: key).value.id == first.value.id
      )
      fixture.clock.advance(.seconds(1))
      let second = try await fixture.service.start(to: "kim@example.com", idempotencyKey: key)
      #expect(!second.isReplay && second.value.id != first.value.id)
      // The new one is as long-lived as the first was.
      fixture.clock.advance(.seconds(86_399))
      _ = try await fixture.service.sweep()
      #expect(
        try await fixture.service.start(to: "kim@example.com", idempotencyKey: key).value.id
          == second.value.id)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a clock that is set back neither forgets a key nor keeps it for ever`(_ backend: Backend) async throws
  {
    try await backend.withFixture({ $0.cooldown = .zero }) { fixture in
      let key = try key("k")
      let first = try await fixture.service.start(to: "kim@example.com", idempotencyKey: key)
      fixture.clock.advance(.seconds(-30 * 86_400))
      #expect(
        try await fixture.service.start(to: "kim@example.com", idempotencyKey: key).value.id == first.value.id
      )
      _ = try await fixture.service.sweep()
      fixture.clock.advance(.seconds(86_399))
      #expect(try await fixture.service.start(to: "kim@example.com", idempotencyKey: key).isReplay)
      fixture.clock.advance(.seconds(1))
      #expect(try await !fixture.service.start(to: "kim@example.com", idempotencyKey: key).isReplay)
    }
  }

  @Test func `swept keys leave nothing behind, a few at a time`() async throws {
    let folder = try TemporaryDirectory()
    let keys = Keyring(current: .random())
    let database = try SQLiteDatabase("\(folder.path)/pabal.sqlite", keys: keys)
    defer { database.close() }
    let fixture = VerificationFixture(SQLiteVerificationStore(database), SQLiteOutbox(database), keys: keys)
    for number in 0..<10 {
      _ = try await fixture.service.start(to: "\(number)@example.com", idempotencyKey: try key("\(number)"))
    }
    fixture.clock.advance(.seconds(86_400))
    let now = fixture.clock.now
    var rounds = 1
    while try await fixture.store.sweepRequests(at: now, limit: 4) { rounds += 1 }
    #expect(rounds == 3)
    #expect(try await !fixture.service.start(to: "0@example.com", idempotencyKey: try key("0")).isReplay)
  }

  @Test func `a key outlives a rotation of the master key`() async throws {
    let folder = try TemporaryDirectory()
    let directory = "\(folder.path)/keys"
    let first = try Keyring.loadOrCreate(directory: directory)
    let database = try SQLiteDatabase("\(folder.path)/pabal.sqlite", keys: first)
    defer { database.close() }
    let fixture = VerificationFixture(SQLiteVerificationStore(database), SQLiteOutbox(database), keys: first)
    let before = try await fixture.service.start(to: "kim@example.com", idempotencyKey: try key("k"))
    let second = try Keyring.rotate(directory: directory)
    for keys in [first, second] {
      let fixture = VerificationFixture(SQLiteVerificationStore(database), SQLiteOutbox(database), keys: keys)
      #expect(
        try await fixture.service.start(to: "kim@example.com", idempotencyKey: try key("k")).value.id
          == before.value.id)
      await expectError(.reused) {
        try await fixture.service.start(to: "kim@example.com", idempotencyKey: key("k", [2]))
      }
    }
  }

  @Test func `a key of no octets or too many is none`() {
    #expect(IdempotencyKey("", client: "shop", payload: []) == nil)
    #expect(IdempotencyKey(String(repeating: "k", count: 256), client: "shop", payload: []) == nil)
    #expect(IdempotencyKey(String(repeating: "k", count: 255), client: "", payload: []) != nil)
  }
}

/// What holds of idempotency keys whenever a process dies.
@Suite struct IdempotencyCrashTests {
  private static let keys = 300
  private static let kills = 30

  /// Starts a process that uses every key, kills it after so many answers (`nil`: never), and gives what it said.
  private static func runProgram(_ folder: String, killedAfter count: Int?) throws -> [Substring] {
    let output = Pipe()
    let process = try SpawnedProcess(
      "\(BuiltProducts.directory)/verification-client",
      ["\(folder)/pabal.sqlite", "\(folder)/keys", "once", "shop", "\(keys)"], output: .pipe(output))
    var said = Data()
    while said.count(where: { $0 == 10 }) < count ?? .max {
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { break }
      said += more
    }
    if count != nil { process.signal(SIGKILL) }
    process.wait()
    // The last line may have been cut off.
    let lines = String(decoding: said, as: UTF8.self)
    return lines.prefix(lines.lastIndex(of: "\n").map { lines.distance(from: lines.startIndex, to: $0) } ?? 0)
      .split(separator: "\n")
  }

  @Test func `kill -9 at any moment leaves no key with two verifications or mails`() async throws {
    let folder = try TemporaryDirectory()
    let path = folder.path
    let said = await mapOnThreads([Self.kills]) { kills in
      Result {
        var lines: [Substring] = []
        for _ in 0..<kills { lines += try Self.runProgram(path, killedAfter: Int.random(in: 1...40)) }
        return lines + (try Self.runProgram(path, killedAfter: nil))
      }
    }
    var made: [Substring: Set<Substring>] = [:]
    let lines = try said.flatMap { try $0.get() }
    for line in lines {
      let words = line.split(separator: " ")
      try #require(words.count == 2, "\(line)")
      made[words[0], default: []].insert(words[1])
    }
    #expect(made.count == Self.keys)
    #expect(made.values.allSatisfy { $0.count == 1 })
    let database = try SQLiteDatabase(
      "\(path)/pabal.sqlite", keys: try Keyring.loadOrCreate(directory: "\(path)/keys"))
    defer { database.close() }
    let mails = try await SQLiteOutbox(database).read(OutboxQuery(limit: 10_000)).entries
    // One for each, none of which a second start has superseded.
    #expect(mails.count == Self.keys && mails.allSatisfy { $0.state == .waiting })
  }
}
