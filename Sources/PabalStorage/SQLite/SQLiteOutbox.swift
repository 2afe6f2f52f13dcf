internal import GRDB
public import PabalCore
internal import Synchronization

/// The outbox in a SQLite file.
///
/// A trigger on `mail.state` (see `SQLiteMigration`) ends the verification of a rejected mail and refunds its limits in
/// the same transaction.
public struct SQLiteOutbox: Outbox {
  let database: SQLiteDatabase
  private let turns = Turns()

  /// The turns of callers; they are kept in memory, because they only matter among mail that waits now.
  private final class Turns: Sendable {
    private let turns = Mutex(CallerTurns())

    func take<Element: Sendable>(
      _ limit: Int, of lane: Lane, routes: OutboxClaim.Routes,
      from queues: [(caller: String, waiting: [Element])]
    ) -> [Element] { turns.withLock { $0.take(limit, of: lane, routes: routes, from: queues) } }
  }

  /// The outbox in `database`.
  public init(_ database: SQLiteDatabase) { self.database = database }

  /// Adds mail, all or none.
  public func add(_ entries: [OutboxEntry]) async throws(StorageError) {
    try await database.write { database in
      for entry in entries { try MailTable.add(entry, to: database) }
    }
  }

  /// Claims waiting mail that is due.
  public func claim(_ claim: OutboxClaim) async throws(StorageError) -> [OutboxEntry] {
    try await database.write { [turns] database in
      var claimed: [OutboxEntry] = []
      for lane in Lane.allCases {
        let wanted = claim.wanted(of: lane, after: claimed.count)
        guard wanted > 0 else { continue }
        let rows: [MailTable.NumberedEntry]
        if let id = claim.id {
          // A claim of one mail takes it out of turn.
          rows = try MailTable.due(claim, id: id, in: lane, of: database)
        } else {
          rows = turns.take(
            wanted, of: lane, routes: claim.routes,
            from: try waiting(claim, lane, limit: wanted, in: database))
        }
        for row in rows {
          var row = row
          row.entry = row.entry.claimed(by: claim.lease)
          try MailTable.update(row, in: database)
          var entry = row.entry
          entry.setContent(try MailTable.content(row.number, in: database))
          claimed.append(entry)
        }
      }
      return claimed
    }
  }

  /// Returns the callers with waiting mail in a lane of the routes, and what `claim` may have of each, the first due first.
  private func waiting(
    _ claim: OutboxClaim, _ lane: Lane, limit: Int, in database: Database
  ) throws -> [(caller: String, waiting: [MailTable.NumberedEntry])] {
    var waiting: [String: [MailTable.NumberedEntry]] = [:]
    for route in try MailTable.routes(in: lane, of: database) where claim.routes.contains(route) {
      for caller in try MailTable.callers(in: lane, route, of: database) {
        waiting[caller, default: []] += try MailTable.due(
          claim, lane, route, of: caller, limit: limit, in: database)
      }
    }
    return waiting.map { caller, rows in
      (caller, rows.sorted { ($0.entry.due, $0.number) < ($1.entry.due, $1.number) })
    }.sorted { $0.caller < $1.caller }
  }

  /// Records how attempts ended.
  public func settle(_ settlements: [OutboxSettlement]) async throws(StorageError) -> [OutboxEntry?] {
    try await database.write { database in
      try settlements.map { settlement in
        guard var row = try MailTable.find(settlement.id, in: database),
          row.entry.isLeased(by: settlement.owner, attempt: settlement.attempt)
        else { return nil }
        row.entry.settle(settlement)
        try MailTable.update(row, hasNewContent: true, in: database)
        for mark in settlement.marks { try RecipientMarkTable.add(mark, to: row.number, in: database) }
        for report in settlement.reports { try MailTable.add(report.entry, to: database) }
        if let trace = settlement.trace {
          try TraceTable.add(trace, of: settlement.id, at: settlement.now, in: database)
        }
        return row.entry
      }
    }
  }

