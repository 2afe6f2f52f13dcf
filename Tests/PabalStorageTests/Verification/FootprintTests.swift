import PabalCore
import PabalStorage
import PabalTesting
import Synchronization
import Testing

/// The footprints that transactions declare, from which a store that runs several at once takes its locks.
@Suite struct FootprintTests {
  @Test(arguments: VerificationBackend.allCases)
  func `every operation stays within its footprint, and its body can run twice`(
    _ backend: VerificationBackend
  ) async throws {
    try await backend.withFixture({ $0.quota = 1_000 }) { original in
      let store = RerunningStore(original.store)
      let fixture = VerificationFixture(store, original.outbox, keys: original.keys, policy: original.policy)
      try await runOperations(fixture, store)
      #expect(store.violations == [])
      #expect(store.transactions > 70)
    }
  }

  @Test func `operations after a key rotation stay within their footprints`() async throws {
    let folder = try TemporaryDirectory()
    let outbox = MemoryOutbox()
    let store = RerunningStore(MemoryVerificationStore(outbox: outbox))
    let before = VerificationFixture(store, outbox, keys: try .loadOrCreate(directory: "\(folder.path)/keys"))
    let checked = try await before.start("a@example.com", client: "192.0.2.1")
    let resent = try await before.start("b@example.com")
    _ = try await before.start("c@example.com")
    let after = VerificationFixture(store, outbox, keys: try .rotate(directory: "\(folder.path)/keys"))
    after.clock.advance(.seconds(60))
    let code = try before.code(for: "a@example.com")
    let proof = try await after.service.check(checked.id, code: code, client: "192.0.2.1").proof
    _ = try await after.service.redeem(try #require(proof))
    _ = try await after.service.resend(resent.id, client: "192.0.2.1")
    _ = try await after.start("c@example.com")
    #expect(store.violations == [])
  }

  /// Runs every operation in every state that takes it another way.
  private func runOperations(_ fixture: VerificationFixture, _ store: RerunningStore) async throws {
    let (service, client) = (fixture.service, "192.0.2.1")
    let key = IdempotencyKey("k", client: "shop", payload: [1])
    let first = try await service.start(to: "kim@example.com", client: client, idempotencyKey: key).value
    #expect(try await service.start(to: "kim@example.com", client: client, idempotencyKey: key).isReplay)
    await expectError(.limited(.cooldown, retryAfter: .seconds(60))) { try await fixture.start() }
    fixture.clock.advance(.seconds(60))
    let resent = try await service.resend(first.id, client: client, idempotencyKey: key)
    #expect(!resent.isReplay && resent.value.generation == 2)
    #expect(try await service.resend(first.id, client: client, idempotencyKey: key).isReplay)
    // A newer start supersedes the older verification and its mails.
    fixture.clock.advance(.seconds(60))
    let second = try await fixture.start(client: client)
    #expect(try await service.status(first.id).state == .superseded)
    #expect(try await service.check(first.id, code: fixture.code(), client: client).outcome == .superseded)

    let wrong = try await service.check(second.id, code: fixture.wrong(), client: client)
    #expect(wrong.outcome == .mismatch && wrong.attemptsRemaining == 4)
    #expect(try await service.check(second.id, code: "short").outcome == .mismatch)
    let proof = try #require(try await service.check(second.id, code: fixture.code()).proof)
    #expect(try await service.check(second.id, code: fixture.code()).outcome == .alreadyApproved)
    #expect(try await service.redeem(proof).address.description == "kim@example.com")
    await expectError(.proof(.redeemed)) { try await service.redeem(proof) }

    let third = try await service.start(to: "lee@example.com", notice: true)
    for attempt in 1...5 {
      let outcome = try await fixture.outcome(third.id, "00000\(attempt)")
      #expect(outcome == .mismatch)
    }
    #expect(try await fixture.outcome(third.id, "000000") == .exhausted)
    await expectError(.ended(.exhausted)) { try await service.cancel(third.id) }
    let fourth = try await fixture.start("park@example.com")
    for _ in 0..<2 { #expect(try await service.cancel(fourth.id).state == .cancelled) }

    await expectError(.unknown) { try await service.check("X", code: "000000", client: client) }
    await expectError(.unknown) { try await service.cancel("X") }
    await expectError(.proof(.unknown)) { try await service.redeem("X.Y") }
    // Housekeeping isn't part of a transaction's body, however many operations run.
    for number in 0..<50 { _ = try await fixture.start("\(number)@example.com") }

    let submission = MailSubmission(
      store: store, keys: fixture.keys, now: { [clock = fixture.clock] in clock.now })
    let draft = MailDraft(
      from: try Mailbox("pabal@example.com"), to: [try Mailbox("kim@example.com")], subject: "hello",
      text: "hello")
    for isReplay in [false, true] {
      let mail = try draft.finish(identity: .now())
      #expect(try await submission.add(mail, idempotencyKey: key).isReplay == isReplay)
    }
    let mail = try await submission.add(try draft.finish(identity: .now()), idempotencyKey: nil).value
    #expect(try await submission.status(mail.mail)?.state == .waiting)
  }

  @Test(arguments: VerificationBackend.allCases)
  func `an access outside the footprint is reported`(_ backend: VerificationBackend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      let mail = try #require(started.delivery?.mail)
      let accesses: [@Sendable (any VerificationTransaction) throws -> Void] = [
        { _ = try $0.verification(started.id) },
        { _ = try $0.pending([[1]]) },
        { _ = try $0.takeAttempt(started.id, atMost: 5) },
        { _ = try $0.events(1, skipping: 0, under: [[1]]) },
        { try $0.clampFutureEvents(under: [[1]], at: second(0)) },
        { try $0.add([RateLimitEvent(key: [1], at: second(0), mail: nil)]) },
        { _ = try $0.failures(under: [[1]]) },
        { try $0.set(nil, under: [[1]]) },
        { try $0.supersedeMail(of: started.id, newest: nil, at: second(0)) },
        { try $0.cancelMail(mail, at: second(0)) },
        { try $0.enqueue(OutboxEntry(id: mail, lane: .code, created: second(0), content: [])) },
        { _ = try $0.mail(mail) },
        { _ = try $0.request(under: [[1]]) },
        { try $0.remember(IdempotencyRecord(key: [1], payload: [], resultID: mail, at: second(0))) },
      ]
      for (number, access) in accesses.enumerated() {
        // The outer check throws before the store's own one, which would stop the program.
        await #expect(throws: StorageError.self, "access \(number)") {
          try await fixture.store.transact(footprint: VerificationFootprint()) { transaction in
            try access(FootprintCheck(transaction, .footprint(VerificationFootprint())) { try refuse($0) })
          }
        }
      }
      // An id alone isn't enough, because the lock is that of the identity.
      let footprint = VerificationFootprint(verifications: [started.id])
      await #expect(throws: StorageError.self) {
        try await fixture.store.read { transaction in
          _ = try FootprintCheck(transaction, .footprint(footprint)) { try refuse($0) }.verification(
            started.id)
        }
      }
      await #expect(throws: StorageError.self) {
        try await fixture.store.read { transaction in
          try FootprintCheck(transaction, .read) { try refuse($0) }.cancelMail(mail, at: second(0))
        }
      }
      #expect(try await fixture.service.status(started.id) == started)
    }
  }

  #if DEBUG
    @Test(arguments: VerificationBackend.allCases)
    func `a debug build stops at an access outside the footprint`(_ backend: VerificationBackend) async {
      // The name is captured because an exit test can only capture encodable values.
      await #expect(processExitsWith: .failure) { [name = backend.rawValue as String] in
        try await VerificationBackend(rawValue: name)?.withFixture { fixture in
          _ = try await fixture.store.transact(footprint: VerificationFootprint()) { transaction in
            try transaction.events(1, skipping: 0, under: [[1]])
          }
        }
      }
      await #expect(processExitsWith: .success) { [name = backend.rawValue as String] in
        try await VerificationBackend(rawValue: name)?.withFixture { fixture in
          _ = try await fixture.store.transact(footprint: VerificationFootprint(events: [[1]])) {
            transaction in
            try transaction.events(1, skipping: 0, under: [[1]])
          }
        }
      }
    }
  #endif
}

