internal import GRDB
internal import PabalCore

/// The statements on the tables of mail. Which state follows which is decided by `OutboxEntry`.
///
/// The outbox and the verifications use them, each within its own transaction.
enum MailTable {
  private static let columns =
    "number, id, lane, created, not_after, unknown, family, state, due, attempts, owner, until, wish, "
    + "hold, transport, outcome, status, ended, failures, unknowns, caller, report, route"

  /// A row with its primary key.
  struct NumberedEntry {
    let number: Int64
    var entry: OutboxEntry
  }

  /// Adds a mail, unless its id exists already.
  static func add(_ entry: OutboxEntry, to database: Database) throws {
    try database.run(
      """
      INSERT INTO mail (id, lane, created, not_after, unknown, family, state, due, attempts, owner, until, caller,
        report, route)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
      """,
      [
        entry.id, entry.lane.rawValue, entry.created, entry.notAfter, entry.unknown.rawValue, entry.group,
        entry.state.rawValue, entry.due, entry.attempts, entry.lease?.owner, entry.lease?.until,
        entry.caller, entry.reporting.rawValue, entry.route,
      ])
    guard database.changesCount == 1 else { return }
    let number = database.lastInsertedRowID
    if let content = entry.content { try write(content, of: number, to: database) }
    for digest in entry.recipientDigests {
      try database.run("INSERT INTO mail_recipient (mail, digest) VALUES (?, ?)", [number, digest])
    }
  }

  /// Returns the mail with this id, without its content.
  static func find(_ id: String, in database: Database) throws -> NumberedEntry? {
    try fetch("WHERE id = ?", [id], in: database).first
  }

  /// Returns the rows that `rest`, the end of a SELECT, selects; without their content.
  static func fetch(_ rest: String, _ values: [any SQLiteValue], in database: Database) throws
    -> [NumberedEntry]
  {
    var found: [NumberedEntry] = []
    try database.run("SELECT \(columns) FROM mail \(rest)", values) { found.append(try NumberedEntry($0)) }
    return found
  }

  /// Returns mail of a lane, a route and a caller that `claim` may have, without its content.
  static func due(
    _ claim: OutboxClaim, _ lane: Lane, _ route: String, of caller: String, limit: Int, in database: Database
  ) throws -> [NumberedEntry] {
    try fetch(
      """
      WHERE state = 'waiting' AND lane = ? AND route = ? AND caller = ? AND due <= ?
        AND (not_after IS NULL OR not_after > ? OR wish IS NOT NULL)
      ORDER BY due, number LIMIT ?
      """,
      [lane.rawValue, route, caller, claim.now, claim.now, limit], in: database)
  }

  /// Returns the mail `id` if it is in this lane and `claim` may have it, without its content.
  static func due(_ claim: OutboxClaim, id: String, in lane: Lane, of database: Database) throws
    -> [NumberedEntry]
  {
    try fetch(
      """
      WHERE id = ? AND state = 'waiting' AND lane = ? AND due <= ?
        AND (not_after IS NULL OR not_after > ? OR wish IS NOT NULL)
      """, [id, lane.rawValue, claim.now, claim.now], in: database)
  }

  /// Returns the routes with waiting mail in a lane, reading one entry of the index for each.
  static func routes(in lane: Lane, of database: Database) throws -> [String] {
    var routes: [String] = []
    try database.run(
      """
      WITH RECURSIVE known (route) AS (
        SELECT min(route) FROM mail WHERE state = 'waiting' AND lane = ?
        UNION ALL
        SELECT (SELECT min(route) FROM mail WHERE state = 'waiting' AND lane = ? AND route > known.route)
          FROM known WHERE known.route IS NOT NULL)
      SELECT route FROM known WHERE route IS NOT NULL
      """, [lane.rawValue, lane.rawValue]
    ) { row in if let route = row.text(0) { routes.append(route) } }
    return routes
  }

  /// Returns the callers with waiting mail in a lane of a route, reading one entry of the index for each.
  static func callers(in lane: Lane, _ route: String, of database: Database) throws -> [String] {
    var callers: [String] = []
    try database.run(
      """
      WITH RECURSIVE known (caller) AS (
        SELECT min(caller) FROM mail WHERE state = 'waiting' AND lane = ? AND route = ?
        UNION ALL
        SELECT (SELECT min(caller) FROM mail
            WHERE state = 'waiting' AND lane = ? AND route = ? AND caller > known.caller)
          FROM known WHERE known.caller IS NOT NULL)
      SELECT caller FROM known WHERE caller IS NOT NULL LIMIT 1000
      """, [lane.rawValue, route, lane.rawValue, route]
    ) { row in if let caller = row.text(0) { callers.append(caller) } }
    return callers
  }

