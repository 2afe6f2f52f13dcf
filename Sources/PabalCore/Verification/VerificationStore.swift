/// Where verifications and what limits them are kept, beside the outbox that their mail goes to.
public protocol VerificationStore: Sendable {
  /// Runs `body` as one transaction that nothing else runs beside; durable when it returns.
  ///
  /// `body` must not block and may run more than once; what it throws undoes it.
  func transact<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value

  /// Runs `body` on the last state there is; it must change nothing.
  func read<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value
}

/// What a transaction can do; every call sees what those before it did.
public protocol VerificationTransaction {
  /// The verification called `id`.
  func verification(_ id: String) throws -> VerificationRecord?
  /// The pending verifications whose identity is one of these digests.
  func pending(_ identities: [[UInt8]]) throws -> [VerificationRecord]
  /// Adds a verification.
  func insert(_ record: VerificationRecord) throws
  /// Writes all of a verification that can change.
  func update(_ record: VerificationRecord) throws
  /// Counts one more attempt in one conditional step, and says which it is; `nil` where the verification isn't
  /// pending or has had `limit` of them.
  func takeAttempt(_ id: String, atMost limit: Int) throws -> Int?

  /// The times of the newest `count` notes under any of these digests, the newest first, without the first
  /// `skipped` of them.
  func events(_ count: Int, skipping skipped: Int, under keys: [[UInt8]]) throws -> [Timestamp]
  /// Dates the notes under these digests that lie after `now` back to it.
  func clampFutureEvents(under keys: [[UInt8]], at now: Timestamp) throws
  /// Adds notes; those with a mail are deleted with the mail's rejection, in its transaction.
  func add(_ events: [RateLimitEvent]) throws

  /// The wrong codes in a row under any of these digests.
  func failures(under keys: [[UInt8]]) throws -> FailureCount?
  /// Replaces what there is under these digests by a count under the first; `nil`: by nothing.
  func set(_ failures: FailureCount?, under keys: [[UInt8]]) throws

  /// Adds a mail to the outbox.
  func enqueue(_ entry: OutboxEntry) throws
  /// Takes the mails of a verification back that wait, except for `newest`.
  func supersedeMail(of id: String, newest: String?, at now: Timestamp) throws
  /// Cancels a mail that isn't final.
  func cancelMail(_ id: String, at now: Timestamp) throws
  /// The mail called `id`, without its content.
  func mail(_ id: String) throws -> OutboxEntry?

  /// The newest request under any of these digests, however old.
  func request(under keys: [[UInt8]]) throws -> IdempotencyRecord?
  /// Keeps a request; an older one of the same digest makes room.
  func remember(_ request: IdempotencyRecord) throws
  /// Deletes up to `limit` requests that are older than `IdempotencyKey.lifetime` at `now`, and dates those that lie
  /// after it back to it; says whether the limit left something.
  func sweepRequests(at now: Timestamp, limit: Int) throws -> Bool

  /// Ends and deletes what is too old, requests too; says whether the limit left something.
  func sweep(_ sweep: VerificationSweep) throws -> Bool
}

/// That something limited was done.
public struct RateLimitEvent: Sendable, Hashable {
  /// The digest of what it counts for.
  package var key: [UInt8]
  /// When it was done.
  package var at: Timestamp
  /// The mail whose rejection takes the note back.
  package var mail: String?

  /// That something limited was done.
  package init(key: [UInt8], at: Timestamp, mail: String?) {
    self.key = key
    self.at = at
    self.mail = mail
  }
}

/// So many wrong codes in a row.
public struct FailureCount: Sendable, Hashable {
  /// How many.
  package var count: Int
  /// When the last one came.
  package var last: Timestamp

  /// So many wrong codes in a row.
  package init(count: Int, last: Timestamp) {
    self.count = count
    self.last = last
  }
}

/// The housekeeping to do.
public struct VerificationSweep: Sendable, Hashable {
  /// Pending verifications that expire then or before have expired.
  package var now: Timestamp
  /// Verifications that ended then or before are deleted.
  package var ended: Timestamp
  /// Notes from then or before are deleted.
  package var events: Timestamp
  /// Wrong codes in a row whose last came then or before are forgotten.
  package var failures: Timestamp
  /// How many of each kind at most.
  package var limit: Int

  /// The housekeeping to do.
  package init(now: Timestamp, ended: Timestamp, events: Timestamp, failures: Timestamp, limit: Int) {
    self.now = now
    self.ended = ended
    self.events = events
    self.failures = failures
    self.limit = limit
  }
}
