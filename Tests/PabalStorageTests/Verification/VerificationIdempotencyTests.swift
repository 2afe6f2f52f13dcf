import Foundation
import PabalCore
import PabalStorage
import PabalTesting
import Synchronization
import Testing

/// The contract of every verification store for repeated requests.
@Suite struct VerificationIdempotencyTests {
  typealias Backend = VerificationBackend

  private func key(_ key: String, client: String = "shop", _ payload: [UInt8] = [1]) throws -> IdempotencyKey
  {
    try #require(IdempotencyKey(key, client: client, payload: payload))
  }

  @Test(arguments: Backend.allCases)
  func `a repeated start returns the verification in its current state and counts nothing`(
    _ backend: Backend
  ) async throws {
    try await backend.withFixture { fixture in
      let key = try key("k")
      let first = try await fixture.service.start(
        to: "kim@example.com", client: "192.0.2.1", idempotencyKey: key)
      #expect(!first.isReplay)
      for _ in 0..<20 {
        let repeated = try await fixture.service.start(
          to: "kim@example.com", client: "192.0.2.1", idempotencyKey: key)
        #expect(repeated.isReplay && repeated.value == first.value)
      }
      #expect(try await fixture.outbox.read(OutboxQuery()).entries.count == 1)
      #expect(fixture.composer.all.count == 1)
      // The repeated starts counted neither towards the cooldown nor towards the client's ten starts.
      fixture.clock.advance(.seconds(60))
      _ = try await fixture.start(client: "192.0.2.1")
      let replaced = try await fixture.service.start(to: "kim@example.com", idempotencyKey: key)
      #expect(replaced.isReplay && replaced.value.id == first.value.id && replaced.value.state == .superseded)
    }
  }

  @Test(arguments: Backend.allCases)
  func `keys are separate for clients and operations, and belong to one payload`(_ backend: Backend)
    async throws
  {
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
      // Client and key are not simply concatenated.
      for (name, client) in [("ab", "c"), ("b", "ca"), ("c", "ab")] {
        let next = try await fixture.service.start(
          to: "x@example.com", idempotencyKey: try key(name, client: client))
        #expect(!next.isReplay)
        if name == "ab" { fixture.clock.advance(.seconds(1)) }
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a repeated resend sends nothing, in whatever state the verification is`(_ backend: Backend)
    async throws
  {
    try await backend.withFixture { fixture in
      let id = try await fixture.start().id
      fixture.clock.advance(.seconds(60))
      let key = try key("k")
      let first = try await fixture.service.resend(id, idempotencyKey: key)
      let repeated = try await fixture.service.resend(id, idempotencyKey: key)
      #expect(repeated.isReplay && repeated.value == first.value)
      #expect(try await fixture.outcome(id, fixture.code()) == .approved)
      let late = try await fixture.service.resend(id, idempotencyKey: key)
      #expect(late.isReplay && late.value.state == .approved && late.value.generation == 2)
      #expect(try await fixture.outbox.read(OutboxQuery()).entries.count == 2)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a refused request doesn't consume its key`(_ backend: Backend) async throws {
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
  func `a hundred concurrent starts with one key start one verification`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.cooldown = .zero }) { fixture in
      let key = try key("k")
      let results = try await withThrowingTaskGroup(of: IdempotentResult<Verification>.self) { group in
        for _ in 0..<100 {
          group.addTask { try await fixture.service.start(to: "kim@example.com", idempotencyKey: key) }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(results.filter { !$0.isReplay }.count == 1)
      #expect(Set(results.map(\.value.id)).count == 1)
      #expect(try await fixture.outbox.read(OutboxQuery()).entries.count == 1)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a key is remembered for a day, with or without a sweep`(_ backend: Backend) async throws {
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
      // The second request is remembered for a day from its own time.
      fixture.clock.advance(.seconds(86_399))
      _ = try await fixture.service.sweep()
      #expect(
        try await fixture.service.start(to: "kim@example.com", idempotencyKey: key).value.id
          == second.value.id)
    }
  }

  @Test(arguments: Backend.allCases)
  func `after the clock is set back a key is remembered for one more day`(_ backend: Backend) async throws {
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

  @Test func `a sweep of keys works in steps until none is left`() async throws {
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

  @Test func `a key is remembered across a rotation of the master key`() async throws {
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

  @Test func `a key must have 1 to 255 bytes`() {
    #expect(IdempotencyKey("", client: "shop", payload: []) == nil)
    #expect(IdempotencyKey(String(repeating: "k", count: 256), client: "shop", payload: []) == nil)
    #expect(IdempotencyKey(String(repeating: "k", count: 255), client: "", payload: []) != nil)
  }
}

/// Idempotency keys in processes that are killed.
@Suite struct IdempotencyCrashTests {
  private static let keys = 300
  private static let kills = 30

  /// Runs a process that uses every key, and kills it after `count` answers; `nil`: never. Returns the lines it printed.
  private static func runProgram(_ folder: String, killedAfter count: Int?) throws -> [Substring] {
    let output = Pipe()
    let process = try SpawnedProcess(
      "\(BuiltProducts.directory)/verification-client",
      ["\(folder)/pabal.sqlite", "\(folder)/keys", "once", "shop", "\(keys)"], output: .pipe(output))
    var printed = Data()
    while printed.count(where: { $0 == 10 }) < count ?? .max {
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { break }
      printed += more
    }
    if count != nil { process.signal(SIGKILL) }
    process.wait()
    // The last line may have been cut off.
    let lines = String(decoding: printed, as: UTF8.self)
    return lines.prefix(lines.lastIndex(of: "\n").map { lines.distance(from: lines.startIndex, to: $0) } ?? 0)
      .split(separator: "\n")
  }

  @Test func `no key has two verifications or mails after kill -9`() async throws {
    let folder = try TemporaryDirectory()
    let path = folder.path
    let runs = await mapOnThreads([Self.kills]) { kills in
      Result {
        var lines: [Substring] = []
        for _ in 0..<kills { lines += try Self.runProgram(path, killedAfter: Int.random(in: 1...40)) }
        return lines + (try Self.runProgram(path, killedAfter: nil))
      }
    }
    var idsByKey: [Substring: Set<Substring>] = [:]
    let lines = try runs.flatMap { try $0.get() }
    for line in lines {
      let fields = line.split(separator: " ")
      try #require(fields.count == 2, "\(line)")
      idsByKey[fields[0], default: []].insert(fields[1])
    }
    #expect(idsByKey.count == Self.keys)
    #expect(idsByKey.values.allSatisfy { $0.count == 1 })
    let database = try SQLiteDatabase(
      "\(path)/pabal.sqlite", keys: try Keyring.loadOrCreate(directory: "\(path)/keys"))
    defer { database.close() }
    let mails = try await SQLiteOutbox(database).read(OutboxQuery(limit: 10_000)).entries
    // One mail for each key, none of them superseded by a second start.
    #expect(mails.count == Self.keys && mails.allSatisfy { $0.state == .waiting })
  }
}
