/// Proves that a person can read the mail of an address, by mailing a code and checking what the person types.
///
/// A call returns when the mail is in the outbox. A dispatcher sends it.
public struct VerificationService: Sendable {
  let store: any VerificationStore
  let keys: Keyring
  let composer: any VerificationMailComposer
  let policy: VerificationPolicy
  let now: @Sendable () -> Timestamp
  let random: @Sendable () -> UInt64
  let routes: SenderRoutes
  let writer: OutboxWriter
  let rateLimitKeys: RateLimitKeys
  let recentRefusals = RecentRefusals()
  private(set) var caller = Caller.unrestricted

  /// A service on `store`. Addresses, codes and requests are digested or sealed with `keys`.
  ///
  /// - Parameters:
  ///   - store: Stores verifications, in the same transactions as the outbox.
  ///   - keys: The keys that the store's database belongs to.
  ///   - composer: Composes the mails.
  ///   - policy: The lifetimes and limits of codes.
  ///   - now: The clock.
  ///   - random: Returns 64 unpredictable random bits, by default from the kernel.
  ///   - routes: The routes of mail by the domain of its author.
  ///   - dispatch: Sends the mail in this process. If it is `nil`, the mail waits for a dispatcher in another one.
  public init(
    store: any VerificationStore, keys: Keyring, composer: any VerificationMailComposer,
    policy: VerificationPolicy = VerificationPolicy(),
    now: @escaping @Sendable () -> Timestamp = Timestamp.now,
    random: (@Sendable () -> UInt64)? = nil, routes: SenderRoutes = SenderRoutes(),
    dispatch: (any ImmediateDispatch)? = nil
  ) {
    self.routes = routes
    self.store = store
    self.keys = keys
    self.composer = composer
    self.policy = policy
    self.now = now
    self.random = random ?? SecureRandom.number
    writer = OutboxWriter(dispatch: dispatch)
    rateLimitKeys = RateLimitKeys(keys: keys)
  }

  /// Returns the service on behalf of `caller`: what it starts belongs to it, and it finds nothing of another client.
  public func acting(for caller: Caller) -> VerificationService {
    var service = self
    service.caller = caller
    return service
  }

  /// Returns the record if it exists and the caller may use it; throws `.unknown` otherwise.
  func own(_ record: VerificationRecord?) throws(VerificationError) -> VerificationRecord {
    guard let record, caller.mayUse(record.caller) else { throw .unknown }
    return record
  }

  /// Returns the current time by the service's clock.
  public func currentTime() -> Timestamp { now() }

  /// Returns the state of a verification and of its mail.
  public func status(_ id: String) async throws(VerificationError) -> Verification {
    let now = now()
    return try await read { transaction in
      return try snapshot(try own(transaction.verification(id)), transaction, at: now)
    }
  }

  /// Cancels a pending verification, and its mail if that still waits. Cancelling twice has no further effect.
  public func cancel(_ id: String) async throws(VerificationError) -> Verification {
    let now = now()
    return try await transact(verification: id) {
      footprint(of: $0)
    } _: { transaction, record in
      var record = try own(record)
      _ = record.clampFutureTimes(at: now, lifetime: policy.lifetime)
      switch record.state(at: now) {
      case .pending:
        record.transition(to: .cancelled, at: now)
        try transaction.update(record)
        try transaction.cancelMail(record.mail, at: now)
      case .cancelled: break
      case let state: throw VerificationError.ended(state)
      }
      return try snapshot(record, transaction, at: now)
    }
  }

  /// Deletes up to `limit` expired rows of each kind. Returns whether there are more.
  ///
  /// Starts and checks do this occasionally, so that the store doesn't grow in a program without a dispatcher either.
  @discardableResult
  public func sweep(limit: Int = 500) async throws(VerificationError) -> Bool {
    do throws(StorageError) {
      return try await store.sweep(policy.sweep(at: now(), limit: limit))
    } catch {
      throw .storage(error)
    }
  }