  /// Returns the sealed content of a row.
  static func content(_ number: Int64, in database: Database) throws -> [UInt8]? {
    try database.first("SELECT sealed FROM mail_content WHERE mail = ?", [number]) { $0.bytes(0) }
  }

  /// Writes a changed row: its content only if `hasNewContent` is set, or to erase it in a final state.
  static func update(_ row: NumberedEntry, hasNewContent: Bool = false, in database: Database) throws {
    let entry = row.entry
    try database.run(
      """
      UPDATE mail SET state = ?, due = ?, attempts = ?, owner = ?, until = ?, wish = ?, hold = ?,
        transport = ?, outcome = ?, status = ?, ended = ?, failures = ?, unknowns = ? WHERE number = ?
      """,
      [
        entry.state.rawValue, entry.due, entry.attempts, entry.lease?.owner, entry.lease?.until,
        entry.requestedState?.rawValue, entry.hold?.rawValue, entry.transport, entry.outcome, entry.status,
        entry.ended,
        entry.failures, entry.unknownAttempts, row.number,
      ])
    if entry.state.isFinal {
      try database.run("DELETE FROM mail_content WHERE mail = ?", [row.number])
    } else if hasNewContent, let content = entry.content {
      try write(content, of: row.number, to: database)
    }
  }

  /// Applies `change` to the rows that `rest` selects. Returns how many rows it changed.
  static func change(
    _ rest: String, _ values: [any SQLiteValue], in database: Database,
    _ change: (inout OutboxEntry) -> Bool
  ) throws -> Int {
    var count = 0
    for var row in try fetch(rest, values, in: database) where change(&row.entry) {
      try update(row, in: database)
      count += 1
    }
    return count
  }

  private static func write(_ content: [UInt8], of number: Int64, to database: Database) throws {
    try database.run(
      """
      INSERT INTO mail_content (mail, sealed) VALUES (?, ?)
      ON CONFLICT (mail) DO UPDATE SET sealed = excluded.sealed
      """, [number, content])
  }
}

extension MailTable.NumberedEntry {
  fileprivate init(_ row: SQLiteRow) throws {
    guard let id = row.text(1), let lane = row.text(2).flatMap(Lane.init),
      let created = row.time(3), let unknown = row.text(5).flatMap(UnknownPolicy.init),
      let state = row.text(7).flatMap(OutboxState.init), let due = row.time(8)
    else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
    number = row.number(0)
    entry = OutboxEntry(
      id: id, lane: lane, created: created, notAfter: row.time(4), unknown: unknown, group: row.text(6),
      caller: row.text(20) ?? "", reporting: row.text(21).flatMap(Reporting.init) ?? .none,
      route: row.text(22) ?? "", state: state, due: due, attempts: row.count(9), failures: row.count(18),
      unknownAttempts: row.count(19),
      lease: row.text(10).map {
        OutboxEntry.Lease(owner: $0, until: row.time(11) ?? Timestamp(milliseconds: 0))
      },
      requestedState: row.text(12).flatMap(OutboxState.init), hold: row.text(13).flatMap(Outcome.Scope.init),
      transport: row.text(14), outcome: row.text(15), status: row.text(16), ended: row.time(17), content: nil)
  }
}

extension MailTable {
  /// Counts the mail that is waiting or being sent, from indexes only.
  static func backlog(in database: Database) throws -> OutboxBacklog {
    var backlog = OutboxBacklog()
    for lane in Lane.allCases {
      // The oldest mail is the one with the lowest number, which every index contains; `created` isn't in this one.
      let row = try Row.fetchOne(
        database, sql: "SELECT count(*), min(number) FROM mail WHERE state = 'waiting' AND lane = ?",
        arguments: [lane.rawValue])
      guard let row, let number = row[1] as Int64? else { continue }
      let created = try Int64.fetchOne(
        database, sql: "SELECT created FROM mail WHERE number = ?", arguments: [number])
      backlog.waiting[lane] = OutboxBacklog.Waiting(
        count: row[0], oldest: Timestamp(milliseconds: created ?? 0))
    }
    backlog.sending =
      try Int.fetchOne(database, sql: "SELECT count(*) FROM mail WHERE state = 'sending'") ?? 0
    return backlog
  }
}
