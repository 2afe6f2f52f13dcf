/// Proves that a person reads the mail of an address: sends a code, and says whether what came back is it.
///
/// Nothing here waits for a mail to be sent: it is in the outbox when a call returns, and a dispatcher
/// sends it.
public struct VerificationService: Sendable {
  let store: any VerificationStore
  let keys: Keyring
  let composer: any VerificationMailComposer
  let policy: VerificationPolicy
  let now: @Sendable () -> Timestamp
  let random: @Sendable () -> UInt64
  let writer: OutboxWriter
  let rateLimitKeys: RateLimitKeys

  /// A service on `store`, whose addresses, codes and requests `keys` keep to themselves.
  ///
  /// - Parameters:
  ///   - store: Where verifications are kept, in one transaction with the outbox.
  ///   - keys: The keys that the store's database belongs to.
  ///   - words: What makes the mails.
  ///   - policy: How long codes live and how often they may be tried and sent.
  ///   - now: The clock.
  ///   - random: 64 random bits that nobody can foretell; by default the kernel's.
  ///   - dispatch: Who sends the mail in this process; `nil`: it waits in the outbox for one in another.
  public init(
    store: any VerificationStore, keys: Keyring, composer: any VerificationMailComposer,
    policy: VerificationPolicy = VerificationPolicy(),
    now: @escaping @Sendable () -> Timestamp = Timestamp.now,
    random: (@Sendable () -> UInt64)? = nil,
    dispatch: (any ImmediateDispatch)? = nil
  ) {
    self.store = store
    self.keys = keys
    self.composer = composer
    self.policy = policy
    self.now = now
    self.random = random ?? SecureRandom.number
    writer = OutboxWriter(dispatch: dispatch)
    rateLimitKeys = RateLimitKeys(keys: keys)
  }

  /// The present moment by the service's clock.
  public func currentTime() -> Timestamp { now() }

  /// How it stands with the verification called `id`, and with its mail.
  public func status(_ id: String) async throws(VerificationError) -> Verification {
    let now = now()
    return try await read { rows in
      guard let record = try rows.verification(id) else { throw VerificationError.unknown }
      return try snapshot(record, rows, at: now)
    }
  }

  /// Takes a pending verification back; its mail isn't sent if it still waits. Once more changes nothing.
  public func cancel(_ id: String) async throws(VerificationError) -> Verification {
    let now = now()
    return try await transact { rows in
      guard var record = try rows.verification(id) else { throw VerificationError.unknown }
      _ = record.clampFutureTimes(at: now, lifetime: policy.lifetime)
      switch record.state(at: now) {
      case .pending:
        record.transition(to: .cancelled, at: now)
        try rows.update(record)
        try rows.cancelMail(record.mail, at: now)
      case .cancelled: break
      case let state: throw VerificationError.ended(state)
      }
      return try snapshot(record, rows, at: now)
    }
  }

  /// Deletes what was kept long enough, up to `limit` rows of each kind; says whether there is more.
  ///
  /// Starts and checks do some of it now and then, so that a program without a dispatcher doesn't grow either.
  @discardableResult
  public func sweep(limit: Int = 500) async throws(VerificationError) -> Bool {
    let sweep = policy.sweep(at: now(), limit: limit)
    return try await transact { rows in try rows.sweep(sweep) }
  }

  /// What one in sixteen starts and checks does: 16 rows of each kind for each of them, of which a start adds at
  /// most three and a check one.
  func occasionalSweep(at now: Timestamp) -> VerificationSweep? {
    random().isMultiple(of: 16) ? policy.sweep(at: now, limit: 256) : nil
  }

  /// The verification as its owner sees it.
  func snapshot(
    _ record: VerificationRecord, _ rows: any VerificationTransaction, at now: Timestamp
  ) throws -> Verification {
    let recipient = try recipient(of: record)
    let state = record.state(at: now)
    var limiter = VerificationRateLimiter(rows: rows, now: now)
    return try snapshot(
      record, recipient, mail: rows.mail(record.mail),
      resendRules: state == .pending && record.generation < policy.sends
        ? resendRules(record, recipient) : nil, &limiter)
  }