  /// Runs `body`, and in one of sixteen calls housekeeping beside it.
  func withOccasionalSweep<Value: Sendable>(
    at now: Timestamp, _ body: () async throws(VerificationError) -> Value
  ) async throws(VerificationError) -> Value {
    try await OccasionalSweep(random: random).run {
      _ = try await store.sweep(policy.sweep(at: now, limit: OccasionalSweep.limit))
    } beside: { () throws(VerificationError) in
      try await body()
    }
  }

  /// The footprint of an operation on a stored verification: its identity, which covers its mails.
  func footprint(of record: VerificationRecord) -> VerificationFootprint {
    VerificationFootprint(identities: [record.identity], verifications: [record.id])
  }

  /// Returns the verification as its caller sees it.
  func snapshot(
    _ record: VerificationRecord, _ transaction: any VerificationTransaction, at now: Timestamp
  ) throws -> Verification {
    let recipient = try recipient(of: record)
    let state = record.state(at: now)
    var limiter = limiter(transaction, at: now)
    return try snapshot(
      record, recipient, mail: transaction.mail(record.mail),
      resendRules: state == .pending && record.generation < policy.sends
        ? resendRules(record, recipient) : nil,
      attempts: attempts(of: record, transaction, at: now), &limiter)
  }

  /// Returns how many codes were checked against the budget of `record`: its own, and those of the other pending
  /// verifications of its caller for the same recipient and purpose.
  func attempts(
    of record: VerificationRecord, _ transaction: any VerificationTransaction, at now: Timestamp
  ) throws -> Int {
    guard record.state(at: now) == .pending else { return record.attempts }
    return try siblings(of: record, transaction, at: now).reduce(record.attempts) { $0 + $1.attempts }
  }

  /// The other pending verifications that share the attempts of `record`.
  func siblings(
    of record: VerificationRecord, _ transaction: any VerificationTransaction, at now: Timestamp
  ) throws -> [VerificationRecord] {
    guard policy.simultaneous > 1 else { return [] }
    return try transaction.pending([record.identity]).filter {
      $0.id != record.id && $0.caller == record.caller && $0.state(at: now) == .pending
    }
  }

  func limiter(_ transaction: any VerificationTransaction, at now: Timestamp) -> VerificationRateLimiter {
    VerificationRateLimiter(transaction: transaction, now: now, lifetime: policy.lifetime)
  }

  /// Returns the verification as its caller sees it, from rows that have been read. `resendRules` is `nil` if it can't
  /// be resent at any time, and `attempts` counts those of its budget.
  func snapshot(
    _ record: VerificationRecord, _ recipient: VerificationRecipient, mail: OutboxEntry?,
    resendRules: [VerificationRateLimiter.Rule]?, attempts: Int, _ limiter: inout VerificationRateLimiter
  ) throws -> Verification {
    let now = limiter.now
    let state = record.state(at: now)
    let isPending = state == .pending
    let block = try resendRules.flatMap { try limiter.block($0) }
    return Verification(
      id: record.id, purpose: record.purpose, state: state, masked: recipient.masked,
      generation: record.generation, created: record.created, expires: record.expires,
      resendAt: resendRules.map { _ in block?.until ?? now },
      sendsRemaining: isPending ? max(policy.sends - record.generation, 0) : 0,
      attemptsRemaining: isPending ? max(policy.attempts - attempts, 0) : 0, digits: policy.digits,
      language: record.language, delivery: mail.map(MailStatus.init))
  }

  func recipient(of record: VerificationRecord) throws -> VerificationRecipient {
    do throws(KeyringError) {
      let bytes = try keys.open(record.recipient, id: "recipient \(record.id)")
      guard let address = try? Address(String(decoding: bytes, as: UTF8.self)) else {
        throw KeyringError.notAuthentic
      }
      return VerificationRecipient(address: address)
    } catch {
      throw VerificationError.keys(error)
    }
  }

  // MARK: Transactions

