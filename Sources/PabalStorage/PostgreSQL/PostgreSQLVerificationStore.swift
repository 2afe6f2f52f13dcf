public import PabalCore

/// The verifications in a PostgreSQL database, in the same transactions as the outbox there.
public struct PostgreSQLVerificationStore: VerificationStore {
  private let pool: PostgreSQLPool
  private let batches: PostgreSQLBatches

  init(_ pool: PostgreSQLPool, _ batches: PostgreSQLBatches) {
    self.pool = pool
    self.batches = batches
  }

  /// Runs `body` as one transaction, which shares its commit with others that wait.
  public func transact<Value: Sendable>(
    footprint: VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value { try await batches.run(footprint, body) }

  /// Runs `body` as one transaction, with the verification `id`.
  public func transact<Value: Sendable>(
    verification id: String, footprint: @escaping @Sendable (VerificationRecord) -> VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction, VerificationRecord?) throws -> Value
  ) async throws(StorageError) -> Value {
    try await batches.run(verification: id, footprint: footprint, body)
  }

  /// Runs `body` on the last committed state.
  public func read<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value { try await batches.read(body) }

  /// Runs `body` as one transaction on the outbox and the requests beside it.
  public func transactMail<Value: Sendable>(
    footprint: OutboxFootprint, _ body: @escaping @Sendable (any OutboxTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    try await batches.run(VerificationFootprint(outbox: footprint)) { try body($0) }
  }

  /// Runs `body` on the last committed state.
  public func readMail<Value: Sendable>(
    _ body: @escaping @Sendable (any OutboxTransaction) throws -> Value
  ) async throws(StorageError) -> Value { try await batches.read { try body($0) } }

  /// Deletes expired requests.
  public func sweepRequests(at now: Timestamp, limit: Int) async throws(StorageError) -> Bool {
    try await sweep(Self.requestSweep(now, limit), limit: limit)
  }

  /// Expires and deletes old rows.
  public func sweep(_ sweep: VerificationSweep) async throws(StorageError) -> Bool {
    let limit = PostgreSQLValue.int(sweep.limit)
    func delete(_ table: String, _ column: String, until time: Timestamp) -> PostgreSQLStatement {
      PostgreSQLStatement(
        """
        DELETE FROM pabal.\(table) WHERE ctid = ANY (ARRAY(
          SELECT ctid FROM pabal.\(table) WHERE \(column) <= $1 ORDER BY \(column) LIMIT $2 FOR UPDATE SKIP LOCKED))
        """, [.time(time), limit])
    }
    return try await self.sweep(
      Self.requestSweep(sweep.now, sweep.limit) + [
        PostgreSQLStatement(
          """
          UPDATE pabal.verification SET state = 'expired', ended = expires, request = NULL, revision = revision + 1
          WHERE number IN (
            SELECT number FROM pabal.verification WHERE state = 'pending' AND expires <= $1
            ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED)
          """, [.time(sweep.now), limit]),
        PostgreSQLStatement(
          """
          DELETE FROM pabal.verification WHERE number IN (
            SELECT number FROM pabal.verification WHERE ended IS NOT NULL AND ended <= $1
            ORDER BY ended LIMIT $2 FOR UPDATE SKIP LOCKED)
          """, [.time(sweep.ended), limit]),
        delete("limit_note", "at", until: sweep.events), delete("refund", "at", until: sweep.refunds),
        delete("failure", "last", until: sweep.failures),
      ], limit: sweep.limit)
  }

  private static func requestSweep(_ now: Timestamp, _ limit: Int) -> [PostgreSQLStatement] {
    [
      PostgreSQLStatement(
        """
        DELETE FROM pabal.request WHERE key IN (
          SELECT key FROM pabal.request WHERE at <= $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)
        """, [.time(now - IdempotencyKey.lifetime), .int(limit)]),
      PostgreSQLStatement(
        """
        UPDATE pabal.request SET at = $1 WHERE key IN (
          SELECT key FROM pabal.request WHERE at > $1 ORDER BY at DESC LIMIT $2 FOR UPDATE SKIP LOCKED)
        """, [.time(now), .int(limit)]),
    ]
  }

  /// Runs statements that change up to `limit` rows each. Returns whether one of them reached the limit.
  private func sweep(_ statements: [PostgreSQLStatement], limit: Int) async throws(StorageError) -> Bool {
    try await pool.write { transaction throws(PostgreSQLError) in
      try transaction.runWriting(statements).contains { $0.count >= limit }
    }
  }
}
