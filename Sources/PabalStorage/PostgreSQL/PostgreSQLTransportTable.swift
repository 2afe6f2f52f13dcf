internal import PabalCore

/// The statements on the table of transport states. A transport without a row is in its initial state.
enum PostgreSQLTransportTable {
  // Changes of the states run one after the other, also those of transports without a row.
  private static let lock: Int64 = PostgreSQLMigration.lock + 1

  /// Selects all states.
  static let select = PostgreSQLStatement(
    """
    SELECT name, failures, closed_until, probe_owner, probe_until, held_since, cause, spent_until, closed_at
    FROM pabal.transport
    """)

  /// Applies `change` to the states and writes those that it changed. Returns all of them.
  static func change(
    in transaction: PostgreSQLTransaction, _ change: (inout [String: TransportState]) -> Void
  ) throws(PostgreSQLError) -> [String: TransportState] {
    let before = states(
      try transaction.run([
        PostgreSQLStatement("SELECT pg_advisory_xact_lock($1)", [.int(lock)]), select,
      ])[1])
    var after = before
    change(&after)
    let removed = before.keys.filter { after[$0] == nil }
    if !removed.isEmpty {
      transaction.queue(
        PostgreSQLStatement("DELETE FROM pabal.transport WHERE name = ANY ($1)", [.texts(removed)]))
    }
    for (name, state) in after.sorted(by: { $0.key < $1.key }) where before[name] != state {
      transaction.queue(write(state, of: name))
    }
    return after
  }

  /// Converts the result of `select`.
  static func states(_ rows: PostgreSQLRows) -> [String: TransportState] {
    var states: [String: TransportState] = [:]
    for row in rows.rows {
      var state = TransportState()
      state.failures = row.count(1)
      state.pausedUntil = row.time(2)
      if let owner = row.text(3), let until = row.time(4) {
        state.probe = OutboxEntry.Lease(owner: owner, until: until)
      }
      state.heldSince = row.time(5)
      state.cause = row.bytes(6)
      state.exhaustedUntil = row.time(7)
      state.pausedAt = row.time(8)
      states[row.text(0) ?? ""] = state
    }
    return states
  }

  private static func write(_ state: TransportState, of name: String) -> PostgreSQLStatement {
    PostgreSQLStatement(
      """
      INSERT INTO pabal.transport
        (name, failures, closed_until, probe_owner, probe_until, held_since, cause, spent_until, closed_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
      ON CONFLICT (name) DO UPDATE SET failures = excluded.failures, closed_until = excluded.closed_until,
        probe_owner = excluded.probe_owner, probe_until = excluded.probe_until, held_since = excluded.held_since,
        cause = excluded.cause, spent_until = excluded.spent_until, closed_at = excluded.closed_at
      """,
      [
        .text(name), .int(state.failures), .time(state.pausedUntil), .text(state.probe?.owner),
        .time(state.probe?.until), .time(state.heldSince), .bytes(state.cause), .time(state.exhaustedUntil),
        .time(state.pausedAt),
      ])
  }
}
