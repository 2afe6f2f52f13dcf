/// Where finished mail comes in to be queued: once for each idempotency key, durable when it is answered.
public struct MailSubmission: Sendable {
  private let store: any VerificationStore
  private let keys: Keyring
  private let now: @Sendable () -> Timestamp
  private let random: @Sendable () -> UInt64
  private let writer: OutboxWriter

  /// A front door to the outbox beside `store`, whose content `keys` seal.
  ///
  /// - Parameters:
  ///   - store: Where keys are remembered, in one transaction with the outbox.
  ///   - keys: The keys that the store's database belongs to.
  ///   - now: The clock.
  ///   - random: 64 random bits, by default the kernel's; they decide when old keys are swept out.
  ///   - dispatch: Who sends the mail in this process; `nil`: it waits in the outbox for one in another.
  public init(
    store: any VerificationStore, keys: Keyring, now: @escaping @Sendable () -> Timestamp = Timestamp.now,
    random: (@Sendable () -> UInt64)? = nil,
    dispatch: (any ImmediateDispatch)? = nil
  ) {
    self.store = store
    self.keys = keys
    self.now = now
    self.random = random ?? SecureRandom.number
    writer = OutboxWriter(dispatch: dispatch)
  }

  /// Adds `mail`; where a request of the same key and payload added one before, gives that one and adds none.
  ///
  /// - Parameters:
  ///   - mail: The mail, finished.
  ///   - lane: How urgent it is.
  ///   - notAfter: From when on it is too late to hand it over; `nil`: never.
  ///   - unknown: What becomes of it when nobody knows whether it was taken.
  ///   - key: What the request is known by; `nil`: each request is a new one.
  public func add(
    _ mail: Mail, lane: Lane = .normal, notAfter: Timestamp? = nil, unknown: UnknownPolicy = .resend,
    idempotencyKey key: IdempotencyKey?
  ) async throws(MailSubmissionError) -> IdempotentResult<MailStatus> {
    let sealed = keys.seal(OutboxContent(mail).bytes, id: mail.id)
    let request = key.map { IdempotentRequest($0, .mail, keys: keys) }
    while true {
      let now = now()
      if let request, let existingMail = try await existingMail(request, at: now) {
        return IdempotentResult(value: existingMail, isReplay: true)
      }
      let entry = OutboxEntry(
        id: mail.id, lane: lane, created: now, notAfter: notAfter, unknown: unknown, content: sealed)
      let sweeps = random().isMultiple(of: 16)
      let added = try await writer.write(entry, mail) { entry throws(MailSubmissionError) in
        try await run(store.transact) { rows -> MailStatus? in
          if sweeps { _ = try rows.sweepRequests(at: now, limit: 256) }
          if let request {
            // The same request came beside this one, and was first.
            guard try request.priorResult(rows, at: now) == .none else { return nil }
            try request.remember(entry.id, rows, at: now)
          }
          try rows.enqueue(entry)
          return MailStatus(entry)
        }
      }
      if let added { return IdempotentResult(value: added, isReplay: false) }
    }
  }

  /// The mail that a request of this key and payload added before, as it is now; `nil`: none did.
  ///
  /// Who asks this first need not make a mail for nothing; `add` asks again.
  public func existingMail(_ key: IdempotencyKey) async throws(MailSubmissionError) -> MailStatus? {
    try await existingMail(IdempotentRequest(key, .mail, keys: keys), at: now())
  }

  /// How it stands with the mail called `id`; `nil` where there is none, or the outbox has forgotten it.
  public func status(_ id: String) async throws(MailSubmissionError) -> MailStatus? {
    try await run(store.read) { rows in try rows.mail(id).map(MailStatus.init) }
  }

  private func existingMail(
    _ request: IdempotentRequest, at now: Timestamp
  ) async throws(MailSubmissionError) -> MailStatus? {
    let (priorResult, mail) = try await run(store.read) { rows in
      let priorResult = try request.priorResult(rows, at: now)
      guard case .replay(let id) = priorResult else { return (priorResult, OutboxEntry?.none) }
      return (priorResult, try rows.mail(id))
    }
    switch priorResult {
    case .none: return nil
    case .reused: throw .reused
    case .replay:
      guard let mail else { throw .mailDeleted }
      return MailStatus(mail)
    }
  }

  private func run<Value: Sendable>(
    _ run: (
      @escaping @Sendable (any VerificationTransaction) throws -> Value
    ) async throws(StorageError) -> Value,
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(MailSubmissionError) -> Value {
    do throws(StorageError) {
      return try await run(body)
    } catch {
      throw .storage(error)
    }
  }
}

/// Why a mail was not taken in, or can't be told of.
public enum MailSubmissionError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The idempotency key came before, with another payload.
  case reused
  /// The request came before, and the outbox keeps its mail no longer.
  case mailDeleted
  /// The store could not do it.
  case storage(StorageError)

  /// What is wrong; one sentence without its full stop.
  public var description: String {
    switch self {
    case .reused: "the idempotency key came before with another payload"
    case .mailDeleted: "the mail that this idempotency key brought is no longer kept"
    case .storage(let problem): problem.description
    }
  }
}