private func refuse(_ violation: String) throws {
  throw StorageError(.other(violation), place: "footprint")
}

/// A store that runs each body twice, undoing the first run, and records accesses outside the footprint.
private final class RerunningStore: VerificationStore {
  private let inner: any VerificationStore
  private let counts = Mutex((transactions: 0, violations: [String]()))

  init(_ inner: any VerificationStore) { self.inner = inner }

  var transactions: Int { counts.withLock { $0.transactions } }
  var violations: [String] { counts.withLock { $0.violations } }

  private func report(_ violation: String) throws {
    counts.withLock { $0.violations.append(violation) }
    try refuse(violation)
  }

  /// Runs `transact` with a flag that says whether the transaction is to be undone: first yes, then no.
  private func twice<Value: Sendable>(
    _ transact: (_ isUndone: Bool) async throws(StorageError) -> Value
  ) async throws(StorageError) -> Value {
    counts.withLock { $0.transactions += 1 }
    do throws(StorageError) {
      _ = try await transact(true)
    } catch {
      guard error.place == "undone" else { throw error }
    }
    return try await transact(false)
  }

  private func undo(_ isUndone: Bool) throws {
    if isUndone { throw StorageError(.other("undone"), place: "undone") }
  }

  func transact<Value: Sendable>(
    footprint: VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    try await twice { isUndone throws(StorageError) in
      try await inner.transact(footprint: footprint) { transaction in
        let value = try body(FootprintCheck(transaction, .footprint(footprint)) { try self.report($0) })
        try self.undo(isUndone)
        return value
      }
    }
  }

  func transact<Value: Sendable>(
    verification id: String, footprint: @escaping @Sendable (VerificationRecord) -> VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction, VerificationRecord?) throws -> Value
  ) async throws(StorageError) -> Value {
    // As a store that locks would do it: read, lock, read again.
    let record = try await read { try $0.verification(id) }
    let declared = record.map(footprint) ?? VerificationFootprint(verifications: [id])
    return try await transact(footprint: declared) { try body($0, try $0.verification(id)) }
  }

  func read<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    try await inner.read { transaction in
      try body(FootprintCheck(transaction, .read) { try self.report($0) })
    }
  }

  func transactMail<Value: Sendable>(
    footprint: OutboxFootprint, _ body: @escaping @Sendable (any OutboxTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    try await transact(footprint: VerificationFootprint(outbox: footprint)) { try body($0) }
  }

  func readMail<Value: Sendable>(
    _ body: @escaping @Sendable (any OutboxTransaction) throws -> Value
  ) async throws(StorageError) -> Value { try await read { try body($0) } }

  func sweepRequests(at now: Timestamp, limit: Int) async throws(StorageError) -> Bool {
    try await inner.sweepRequests(at: now, limit: limit)
  }

  func sweep(_ sweep: VerificationSweep) async throws(StorageError) -> Bool { try await inner.sweep(sweep) }
}
