/// Queues finished mail: once for each idempotency key, and durably before it returns.
public struct MailSubmission: Sendable {
  private let store: any OutboxStore
  private let keys: Keyring
  private let now: @Sendable () -> Timestamp
  private let occasionalSweep: OccasionalSweep
  private let writer: OutboxWriter
  private let routes: SenderRoutes
  private var caller = Caller.unrestricted

  /// Queues mail in the outbox of `store`, with its content sealed by `keys`.
  ///
  /// - Parameters:
  ///   - store: Stores mail and idempotency keys in one transaction.
  ///   - keys: The keys that the store's database belongs to.
  ///   - now: The clock.
  ///   - random: Returns 64 random bits, by default from the kernel. They decide when expired idempotency keys are
  ///     deleted.
  ///   - routes: The routes of mail by the domain of its author.
  ///   - dispatch: Sends the mail in this process. If it is `nil`, the mail waits for a dispatcher in another one.
  public init(
    store: any OutboxStore, keys: Keyring, now: @escaping @Sendable () -> Timestamp = Timestamp.now,
    random: (@Sendable () -> UInt64)? = nil, routes: SenderRoutes = SenderRoutes(),
    dispatch: (any ImmediateDispatch)? = nil
  ) {
    self.store = store
    self.keys = keys
    self.now = now
    occasionalSweep = OccasionalSweep(random: random ?? SecureRandom.number)
    writer = OutboxWriter(dispatch: dispatch)
    self.routes = routes
  }

  /// Returns the submission on behalf of `caller`: what it queues belongs to it, and it finds no mail of another client.
  public func acting(for caller: Caller) -> MailSubmission {
    var submission = self
    submission.caller = caller
    return submission
  }

  /// Queues `mail`, or returns the mail that an earlier request with the same key and payload queued.
  ///
  /// - Parameters:
  ///   - mail: The finished mail.
  ///   - lane: Its priority.
  ///   - notAfter: When the mail expires if it hasn't been handed over; `nil`: never.
  ///   - unknown: What follows an attempt whose result is unknown.
  ///   - key: Identifies the request; `nil`: every request is new.
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
        id: mail.id, lane: lane, created: now, notAfter: notAfter, unknown: unknown, caller: caller,
        route: routes.key(for: mail), content: sealed
      ).addressed(to: mail.envelope.recipients, keys)
      let added = try await occasionalSweep.run {
        _ = try await store.sweepRequests(at: now, limit: OccasionalSweep.limit)
      } beside: { () throws(MailSubmissionError) in
        try await add(entry, mail, request, at: now)
      }
      if let added { return IdempotentResult(value: added, isReplay: false) }
    }
  }

  /// Queues `mail` unless the outbox has a mail with its id already, which then stays as it is.
  ///
  /// For a mail that was submitted by SMTP or `sendmail`, which may have been given its id before, and then may be submitted
  /// again with it. Returns `false` if the mail with this id belongs to another caller; then nothing was queued.
  ///
  /// - Parameters:
  ///   - mail: The finished mail.
  ///   - lane: Its priority.
  ///   - notAfter: When the mail expires if it hasn't been handed over; `nil`: never.
  ///   - unknown: What follows an attempt whose result is unknown.
  ///   - reporting: Whether the sender gets delivery reports, or why not.
  ///   - report: The reports for its sender, if `reporting` is `.sender`.
  ///   - route: The key of its submitter's route; `nil`: the mail takes that of its author's domain.
  package func addOnce(
    _ mail: Mail, lane: Lane = .normal, notAfter: Timestamp? = nil, unknown: UnknownPolicy = .resend,
    reporting: Reporting = .none, report: ReportRequest? = nil, route: String? = nil
  ) async throws(MailSubmissionError) -> Bool {
    let now = now()
    let content = OutboxContent(mail, report: reporting == .sender ? report : nil)
    let entry = OutboxEntry(
      id: mail.id, lane: lane, created: now, notAfter: notAfter, unknown: unknown, ownedBy: caller.storedName,
      reporting: reporting, route: route ?? routes.key(for: mail),
      content: keys.seal(content.bytes, id: mail.id)
    ).addressed(to: mail.envelope.recipients, keys)
    if try await add(entry, mail, nil, at: now, isRepeatable: true) != nil { return true }
    let owner = try await catchingStorageError { () throws(StorageError) in
      try await store.readMail { try $0.mail(entry.id)?.caller }
    }
    return owner == entry.caller
  }

  /// Returns the mail that an earlier request with this key and payload queued, in its current state.
  ///
  /// Asking before `add` saves composing a mail that would not be queued. `add` checks the key again.
  public func existingMail(_ key: IdempotencyKey) async throws(MailSubmissionError) -> MailStatus? {
    try await existingMail(IdempotentRequest(key, .mail, keys: keys), at: now())
  }

  /// Returns the status of the mail `id`, or `nil` if it doesn't exist or has been deleted.
  public func status(_ id: String) async throws(MailSubmissionError) -> MailStatus? {
    try await catchingStorageError { () throws(StorageError) in
      try await store.readMail { transaction in
        try transaction.mail(id).flatMap { caller.mayUse($0.caller) ? MailStatus($0) : nil }
      }
    }
  }

  /// Returns `nil` if a concurrent request with the same key was first, or if the mail `isRepeatable` and exists.
  private func add(
    _ entry: OutboxEntry, _ mail: Mail, _ request: IdempotentRequest?, at now: Timestamp,
    isRepeatable: Bool = false
  ) async throws(MailSubmissionError) -> MailStatus? {
    let footprint = OutboxFootprint(requests: request?.footprint ?? [], mails: [entry.id])
    return try await writer.write(entry, mail) { entry throws(MailSubmissionError) in
      try await catchingStorageError { () throws(StorageError) in
        try await store.transactMail(footprint: footprint) { transaction -> MailStatus? in
          if let request {
            guard try request.priorResult(transaction, at: now) == .none else { return nil }
            try request.remember(entry.id, transaction, at: now)
          }
          // The store would ignore the entry, but the mail would be dispatched again.
          if isRepeatable, try transaction.mail(entry.id) != nil { return nil }
          try transaction.enqueue(entry)
          return MailStatus(entry)
        }
      }
    }
  }

  private func existingMail(
    _ request: IdempotentRequest, at now: Timestamp
  ) async throws(MailSubmissionError) -> MailStatus? {
    let (priorResult, mail) = try await catchingStorageError { () throws(StorageError) in
      try await store.readMail { transaction in
        let priorResult = try request.priorResult(transaction, at: now)
        guard case .replay(let id) = priorResult else { return (priorResult, OutboxEntry?.none) }
        return (priorResult, try transaction.mail(id))
      }
    }
    switch priorResult {
    case .none: return nil
    case .reused: throw .reused
    case .replay:
      guard let mail else { throw .mailDeleted }
      return MailStatus(mail)
    }
  }

  private func catchingStorageError<Value: Sendable>(
    _ body: () async throws(StorageError) -> Value
  ) async throws(MailSubmissionError) -> Value {
    do throws(StorageError) {
      return try await body()
    } catch {
      throw .storage(error)
    }
  }
}

/// The reason why a mail was not queued, or its status is not available.
public enum MailSubmissionError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The idempotency key was used before with another payload.
  case reused
  /// The request was made before, and its mail has been deleted since.
  case mailDeleted
  /// The store failed.
  case storage(StorageError)

  /// One sentence without its full stop.
  public var description: String {
    switch self {
    case .reused: "the idempotency key was used before with another payload"
    case .mailDeleted: "the mail of this idempotency key has been deleted"
    case .storage(let error): error.description
    }
  }
}
