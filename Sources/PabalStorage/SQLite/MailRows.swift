internal import GRDB
internal import PabalCore

/// The table of mail, one statement at a time; the steps an entry takes are core's.
///
/// Within the module, so that a verification and its mail are written in one transaction.
enum MailRows {
  private static let columns =
    "number, id, lane, created, not_after, unknown, family, state, due, attempts, owner, until, wish, "
    + "hold, transport, outcome, status, ended, failures, unknowns"

  /// A row and its number.
  struct Found {
    let number: Int64
    var entry: OutboxEntry
  }

  /// Adds a mail, unless its id is there already.
  static func add(_ entry: OutboxEntry, to database: Database) throws {
    let add = try database.cachedStatement(
      sql: """
        INSERT INTO mail (id, lane, created, not_after, unknown, family, state, due, attempts, owner, until)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
        """)
    try add.execute(arguments: [
      entry.id, entry.lane.rawValue, entry.created.milliseconds, entry.notAfter?.milliseconds,
      entry.unknown.rawValue, entry.group, entry.state.rawValue, entry.due.milliseconds, entry.attempts,
      entry.lease?.owner, entry.lease?.until.milliseconds,
    ])
    guard database.changesCount == 1, let content = entry.content else { return }
    try write(content, of: database.lastInsertedRowID, to: database)
  }

  /// The mail called `id`, without its content.
  static func find(_ id: String, in database: Database) throws -> Found? {
    try fetch("WHERE id = ?", [id], in: database).first
  }

  /// The rows that `rest` of a SELECT names, without their content.
  static func fetch(_ rest: String, _ arguments: StatementArguments, in database: Database) throws -> [Found]
  {
    let select = try database.cachedStatement(sql: "SELECT \(columns) FROM mail \(rest)")
    var found: [Found] = []
    let rows = try Row.fetchCursor(select, arguments: arguments)
    while let row = try rows.next() { found.append(try Found(row)) }
    return found
  }

  /// The sealed content of a row.
  static func content(_ number: Int64, in database: Database) throws -> [UInt8]? {
    let select = try database.cachedStatement(sql: "SELECT sealed FROM mail_content WHERE mail = ?")
    let rows = try Row.fetchCursor(select, arguments: [number])
    return try rows.next().flatMap { octets($0, 0) }
  }

  /// Writes what `change` made of the row; its content only where `hasNewContent`, or where it was erased.
  static func update(_ row: Found, hasNewContent: Bool = false, in database: Database) throws {
    let entry = row.entry
    let update = try database.cachedStatement(
      sql: """
        UPDATE mail SET state = ?, due = ?, attempts = ?, owner = ?, until = ?, wish = ?, hold = ?,
          transport = ?, outcome = ?, status = ?, ended = ?, failures = ?, unknowns = ? WHERE number = ?
        """)
    try update.execute(arguments: [
      entry.state.rawValue, entry.due.milliseconds, entry.attempts, entry.lease?.owner,
      entry.lease?.until.milliseconds, entry.wish?.rawValue, entry.hold?.rawValue, entry.transport,
      entry.outcome, entry.status, entry.ended?.milliseconds, entry.failures,
      entry.unknowns, row.number,
    ])
    if entry.state.isFinal {
      try database.cachedStatement(sql: "DELETE FROM mail_content WHERE mail = ?")
        .execute(arguments: [row.number])
    } else if hasNewContent, let content = entry.content {
      try write(content, of: row.number, to: database)
    }
  }

  /// Changes the rows that `rest` names by `change`; says how many it changed.
  static func change(
    _ rest: String, _ arguments: StatementArguments, in database: Database,
    _ change: (inout OutboxEntry) -> Bool
  ) throws -> Int {
    var count = 0
    for var row in try fetch(rest, arguments, in: database) where change(&row.entry) {
      try update(row, in: database)
      count += 1
    }
    return count
  }

  private static func write(_ content: [UInt8], of number: Int64, to database: Database) throws {
    try database.cachedStatement(
      sql:
        "INSERT INTO mail_content (mail, sealed) VALUES (?, ?) ON CONFLICT (mail) DO UPDATE SET sealed = excluded.sealed"
    ).execute(arguments: [number, blob(content)])
  }
}

extension MailRows.Found {
  fileprivate init(_ row: Row) throws {
    number = row[0]
    func time(_ column: Int) -> Timestamp? { (row[column] as Int64?).map { Timestamp(milliseconds: $0) } }
    guard let lane = Lane(rawValue: row[2]), let unknown = UnknownPolicy(rawValue: row[5]),
      let state = OutboxState(rawValue: row[7]), let created = time(3), let due = time(8)
    else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
    entry = OutboxEntry(
      id: row[1], lane: lane, created: created, notAfter: time(4), unknown: unknown, group: row[6],
      state: state, due: due, attempts: row[9], failures: row[18], unknowns: row[19],
      lease: (row[10] as String?).map {
        OutboxEntry.Lease(owner: $0, until: time(11) ?? Timestamp(milliseconds: 0))
      },
      wish: (row[12] as String?).flatMap(OutboxState.init),
      hold: (row[13] as String?).flatMap(Outcome.Scope.init),
      transport: row[14], outcome: row[15], status: row[16], ended: time(17), content: nil)
  }
}
