internal import Synchronization

/// An outbox that a crash empties: for tests, and for programs that can lose mail.
public final class MemoryOutbox: Outbox {
  private let rows = Mutex(MemoryOutboxTable())

  /// An empty outbox.
  public init() {}

  /// Runs `body` on the rows as one transaction: what a thrown error leaves is as it was before.
  package func transact<Value, Failure: Error>(
    _ body: (inout sending MemoryOutboxTable) throws(Failure) -> sending Value
  ) throws(Failure) -> sending Value {
    try rows.withLock { rows throws(Failure) in
      let before = rows
      do throws(Failure) {
        return try body(&rows)
      } catch {
        rows = before
        throw error
      }
    }
  }

  /// Adds mail, all or none.
  public func add(_ entries: [OutboxEntry]) async throws(StorageError) {
    transact { for entry in entries { $0.add(entry) } }
  }

  /// Takes waiting mail that is due.
  public func claim(_ claim: OutboxClaim) async throws(StorageError) -> [OutboxEntry] {
    transact { $0.claim(claim) }
  }

  /// Takes down how attempts ended.
  public func settle(_ settlements: [OutboxSettlement]) async throws(StorageError) -> [OutboxEntry?] {
    transact { rows in settlements.map { rows.settle($0) } }
  }

  /// Extends leases.
  public func extend(
    _ ids: [String], _ lease: OutboxEntry.Lease
  ) async throws(StorageError) -> Set<String> {
    transact { $0.extend(ids, lease) }
  }

  /// Gives what is in the outbox.
  public func read(_ query: OutboxQuery) async throws(StorageError) -> OutboxView {
    transact { $0.read(query) }
  }

  /// Changes mail from outside of an attempt.
  @discardableResult
  public func amend(
    _ amendment: OutboxAmendment, now: Timestamp
  ) async throws(StorageError) -> Int {
    transact { $0.amend(amendment, now: now) }
  }

  /// Changes what is known of the transports.
  public func transports(
    _ change: @escaping @Sendable (inout [String: TransportState]) -> Void
  ) async throws(StorageError) -> [String: TransportState] {
    transact { rows in
      change(&rows.transports)
      return rows.transports
    }
  }

  /// Does the housekeeping.
  public func sweep(_ sweep: OutboxSweep) async throws(StorageError) -> OutboxForecast {
    transact { $0.sweep(sweep) }
  }
}
