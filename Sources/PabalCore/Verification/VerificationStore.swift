/// A store of verifications and their limits, in the same transactions as the outbox that their mail goes to.
public protocol VerificationStore: OutboxStore {
  /// Runs `body` as one transaction, which is durable when this returns.
  ///
  /// `body` may touch only the rows in `footprint`. It must not block, and it may run more than once, so it must not
  /// have effects outside the transaction. An error that it throws undoes the transaction.
  func transact<Value: Sendable>(
    footprint: VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value

  /// Runs `body` as one transaction on the verification `id`, whose record it receives as it is inside the
  /// transaction; `nil` if there isn't one.
  ///
  /// The footprint follows from parts of the record that never change, such as its identity. So a store that locks
  /// may read the record first, without a lock, then lock the footprint and read the record again. A store that
  /// runs one transaction at a time reads it once, and needs the footprint only to check the body.
  func transact<Value: Sendable>(
    verification id: String, footprint: @escaping @Sendable (VerificationRecord) -> VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction, VerificationRecord?) throws -> Value
  ) async throws(StorageError) -> Value

  /// Runs `body` on the last committed state, without locks. `body` must not write and may run more than once.
  func read<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value

  /// Expires and deletes old rows, requests too, in a transaction of its own. Returns whether the limit left any.
  func sweep(_ sweep: VerificationSweep) async throws(StorageError) -> Bool
}

/// The operations of a transaction on verifications. Each sees the effects of those before it.
public protocol VerificationTransaction: OutboxTransaction {
  /// Returns the verification with this id.
  func verification(_ id: String) throws -> VerificationRecord?
  /// Returns the pending verifications whose identity is one of these digests, the newest first.
  func pending(_ identities: [[UInt8]]) throws -> [VerificationRecord]
  /// Returns up to `limit` verifications of any state whose mailbox is one of these digests, the newest first.
  func verifications(of mailboxes: [[UInt8]], limit: Int) throws -> [VerificationRecord]
  /// Returns up to `limit` verifications whose id ends with `suffix`, which is at least a reference, the newest
  /// first.
  func verifications(withSuffix suffix: String, limit: Int) throws -> [VerificationRecord]
  /// Adds a verification.
  func insert(_ record: VerificationRecord) throws
  /// Writes the mutable properties of a verification.
  func update(_ record: VerificationRecord) throws
  /// Counts one more attempt in one conditional update. Returns its number, or `nil` if the verification isn't
  /// pending or has had `limit` attempts.
  func takeAttempt(_ id: String, atMost limit: Int) throws -> Int?

  /// Returns the times of up to `count` events under any of these digests, the newest first, after skipping the
  /// first `skipped`.
  func events(_ count: Int, skipping skipped: Int, under keys: [[UInt8]]) throws -> [Timestamp]
  /// Moves events under these digests that are dated after `now` back to `now`.
  func clampFutureEvents(under keys: [[UInt8]], at now: Timestamp) throws
  /// Adds events. Those with a mail are deleted in the transaction that settles the mail as rejected, at most once in
  /// `VerificationPolicy.refundInterval` for each key whose event counts refunds. That transaction also ends the
  /// verification of the mail, if it is pending and has no newer mail.
  func add(_ events: [RateLimitEvent]) throws

  /// Returns the newest count of consecutive wrong codes under any of these digests.
  func failures(under keys: [[UInt8]]) throws -> FailureCount?
  /// Replaces the counts under these digests with one under the first, or with none for `nil`.
  func set(_ failures: FailureCount?, under keys: [[UInt8]]) throws

  /// Supersedes the unfinished mails of a verification, except for `newest`.
  func supersedeMail(of id: String, newest: String?, at now: Timestamp) throws
  /// Cancels a mail that isn't final.
  func cancelMail(_ id: String, at now: Timestamp) throws
}

/// The rows that a transaction on verifications may touch, declared before it runs; see ``OutboxFootprint``.
///
/// An identity covers all verifications of its recipient and purpose, and their mails, including those that the
/// transaction only finds through another row. That works because every transaction on a verification declares its
/// identity. Rows of the outbox are also changed by dispatchers and sweeps, which take no such lock, so a store
/// changes them by conditional statements only; so does the settlement of a rejected mail, which ends its verification
/// if that is still pending.
public struct VerificationFootprint: Sendable, Hashable {
  /// The digests of recipient and purpose.
  package var identities: [[UInt8]]
  /// The digests under which events are counted for a recipient or client.
  package var events: [[UInt8]]
  /// The digests under which events are counted over all recipients. They are not locked, because such a lock would
  /// run all starts one after the other.
  package var sharedEvents: [[UInt8]]
  /// The digests under which consecutive wrong codes are counted.
  package var failures: [[UInt8]]
  /// The ids of verifications.
  package var verifications: [String]
  /// The mails and requests.
  package var outbox: OutboxFootprint

  /// A footprint of these rows.
  package init(
    identities: [[UInt8]] = [], events: [[UInt8]] = [], sharedEvents: [[UInt8]] = [],
    failures: [[UInt8]] = [], verifications: [String] = [], outbox: OutboxFootprint = OutboxFootprint()
  ) {
    self.identities = identities
    self.events = events
    self.sharedEvents = sharedEvents
    self.failures = failures
    self.verifications = verifications
    self.outbox = outbox
  }
}

/// The record of a rate-limited action.
public struct RateLimitEvent: Sendable, Hashable {
  /// The digest under which the action counts.
  package var key: [UInt8]
  /// When the action happened.
  package var at: Timestamp
  /// The mail whose rejection deletes the event.
  package var mail: String?
  /// Whether the refunds of events with the same mail are counted under this key.
  package var countsRefunds: Bool

  /// The record of an action.
  package init(key: [UInt8], at: Timestamp, mail: String?, countsRefunds: Bool = false) {
    self.key = key
    self.at = at
    self.mail = mail
    self.countsRefunds = countsRefunds
  }
}

/// A count of consecutive wrong codes.
public struct FailureCount: Sendable, Hashable {
  /// The number of wrong codes.
  package var count: Int
  /// The time of the last one.
  package var last: Timestamp

  /// A count of wrong codes.
  package init(count: Int, last: Timestamp) {
    self.count = count
    self.last = last
  }
}

/// The limits of one round of housekeeping. All times are inclusive.
public struct VerificationSweep: Sendable, Hashable {
  /// Pending verifications that expire by this time are marked as expired.
  package var now: Timestamp
  /// Verifications that ended by this time are deleted.
  package var ended: Timestamp
  /// Events up to this time are deleted.
  package var events: Timestamp
  /// Refunds up to this time are forgotten.
  package var refunds: Timestamp
  /// Counts of wrong codes that were last changed by this time are deleted.
  package var failures: Timestamp
  /// The maximum number of rows of each kind.
  package var limit: Int

  /// A round of housekeeping.
  package init(
    now: Timestamp, ended: Timestamp, events: Timestamp, refunds: Timestamp, failures: Timestamp, limit: Int
  ) {
    self.now = now
    self.ended = ended
    self.events = events
    self.refunds = refunds
    self.failures = failures
    self.limit = limit
  }
}
