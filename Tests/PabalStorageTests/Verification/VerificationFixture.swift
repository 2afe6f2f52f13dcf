import PabalCore
import PabalStorage
import PabalTesting
import Synchronization
import Testing

/// The verification stores that the contract tests run on.
enum VerificationBackend: String, CaseIterable, CustomTestStringConvertible {
  case memory, sqlite, postgresql

  static let allCases: [VerificationBackend] =
    [.memory, .sqlite] + (PostgreSQLServer.isAvailable ? [.postgresql] : [])

  var testDescription: String { rawValue }

  /// Runs `body` with a service on a new store, which is deleted afterwards. `change` changes the default policy.
  func withFixture(
    _ change: (inout VerificationPolicy) -> Void = { _ in },
    _ body: (VerificationFixture) async throws -> Void
  ) async throws {
    var policy = VerificationPolicy()
    change(&policy)
    let keys = Keyring(current: .random())
    switch self {
    case .memory:
      let outbox = MemoryOutbox()
      try await body(
        VerificationFixture(MemoryVerificationStore(outbox: outbox), outbox, keys: keys, policy: policy))
    case .sqlite:
      let folder = try TemporaryDirectory()
      let database = try SQLiteDatabase("\(folder.path)/pabal.sqlite", keys: keys)
      defer { database.close() }
      try await body(
        VerificationFixture(
          SQLiteVerificationStore(database), SQLiteOutbox(database), keys: keys, policy: policy))
    case .postgresql:
      try await withPostgreSQL { settings in
        let database = try PostgreSQLDatabase(settings, keys: keys)
        defer { database.close() }
        try await body(
          VerificationFixture(database.verificationStore, database.outbox, keys: keys, policy: policy))
      }
    }
  }
}

/// A service with a manual clock, and the mails that it composed.
struct VerificationFixture: Sendable {
  let service: VerificationService
  let store: any VerificationStore
  let keys: Keyring
  let policy: VerificationPolicy
  let outbox: any Outbox
  let clock = ManualClock()
  let composer = RecordingMailComposer()

  init(
    _ store: any VerificationStore, _ outbox: any Outbox, keys: Keyring,
    policy: VerificationPolicy = VerificationPolicy()
  ) {
    self.store = store
    self.outbox = outbox
    self.keys = keys
    self.policy = policy
    service = VerificationService(
      store: store, keys: keys, composer: composer, policy: policy, now: { [clock] in clock.now })
  }

  /// Returns the code in the newest mail to the address.
  func code(for address: String = "kim@example.com") throws -> String {
    try #require(composer.all.last { $0.to.description == address }?.code)
  }

  /// Returns a code that isn't the valid one.
  func wrong(for address: String = "kim@example.com", _ step: Int = 1) throws -> String {
    let number = (try #require(Int(try code(for: address))) + step) % 1_000_000
    let digits = String(number)
    return String(repeating: "0", count: 6 - digits.count) + digits
  }

  func start(_ address: String = "kim@example.com", client: String? = nil) async throws -> Verification {
    try await service.start(to: address, client: client)
  }

  func outcome(_ id: String, _ code: String) async throws -> VerificationOutcome {
    try await service.check(id, code: code).outcome
  }

  /// Settles the newest mail of a verification as a dispatcher would.
  func end(_ verification: Verification, _ state: OutboxState, outcome: String) async throws {
    let lease = OutboxEntry.Lease(owner: "test", until: clock.now + .seconds(30))
    let claimed = try await outbox.claim(OutboxClaim(lease, now: clock.now, limit: 100))
    let mail = try #require(verification.delivery?.mail)
    for entry in claimed {
      let result: OutboxSettlement.Result = entry.id == mail ? .final(state) : .release
      _ = try await outbox.settle([
        OutboxSettlement(
          entry, result, transport: "smtp", outcome: entry.id == mail ? outcome : nil, status: "550 5.1.1",
          now: clock.now)
      ])
    }
  }
}

/// Composes mails and records the requests.
final class RecordingMailComposer: VerificationMailComposer {
  private let requests = Mutex<[VerificationMailRequest]>([])
  var all: [VerificationMailRequest] { requests.withLock { $0 } }

  func mail(for mailRequest: VerificationMailRequest) throws(VerificationError) -> VerificationMail {
    guard mailRequest.message != "broken" else {
      throw .brokenMessage(Diagnostics([Diagnostic("it is broken")]))
    }
    requests.withLock { $0.append(mailRequest) }
    do {
      let draft = MailDraft(
        from: try Mailbox("Pabal <pabal@example.com>"), to: [Mailbox(mailRequest.to)], subject: "code",
        text: "인증번호 \(mailRequest.code ?? "없음") \(mailRequest.variables.values.joined())")
      return VerificationMail(try draft.finish(identity: .now()), language: mailRequest.languages.first)
    } catch {
      throw .input(field: error.field, message: error.message)
    }
  }
}

/// Expects `body` to throw `error`.
func expectError(
  _ error: VerificationError, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () async throws -> some Any
) async {
  await #expect(throws: error, sourceLocation: sourceLocation) { _ = try await body() }
}

extension Array {
  /// Maps the elements one after the other.
  func asyncMap<Value>(_ body: (Element) async throws -> Value) async rethrows -> [Value] {
    var values: [Value] = []
    for element in self { values.append(try await body(element)) }
    return values
  }
}
