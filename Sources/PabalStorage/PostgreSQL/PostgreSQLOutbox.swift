public import PabalCore
internal import Synchronization

/// The outbox in a PostgreSQL database, which any number of nodes share.
public final class PostgreSQLOutbox: Outbox {
  private let pool: PostgreSQLPool
  private let settlements: PostgreSQLCoalescer<OutboxSettlement, OutboxEntry?>
  private let notifier: PostgreSQLNotifier
  private let batches: PostgreSQLBatches
  // The turns of callers; they are kept in memory, because they only matter among mail that waits now.
  private let turns = Mutex(CallerTurns())

  init(_ pool: PostgreSQLPool, _ notifier: PostgreSQLNotifier, _ batches: PostgreSQLBatches) {
    self.pool = pool
    settlements = PostgreSQLCoalescer(pool, limit: 256) { settlements, transaction throws(PostgreSQLError) in
      try PostgreSQLSettlements(settlements).run(in: transaction)
    }
    self.notifier = notifier
    self.batches = batches
  }

  /// Adds mail, all or none, in a commit that concurrent calls share.
  public func add(_ entries: [OutboxEntry]) async throws(StorageError) {
    guard !entries.isEmpty else { return }
    try await batches.run(VerificationFootprint(outbox: OutboxFootprint(mails: entries.map(\.id)))) {
      for entry in entries { try $0.enqueue(entry) }
    }
  }

  /// Claims waiting mail that is due. Mail that another node is claiming is skipped.
  public func claim(_ claim: OutboxClaim) async throws(StorageError) -> [OutboxEntry] {
    try await pool.write { transaction throws(PostgreSQLError) in
      let lanes = Lane.allCases.filter { claim.wanted(of: $0, after: 0) > 0 }
      let found = try transaction.run(
        lanes.map { Self.candidates(claim, $0, limit: claim.wanted(of: $0, after: 0)) })
      var claimed: [PostgreSQLMailTable.NumberedEntry] = []
      for (lane, found) in zip(lanes, found) {
        let wanted = claim.wanted(of: lane, after: claimed.count)
        guard wanted > 0 else { continue }
        var queues: [String: [PostgreSQLMailTable.NumberedEntry]] = [:]
        for row in found.rows {
          var candidate = try PostgreSQLMailTable.NumberedEntry(row)
          candidate.entry.setContent(row.bytes(PostgreSQLMailTable.columnCount))
          queues[candidate.entry.caller, default: []].append(candidate)
        }
        let waiting = queues.map { caller, rows in
          (
            caller: caller,
            waiting: rows.sorted { ($0.entry.due, $0.number) < ($1.entry.due, $1.number) }
          )
        }.sorted { $0.caller < $1.caller }
        // A claim of one mail takes it out of turn.
        claimed +=
          claim.id != nil
          ? waiting.flatMap { $0.waiting.prefix(wanted) }
          : self.turns.withLock { $0.take(wanted, of: lane, routes: claim.routes, from: waiting) }
      }
      for index in claimed.indices {
        claimed[index].entry = claimed[index].entry.claimed(by: claim.lease)
      }
      for statement in PostgreSQLMailTable.update(claimed) { transaction.queue(statement) }
      return claimed.map(\.entry)
    }
  }

  /// Selects and locks up to `limit` mails of each route and caller in a lane, with their content.
  private static func candidates(_ claim: OutboxClaim, _ lane: Lane, limit: Int) -> PostgreSQLStatement {
    let isDue = """
      m.state = 'waiting' AND m.due <= $2 AND (m.not_after IS NULL OR m.not_after > $2 OR m.wish IS NOT NULL)
      """
    if let id = claim.id {
      return PostgreSQLStatement(
        """
        SELECT \(PostgreSQLMailTable.columns), c.sealed FROM pabal.mail AS m
          LEFT JOIN pabal.mail_content AS c ON c.mail = m.number
        WHERE m.id = $3 AND m.lane = $1 AND \(isDue) FOR UPDATE OF m SKIP LOCKED
        """, [.text(lane.rawValue), .time(claim.now), .text(id)])
    }
    let (isListed, routes) =
      switch claim.routes {
      case .only(let keys): (true, keys)
      case .except(let keys): (false, keys)
      }
    // The routes and callers with waiting mail, reading one entry of the index for each.
    return PostgreSQLStatement(
      """
      WITH RECURSIVE queue (route, caller) AS (
        (SELECT route, caller FROM pabal.mail WHERE state = 'waiting' AND lane = $1
          ORDER BY lane, route, caller LIMIT 1)
        UNION ALL
        SELECT next.route, next.caller FROM queue, LATERAL (
          SELECT route, caller FROM pabal.mail
          WHERE state = 'waiting' AND lane = $1 AND (route, caller) > (queue.route, queue.caller)
          ORDER BY lane, route, caller LIMIT 1) AS next
      ), chosen AS (
        SELECT route, caller FROM queue WHERE (route = ANY ($4)) = $5 LIMIT 1000
      )
      SELECT \(PostgreSQLMailTable.columns), c.sealed FROM chosen CROSS JOIN LATERAL (
        SELECT * FROM pabal.mail AS m
        WHERE m.lane = $1 AND m.route = chosen.route AND m.caller = chosen.caller AND \(isDue)
        ORDER BY m.lane, m.route, m.caller, m.due, m.number LIMIT $3 FOR UPDATE SKIP LOCKED) AS m
        LEFT JOIN pabal.mail_content AS c ON c.mail = m.number
      """,
      [
        .text(lane.rawValue), .time(claim.now), .int(limit), .texts(routes.sorted()), .bool(isListed),
      ])
  }

