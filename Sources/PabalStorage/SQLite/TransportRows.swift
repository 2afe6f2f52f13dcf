internal import GRDB
internal import PabalCore

/// The table of transports: a row for each that somebody has complained of.
enum TransportRows {
  /// Changes the states by `change`, and writes those that it changed.
  static func change(
    in database: Database, _ change: (inout [String: TransportState]) -> Void
  ) throws -> [String: TransportState] {
    let before = try all(in: database)
    var after = before
    change(&after)
    for name in before.keys where after[name] == nil {
      try database.cachedStatement(sql: "DELETE FROM transport WHERE name = ?").execute(arguments: [name])
    }
    for (name, state) in after where before[name] != state { try write(state, of: name, to: database) }
    return after
  }

  private static func all(in database: Database) throws -> [String: TransportState] {
    let select = try database.cachedStatement(
      sql: """
        SELECT name, failures, closed_until, probe_owner, probe_until, held_since, cause, spent_until,
          closed_at
        FROM transport
        """)
    var states: [String: TransportState] = [:]
    let rows = try Row.fetchCursor(select)
    while let row = try rows.next() {
      func time(_ column: Int) -> Timestamp? { (row[column] as Int64?).map { Timestamp(milliseconds: $0) } }
      var state = TransportState()
      state.failures = row[1]
      state.closedUntil = time(2)
      if let owner = row[3] as String?, let until = time(4) {
        state.probe = OutboxEntry.Lease(owner: owner, until: until)
      }
      state.heldSince = time(5)
      state.cause = octets(row, 6)
      state.spentUntil = time(7)
      state.closedAt = time(8)
      states[row[0]] = state
    }
    return states
  }

  private static func write(_ state: TransportState, of name: String, to database: Database) throws {
    try database.cachedStatement(
      sql: """
        INSERT OR REPLACE INTO transport
          (name, failures, closed_until, probe_owner, probe_until, held_since, cause, spent_until,
            closed_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      name, state.failures, state.closedUntil?.milliseconds, state.probe?.owner,
      state.probe?.until.milliseconds, state.heldSince?.milliseconds, state.cause.map(blob),
      state.spentUntil?.milliseconds, state.closedAt?.milliseconds,
    ])
  }
}
