/// The durable queue of mail.
///
/// Every call is one transaction, and mail that a call has acknowledged survives a crash. The store sees sealed
/// content only, and the caller supplies the clock.
public protocol Outbox: Sendable {
  /// Adds mail, all or none, durably. An entry whose id exists already is ignored.
  func add(_ entries: [OutboxEntry]) async throws(StorageError)

  /// Claims waiting mail that is due, by lane and due time, and returns it with its content. Each mail goes to
  /// exactly one process.
  func claim(_ claim: OutboxClaim) async throws(StorageError) -> [OutboxEntry]

  /// Records how attempts ended. Returns each entry as it is afterwards, or `nil` where the lease was lost and
  /// nothing changed.
  func settle(_ settlements: [OutboxSettlement]) async throws(StorageError) -> [OutboxEntry?]

  /// Extends the leases that `lease.owner` holds on the mails `ids` to `lease.until`. Returns the ids that it holds.
  func extend(_ ids: [String], _ lease: OutboxEntry.Lease) async throws(StorageError) -> Set<String>

  /// Returns the mails, counts and transport states that `query` asks for.
  func read(_ query: OutboxQuery) async throws(StorageError) -> OutboxView

  /// Changes mail outside of an attempt. Returns how many mails it changed.
  @discardableResult
  func amend(_ amendment: OutboxAmendment, now: Timestamp) async throws(StorageError) -> Int

  /// Changes the transport states that all processes share, and returns them as they are afterwards. `change` runs
  /// inside the transaction, possibly more than once, and must not block.
  func transports(
    _ change: @escaping @Sendable (inout [String: TransportState]) -> Void
  ) async throws(StorageError) -> [String: TransportState]

  /// Expires late mail, releases expired leases and deletes old entries, a limited number of each. Returns when the
  /// next work is due.
  func sweep(_ sweep: OutboxSweep) async throws(StorageError) -> OutboxForecast
}