  /// Records how attempts ended, in a commit that concurrent calls share.
  public func settle(_ settlements: [OutboxSettlement]) async throws(StorageError) -> [OutboxEntry?] {
    try await self.settlements.run(settlements)
  }

  /// Extends leases.
  public func extend(
    _ ids: [String], _ lease: OutboxEntry.Lease
  ) async throws(StorageError) -> Set<String> {
    guard !ids.isEmpty else { return [] }
    return try await pool.write { transaction throws(PostgreSQLError) in
      // Locked in one order, because a statement that updates them at once could meet another one's order.
      let held = try transaction.run([
        PostgreSQLStatement(
          """
          SELECT id FROM pabal.mail WHERE id = ANY ($1) AND state = 'sending' AND owner = $2
          ORDER BY number FOR UPDATE
          """, [.texts(ids), .text(lease.owner)])
      ])[0].rows.compactMap { $0.text(0) }
      if !held.isEmpty {
        transaction.queue(
          PostgreSQLStatement(
            "UPDATE pabal.mail SET until = $1 WHERE id = ANY ($2) AND state = 'sending' AND owner = $3",
            [.time(lease.until), .texts(held), .text(lease.owner)]))
      }
      return Set(held)
    }
  }

  /// Changes mail outside of an attempt.
  @discardableResult
  public func amend(_ amendment: OutboxAmendment, now: Timestamp) async throws(StorageError) -> Int {
    let count = try await pool.write { transaction throws(PostgreSQLError) in
      try Self.amend(amendment, now: now, in: transaction)
    }
    if count > 0 { notifier.notify() }
    return count
  }

  private static func amend(
    _ amendment: OutboxAmendment, now: Timestamp, in transaction: PostgreSQLTransaction
  ) throws(PostgreSQLError) -> Int {
    func change(
      _ condition: String, _ values: [PostgreSQLValue], _ change: (inout OutboxEntry) -> Bool
    ) throws(PostgreSQLError) -> Int {
      try PostgreSQLMailTable.change(
        "WHERE \(condition) ORDER BY m.number FOR UPDATE", values, in: transaction, change)
    }
    switch amendment {
    case .retry(nil):
      _ = try change("m.state = 'sending' AND m.until <= $1", [.time(now)]) { $0.expedite(at: now) }
      // One statement instead of reading the rows, because there may be a hundred thousand.
      return try transaction.update(
        PostgreSQLStatement(
          "UPDATE pabal.mail SET due = $1, hold = NULL WHERE state = 'waiting'", [.time(now)]))
    case .retry(let ids?):
      return try change("m.id = ANY ($1)", [.texts(ids)]) { $0.expedite(at: now) }
    case .reroute(let limit):
      // The same change as `OutboxEntry.reroute`, without reading a hundred thousand rows.
      var count = 0
      for lane in Lane.allCases {
        count += try transaction.update(
          PostgreSQLStatement(
            """
            UPDATE pabal.mail SET due = $1, hold = NULL, failures = 0 WHERE number IN (
              SELECT number FROM pabal.mail WHERE state = 'waiting' AND lane = $2 AND due > $1
                AND outcome = CASE WHEN hold IS NULL THEN $3 ELSE $4 END
              LIMIT $5 FOR UPDATE SKIP LOCKED)
            """,
            [
              .time(now), .text(lane.rawValue), .text(Outcome.deferred().name),
              .text(Outcome.held(.mail).name), .int(max(0, limit - count)),
            ]))
      }
      return count
    case .cancel(let ids):
      return try change("m.id = ANY ($1)", [.texts(ids)]) { $0.withdraw(as: .cancelled, at: now) }
    case .supersede(let group, let newest):
      return try change(
        "m.family = $1 AND m.id <> $2 AND m.state IN ('waiting', 'sending') AND m.family IS NOT NULL",
        [.text(group), .text(newest)]
      ) { $0.withdraw(as: .superseded, at: now) }
    }
  }

  /// Changes the transport states.
  public func transports(
    _ change: @escaping @Sendable (inout [String: TransportState]) -> Void
  ) async throws(StorageError) -> [String: TransportState] {
    try await pool.write { transaction throws(PostgreSQLError) in
      try PostgreSQLTransportTable.change(in: transaction, change)
    }
  }

  /// Expires, releases and deletes mail.
  public func sweep(_ sweep: OutboxSweep) async throws(StorageError) -> OutboxForecast {
    try await pool.write { transaction throws(PostgreSQLError) in
      try PostgreSQLSweep(sweep, transaction).run()
    }
  }
}

extension PostgreSQLTransaction {
  /// Runs a statement that changes rows. Returns how many it changed.
  func update(_ statement: PostgreSQLStatement) throws(PostgreSQLError) -> Int {
    try runWriting([statement])[0].count
  }
}

extension PostgreSQLOutbox {
  /// Returns what `query` asks for.
  public func read(_ query: OutboxQuery) async throws(StorageError) -> OutboxView {
    let statements = PostgreSQLOutboxQuery(query)
    return try await pool.read { connection throws(PostgreSQLError) in
      try statements.view(of: connection.run(statements.all))
    }
  }
}
