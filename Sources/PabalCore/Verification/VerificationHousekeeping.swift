/// Ends and deletes verifications and their notes in their time, for whoever runs as long as the store is used.
public struct VerificationCleanup: Sendable {
  private let store: any VerificationStore
  private let policy: VerificationPolicy
  private let now: @Sendable () -> Timestamp

  /// The housekeeping of `store` by `policy`.
  public init(
    store: any VerificationStore, policy: VerificationPolicy = VerificationPolicy(),
    now: @escaping @Sendable () -> Timestamp = Timestamp.now
  ) {
    self.store = store
    self.policy = policy
    self.now = now
  }

  /// Deletes all that was kept long enough, `limit` rows of each kind in a transaction, so that others get theirs
  /// in between; ends early when the task is cancelled.
  public func sweep(limit: Int = 500) async throws(StorageError) {
    let sweep = policy.sweep(at: now(), limit: limit)
    while try await store.transact({ rows in try rows.sweep(sweep) }), !Task.isCancelled {}
  }
}

extension VerificationPolicy {
  /// What is due at `now`.
  func sweep(at now: Timestamp, limit: Int) -> VerificationSweep {
    VerificationSweep(
      now: now, ended: now - retention, events: now - longestWindow,
      failures: now - VerificationPolicy.failureRetention, limit: limit)
  }
}