  /// Runs `body` in a transaction with the entry to add, and hands the mail over when it is durable. `body` returns
  /// `nil` if it didn't add the entry.
  func send<Value: Sendable>(
    _ preparedMail: PreparedMail, footprint: VerificationFootprint,
    _ body: @escaping @Sendable (OutboxEntry, any VerificationTransaction) throws -> Value?
  ) async throws(VerificationError) -> Value? {
    try await writer.write(preparedMail.entry, preparedMail.mail) { entry throws(VerificationError) in
      try await catchingErrors { () throws(StorageError) in
        try await store.transact(footprint: footprint) { transaction in
          try catchingRefusal { try body(entry, transaction) }
        }
      }
    }
  }

  /// Runs `body` in a transaction on the verification `id`.
  func transact<Value: Sendable>(
    verification id: String, footprint: @escaping @Sendable (VerificationRecord) -> VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction, VerificationRecord?) throws -> Value
  ) async throws(VerificationError) -> Value {
    try await catchingErrors { () throws(StorageError) in
      try await store.transact(verification: id, footprint: footprint) { transaction, record in
        try catchingRefusal { try body(transaction, record) }
      }
    }
  }

  /// Runs `body` on the last committed state.
  func read<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(VerificationError) -> Value {
    try await catchingErrors { () throws(StorageError) in
      try await store.read { transaction in try catchingRefusal { try body(transaction) } }
    }
  }

  /// Returns a refusal as a value, because the transaction must not be undone: what it wrote before, such as a
  /// client's event, stays.
  private func catchingRefusal<Value>(_ body: () throws -> Value) throws -> Result<Value, VerificationError> {
    do {
      return .success(try body())
    } catch let error as VerificationError {
      return .failure(error)
    }
  }

  private func catchingErrors<Value: Sendable>(
    _ body: () async throws(StorageError) -> Result<Value, VerificationError>
  ) async throws(VerificationError) -> Value {
    let result: Result<Value, VerificationError>
    do throws(StorageError) {
      result = try await body()
    } catch {
      throw .storage(error)
    }
    return try result.get()
  }
}

extension VerificationService {
  /// A mail for the outbox, with the digest and lifetime of its code.
  struct PreparedMail: Sendable {
    var mail: Mail
    var entry: OutboxEntry
    var digest: [UInt8]
    var expires: Timestamp
    var language: String?
  }

  func preparedMail(
    _ request: StoredVerificationRequest, id: String, purpose: String, recipient: VerificationRecipient,
    generation: Int, ownedBy owner: String, at now: Timestamp
  ) throws(VerificationError) -> PreparedMail {
    let code = VerificationCode.random(digits: policy.digits, random)
    let composed = try composer.mail(
      for: VerificationMailRequest(
        to: recipient.address, message: request.message, languages: request.languages,
        variables: request.variables, code: request.isNotice ? nil : code, validFor: policy.lifetime))
    // A notice gets a code that can't be typed, so that the store needs no column that tells notices apart.
    let storedCode = request.isNotice ? RandomString.make(26, random) : code
    let digest = keys.codeDigest(
      VerificationService.codeDigestInput(
        of: storedCode, purpose: purpose, recipient: recipient, id: id, generation: generation))
    let expires = now + policy.lifetime
    let entry = OutboxEntry(
      id: composed.mail.id, lane: .code, created: now, notAfter: expires, unknown: composed.unknown,
      group: id, ownedBy: owner, route: routes.key(for: composed.mail),
      content: keys.seal(OutboxContent(composed.mail).bytes, id: composed.mail.id)
    ).addressed(to: composed.mail.envelope.recipients, keys)
    return PreparedMail(
      mail: composed.mail, entry: entry, digest: digest, expires: expires, language: composed.language)
  }

  /// The parts that a code's digest covers.
  static func codeDigestInput(
    of code: String, purpose: String, recipient: VerificationRecipient, id: String, generation: Int
  ) -> [[UInt8]] {
    [
      Array(purpose.utf8), Array(recipient.identity.utf8), Array(id.utf8), UInt64(generation).bigEndianBytes,
      Array(code.utf8),
    ]
  }
}