  /// Extends leases.
  public func extend(
    _ ids: [String], _ lease: OutboxEntry.Lease
  ) async throws(StorageError) -> Set<String> {
    try await database.write { database in
      var held: Set<String> = []
      for id in ids {
        try database.run(
          "UPDATE mail SET until = ? WHERE id = ? AND state = 'sending' AND owner = ?",
          [lease.until, id, lease.owner])
        if database.changesCount == 1 { held.insert(id) }
      }
      return held
    }
  }

  /// Changes mail outside of an attempt.
  @discardableResult
  public func amend(_ amendment: OutboxAmendment, now: Timestamp) async throws(StorageError) -> Int {
    try await database.write { try SQLiteOutbox.amend(amendment, now: now, in: $0) }
  }

  /// Changes mail within a transaction.
  static func amend(_ amendment: OutboxAmendment, now: Timestamp, in database: Database) throws -> Int {
    switch amendment {
    case .retry(nil):
      _ = try MailTable.change(
        "WHERE state = 'sending' AND until <= ?", [now], in: database
      ) { $0.expedite(at: now) }
      // One statement instead of reading the rows, because there may be a hundred thousand.
      try database.run("UPDATE mail SET due = ?, hold = NULL WHERE state = 'waiting'", [now])
      return database.changesCount
    case .retry(let ids?):
      return try Set(ids).reduce(0) {
        try $0 + MailTable.change("WHERE id = ?", [$1], in: database) { $0.expedite(at: now) }
      }
    case .reroute(let limit):
      // The same change as `OutboxEntry.reroute`, without reading a hundred thousand rows.
      var count = 0
      for lane in Lane.allCases {
        try database.run(
          """
          UPDATE mail SET due = ?, hold = NULL, failures = 0 WHERE number IN (
            SELECT number FROM mail WHERE state = 'waiting' AND lane = ? AND due > ?
              AND outcome = CASE WHEN hold IS NULL THEN ? ELSE ? END
            LIMIT ?)
          """,
          [
            now, lane.rawValue, now, Outcome.deferred().name, Outcome.held(.mail).name, max(0, limit - count),
          ])
        count += database.changesCount
      }
      return count
    case .cancel(let ids):
      return try Set(ids).reduce(0) {
        try $0 + MailTable.change("WHERE id = ?", [$1], in: database) { $0.withdraw(as: .cancelled, at: now) }
      }
    case .supersede(let group, let newest):
      return try MailTable.change(
        "WHERE family = ? AND id <> ? AND state IN ('waiting', 'sending') AND family IS NOT NULL",
        [group, newest], in: database
      ) { $0.withdraw(as: .superseded, at: now) }
    }
  }

  /// Changes the transport states.
  public func transports(
    _ change: @escaping @Sendable (inout [String: TransportState]) -> Void
  ) async throws(StorageError) -> [String: TransportState] {
    try await database.write { try TransportStateTable.change(in: $0, change) }
  }

  /// Expires, releases and deletes mail.
  public func sweep(_ sweep: OutboxSweep) async throws(StorageError) -> OutboxForecast {
    try await database.write { try SQLiteSweep(sweep, $0).run() }
  }
}

extension SQLiteOutbox {
  /// Returns what `query` asks for.
  public func read(_ query: OutboxQuery) async throws(StorageError) -> OutboxView {
    try await database.read { database in
      var conditions = ["1"]
      var values: [any SQLiteValue] = []
      if let before = query.before {
        conditions.append("number < (SELECT number FROM mail WHERE id = ?)")
        values.append(before)
      }
      if let states = query.states {
        conditions.append("state IN (\(placeholders(states.count)))")
        values += states.map(\.rawValue).sorted()
      }
      if let ids = query.ids {
        conditions.append("id IN (\(placeholders(ids.count)))")
        values += ids
      }
      if let recipients = query.recipients {
        conditions.append(
          "number IN (SELECT mail FROM mail_recipient WHERE digest IN (\(placeholders(recipients.count))))")
        values += recipients
      }
      if let caller = query.caller {
        conditions.append("caller = ?")
        values.append(caller)
      }
      values.append(max(query.limit, 0))
      let rows = try MailTable.fetch(
        "WHERE \(conditions.joined(separator: " AND ")) ORDER BY number DESC LIMIT ?", values, in: database
      )
      let entries = try rows.map { row in
        var entry = row.entry
        if query.withContent { entry.setContent(try MailTable.content(row.number, in: database)) }
        if query.withMarks { entry.setMarks(try RecipientMarkTable.marks(of: row.number, in: database)) }
        return entry
      }
      var counts: [OutboxState: Int] = [:]
      if query.withCounts {
        try database.run("SELECT state, count(*) FROM mail GROUP BY state") { row in
          if let state = row.text(0).flatMap(OutboxState.init) { counts[state] = row.count(1) }
        }
      }
      return OutboxView(
        entries: entries, counts: counts,
        transports: query.withTransports ? try TransportStateTable.all(in: database) : [:],
        backlog: query.withBacklog ? try MailTable.backlog(in: database) : OutboxBacklog())
    }
  }
}

