/// A store that runs transactions on the outbox and on the requests remembered beside it.
///
/// Protocols that store more in the same transaction refine this one.
public protocol OutboxStore: Sendable {
  /// Runs `body` as one transaction, which is durable when this returns.
  ///
  /// `body` may touch only the rows in `footprint`. It must not block, and it may run more than once, so it must not
  /// have effects outside the transaction. An error that it throws undoes the transaction.
  func transactMail<Value: Sendable>(
    footprint: OutboxFootprint, _ body: @escaping @Sendable (any OutboxTransaction) throws -> Value
  ) async throws(StorageError) -> Value

  /// Runs `body` on the last committed state, without locks. `body` must not write and may run more than once.
  func readMail<Value: Sendable>(
    _ body: @escaping @Sendable (any OutboxTransaction) throws -> Value
  ) async throws(StorageError) -> Value

  /// Deletes up to `limit` requests older than `IdempotencyKey.lifetime`, in a transaction of its own, and moves
  /// requests dated after `now` back to `now`. Returns whether the limit left any.
  func sweepRequests(at now: Timestamp, limit: Int) async throws(StorageError) -> Bool
}

/// The operations of a transaction that queues mail. Each sees the effects of those before it.
public protocol OutboxTransaction {
  /// Adds a mail to the outbox, unless its id exists already.
  func enqueue(_ entry: OutboxEntry) throws
  /// Returns the mail with this id, without its content.
  func mail(_ id: String) throws -> OutboxEntry?

  /// Returns the newest request under any of these digests, whatever its age.
  func request(under keys: [[UInt8]]) throws -> IdempotencyRecord?
  /// Stores a request, replacing an older one with the same digest.
  func remember(_ request: IdempotencyRecord) throws
}

/// The rows that a transaction on the outbox may touch, declared before it runs.
///
/// A store that runs several transactions at once locks these rows first, in an order of its own, and may fetch
/// them in one trip before it runs the body. A store that runs one transaction at a time ignores the footprint; in
/// debug builds it stops the program when a body leaves it.
public struct OutboxFootprint: Sendable, Hashable {
  /// The digests of idempotency keys.
  package var requests: [[UInt8]]
  /// The ids of mails.
  package var mails: [String]

  /// A footprint of these rows.
  package init(requests: [[UInt8]] = [], mails: [String] = []) {
    self.requests = requests
    self.mails = mails
  }
}