  /// The same by what is known already; `resendRules` where a resend is only a matter of time.
  func snapshot(
    _ record: VerificationRecord, _ recipient: VerificationRecipient, mail: OutboxEntry?,
    resendRules: [VerificationRateLimiter.Rule]?, _ limiter: inout VerificationRateLimiter
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
      attemptsRemaining: isPending ? max(policy.attempts - record.attempts, 0) : 0, digits: policy.digits,
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

  /// Adds a mail in a transaction of which `body` is told the entry, and hands it over once that is durable.
  ///
  /// `body` gives `nil` where it added none after all.
  func send<Value: Sendable>(
    _ preparedMail: PreparedMail,
    _ body: @escaping @Sendable (OutboxEntry, any VerificationTransaction) throws -> Value?
  ) async throws(VerificationError) -> Value? {
    try await writer.write(preparedMail.entry, preparedMail.mail) { entry throws(VerificationError) in
      try await transact { rows in try body(entry, rows) }
    }
  }

  func transact<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(VerificationError) -> Value {
    try await VerificationService.run(store.transact, body)
  }

  func read<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(VerificationError) -> Value {
    try await VerificationService.run(store.read, body)
  }

  /// A refusal is no problem of the store's: it comes back as a value, and what was done before it stays.
  private static func run<Value: Sendable>(
    _ run: (
      @escaping @Sendable (any VerificationTransaction) throws -> Result<Value, VerificationError>
    ) async throws(StorageError) -> Result<Value, VerificationError>,
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(VerificationError) -> Value {
    let result: Result<Value, VerificationError>
    do throws(StorageError) {
      result = try await run { rows in
        do {
          return .success(try body(rows))
        } catch let problem as VerificationError {
          return .failure(problem)
        }
      }
    } catch {
      throw .storage(error)
    }
    return try result.get()
  }
}

extension VerificationService {
  /// A mail ready for the outbox, and what is kept of its code.
  struct PreparedMail: Sendable {
    var mail: Mail
    var entry: OutboxEntry
    var digest: [UInt8]
    var expires: Timestamp
    var language: String?
  }

  func preparedMail(
    _ request: StoredVerificationRequest, id: String, purpose: String, recipient: VerificationRecipient,
    generation: Int,
    at now: Timestamp
  ) throws(VerificationError) -> PreparedMail {
    let code = VerificationCode.random(digits: policy.digits, random)
    let composed = try composer.mail(
      for: VerificationMailRequest(
        to: recipient.address, message: request.message, languages: request.languages,
        variables: request.variables, code: request.isNotice ? nil : code, validFor: policy.lifetime))
    // A notice's code is one that nobody can type, so that it needs no mark in the store.
    let storedCode = request.isNotice ? RandomString.make(26, random) : code
    let digest = keys.codeDigest(
      VerificationService.codeDigestInput(
        of: storedCode, purpose: purpose, recipient: recipient, id: id, generation: generation))
    let expires = now + policy.lifetime
    let entry = OutboxEntry(
      id: composed.mail.id, lane: .code, created: now, notAfter: expires, unknown: composed.unknown,
      group: id,
      content: keys.seal(OutboxContent(composed.mail).bytes, id: composed.mail.id))
    return PreparedMail(
      mail: composed.mail, entry: entry, digest: digest, expires: expires, language: composed.language)
  }

  /// What a code's digest is made of; each part has its length in front.
  static func codeDigestInput(
    of code: String, purpose: String, recipient: VerificationRecipient, id: String, generation: Int
  ) -> [[UInt8]] {
    [
      Array(purpose.utf8), Array(recipient.identity.utf8), Array(id.utf8), UInt64(generation).bigEndianBytes,
      Array(code.utf8),
    ]
  }
}
