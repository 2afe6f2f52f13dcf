internal import GRDB
internal import PabalCore

/// The statements on the table of transport states. A transport without a row is in its initial state.
enum TransportStateTable {
  /// Applies `change` to the states and writes those that it changed. Returns all of them.
  static func change(
    in database: Database, _ change: (inout [String: TransportState]) -> Void
  ) throws -> [String: TransportState] {
    let before = try all(in: database)
    var after = before
    change(&after)
    for name in before.keys where after[name] == nil {
      try database.run("DELETE FROM transport WHERE name = ?", [name])
    }
    for (name, state) in after where before[name] != state { try write(state, of: name, to: database) }
    return after
  }

  /// Returns the state of each transport that has a row.
  static func all(in database: Database) throws -> [String: TransportState] {
    var states: [String: TransportState] = [:]
    try database.run(
      """
      SELECT name, failures, closed_until, probe_owner, probe_until, held_since, cause, spent_until, closed_at
      FROM transport
      """
    ) { row in
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

  private static func write(_ state: TransportState, of name: String, to database: Database) throws {
    try database.run(
      """
      INSERT OR REPLACE INTO transport
        (name, failures, closed_until, probe_owner, probe_until, held_since, cause, spent_until, closed_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        name, state.failures, state.pausedUntil, state.probe?.owner, state.probe?.until, state.heldSince,
        state.cause, state.exhaustedUntil, state.pausedAt,
      ])
  }
}