private func placeholders(_ count: Int) -> String {
  Array(repeating: "?", count: count).joined(separator: ",")
}

/// The housekeeping of the outbox, within one transaction.
struct SQLiteSweep {
  private let sweep: OutboxSweep
  private let database: Database

  init(_ sweep: OutboxSweep, _ database: Database) {
    self.sweep = sweep
    self.database = database
  }

  func run() throws -> OutboxForecast {
    let now = sweep.now
    let counts = [
      try MailTable.change(
        """
        WHERE state = 'waiting' AND not_after IS NOT NULL AND not_after <= ? AND wish IS NULL
        ORDER BY not_after LIMIT ?
        """, [now, sweep.limit], in: database
      ) { $0.expire(at: now) },
      try MailTable.change(
        "WHERE state = 'sending' AND until <= ? AND owner <> ? ORDER BY until LIMIT ?",
        [now, sweep.owner, sweep.limit], in: database
      ) { entry in
        entry.expireLease(at: now, limit: sweep.maxUnknownAttempts)
        return true
      },
      try deleteOld(),
      try TraceTable.deleteOld(at: now, limit: sweep.limit, in: database),
    ]
    try clampFutureTimes()
    return OutboxForecast(
      due: try Lane.allCases.compactMap {
        try time("SELECT min(due) FROM mail WHERE state = 'waiting' AND lane = ?", [$0.rawValue])
      }.min(),
      end: try [
        time("SELECT min(not_after) FROM mail WHERE state = 'waiting' AND not_after IS NOT NULL", []),
        time("SELECT min(until) FROM mail WHERE state = 'sending' AND owner <> ?", [sweep.owner]),
      ].compactMap { $0 }.min(),
      oldestCode: try time(
        "SELECT min(created) FROM mail WHERE state = 'waiting' AND lane = 'code'", []),
      isUnfinished: counts.contains(sweep.limit))
  }

  /// Moves times back that lie too far ahead because the clock was set back.
  private func clampFutureTimes() throws {
    _ = try MailTable.change(
      "WHERE state = 'sending' AND until > ? ORDER BY until DESC LIMIT ?",
      [(sweep.now + sweep.leaseDuration * 2), sweep.limit], in: database
    ) { $0.clampFutureTimes(sweep) }
    for lane in Lane.allCases {
      let longestWait = sweep.now + (sweep.longestWaits[lane] ?? sweep.longestHoldWait)
      _ = try MailTable.change(
        "WHERE state = 'waiting' AND lane = ? AND due > ? ORDER BY due DESC LIMIT ?",
        [lane.rawValue, longestWait, sweep.limit], in: database
      ) { $0.clampFutureTimes(sweep) }
    }
  }

  private func deleteOld() throws -> Int {
    try database.run(
      """
      DELETE FROM mail WHERE number IN
        (SELECT number FROM mail WHERE ended IS NOT NULL AND ended <= ? ORDER BY ended LIMIT ?)
      """, [sweep.now - sweep.retention, sweep.limit])
    return database.changesCount
  }

  private func time(_ sql: String, _ values: [any SQLiteValue]) throws -> Timestamp? {
    try database.first(sql, values) { $0.time(0) }
  }
}
