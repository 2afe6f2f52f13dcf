import Foundation
import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// The contract of every verification store for concurrent calls, in one process and in several.
@Suite struct VerificationConcurrencyTests {
  typealias Backend = VerificationBackend

  private func all<Value: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Int) async throws -> Value
  ) async throws -> [Value] {
    try await withThrowingTaskGroup(of: Value.self) { group in
      for number in 0..<count { group.addTask { try await body(number) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `exactly five of a thousand concurrent wrong codes are checked`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      let wrong = try (1...1_000).map { try fixture.wrong($0) }
      let outcomes = try await all(1_000) { try await fixture.outcome(started.id, wrong[$0]) }
      #expect(outcomes.filter { $0 == .mismatch }.count == 5)
      #expect(outcomes.filter { $0 == .exhausted }.count == 995)
    }
  }

  @Test(arguments: Backend.allCases)
  func `exactly one of a thousand concurrent right codes is approved, with one proof`(
    _ backend: Backend
  ) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      let code = try fixture.code()
      let results = try await all(1_000) { _ in try await fixture.service.check(started.id, code: code) }
      #expect(results.filter { $0.outcome == .approved }.count == 1)
      #expect(results.filter { $0.outcome == .alreadyApproved }.count == 999)
      let proofs = results.compactMap(\.proof)
      #expect(proofs.count == 1)
      let redeemed = try await all(100) { _ in (try? await fixture.service.redeem(proofs[0])) != nil }
      #expect(redeemed.filter { $0 }.count == 1)
    }
  }

  @Test(arguments: Backend.allCases)
  func `one of a hundred concurrent starts for an address sends a mail`(
    _ backend: Backend
  ) async throws {
    try await backend.withFixture { fixture in
      let started = try await all(100) { _ in try? await fixture.start() }.compactMap(\.self)
      #expect(started.count == 1)
      #expect(try await fixture.outbox.read(OutboxQuery()).entries.count == 1)
    }
  }

  @Test(arguments: Backend.allCases)
  func `concurrent starts and resends for an address leave one valid code without a cooldown`(
    _ backend: Backend
  ) async throws {
    try await backend.withFixture({
      $0.cooldown = .zero
      $0.recipient = []
      $0.sends = 10
    }) { fixture in
      let started = try await all(20) { _ in try await fixture.start() }
      let statuses = try await started.asyncMap { try await fixture.service.status($0.id) }
      let live = statuses.filter { $0.state == .pending }
      #expect(live.count == 1)
      #expect(statuses.filter { $0.state == .superseded }.count == 19)
      let id = try #require(live.first?.id)
      let resent = try await all(9) { _ in try await fixture.service.resend(id).generation }
      #expect(resent.sorted() == Array(2...10))
      let waiting = try await fixture.outbox.read(OutboxQuery(states: [.waiting])).entries
      #expect(waiting.count == 1)
      #expect(try await fixture.service.status(id).delivery?.mail == waiting.first?.id)
    }
  }

  // MARK: Several processes

  private let program = "\(BuiltProducts.directory)/verification-client"

  /// A database that the test shares with other processes.
  private struct SharedStore {
    let folder: TemporaryDirectory
    let argument: String
    let fixture: VerificationFixture
  }

  private func withSharedStore(
    _ backend: SharedBackend, _ body: (SharedStore) async throws -> Void
  ) async throws {
    try await backend.withDatabase { folder, argument in
      let keys = try Keyring.loadOrCreate(directory: "\(folder.path)/keys")
      let database = try backend.open(argument, keys: keys)
      defer { database.close() }
      var policy = VerificationPolicy()
      // Among many tests at once, minutes may pass before the other processes run.
      policy.lifetime = .seconds(36_000)
      let fixture = VerificationFixture(
        database.verificationStore, database.outbox, keys: keys, policy: policy)
      // The other processes use the system's clock.
      fixture.clock.advance(Timestamp.now() - fixture.clock.now)
      try await body(SharedStore(folder: folder, argument: argument, fixture: fixture))
    }
  }

  /// Runs the client in eight processes with the same arguments. Returns the lines that they print.
  private func runPrograms(
    _ sharedStore: SharedStore, _ clientArguments: [String]
  ) async throws -> [String] {
    let arguments = ["-P", "8", "-n", "1", "sh", "-c"]
    let command =
      [program, "'\(sharedStore.argument)'", "\(sharedStore.folder.path)/keys"] + clientArguments
    let run = try await mapOnThreads([0]) { _ in
      Result {
        try ChildProcess.run(
          "xargs", arguments + [command.joined(separator: " ")],
          input: Array((0..<8).map { "\($0)\n" }.joined().utf8))
      }
    }[0].get()
    #expect(run.errors == "" && run.status == 0)
    return run.output.split(separator: "\n").map(String.init)
  }

  @Test(arguments: SharedBackend.allCases)
  func `eight processes check five wrong codes in total`(_ backend: SharedBackend) async throws {
    try await withSharedStore(backend) { sharedStore in
      let started = try await sharedStore.fixture.start()
      let lines = try await runPrograms(
        sharedStore, ["check", started.id, sharedStore.fixture.wrong(), "125", "0"])
      #expect(lines.count == 1_000)
      #expect(lines.filter { $0.hasPrefix("mismatch") }.count == 5, "\(Set(lines))")
      #expect(lines.filter { $0.hasPrefix("exhausted") }.count == 995)
    }
  }

  @Test(arguments: SharedBackend.allCases)
  func `eight processes approve the right code once in total`(_ backend: SharedBackend) async throws {
    try await withSharedStore(backend) { sharedStore in
      let started = try await sharedStore.fixture.start()
      let lines = try await runPrograms(
        sharedStore, ["check", started.id, sharedStore.fixture.code(), "125", "0"])
      #expect(lines.count == 1_000)
      #expect(lines.filter { $0.hasPrefix("approved \(started.id).") }.count == 1, "\(Set(lines))")
      #expect(lines.filter { $0 == "already_approved " }.count == 999)
    }
  }

  @Test(arguments: SharedBackend.allCases)
  func `eight processes that start for one address leave one valid code within the caps`(
    _ backend: SharedBackend
  ) async throws {
    try await withSharedStore(backend) { sharedStore in
      let lines = try await runPrograms(sharedStore, ["start", "kim@example.com", "20"])
      #expect(lines.count == 160)
      let ids = lines.filter { $0.count == 26 }
      #expect(ids.count == 5)
      #expect(lines.filter { $0.hasPrefix("too many mails were sent to this address") }.count == 155)
      let states = try await ids.asyncMap { try await sharedStore.fixture.service.status($0).state }
      #expect(states.filter { $0 == .pending }.count == 1)
      #expect(states.filter { $0 == .superseded }.count == 4)
    }
  }
}
