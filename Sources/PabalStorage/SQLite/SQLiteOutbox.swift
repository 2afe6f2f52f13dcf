internal import GRDB
public import PabalCore

/// The outbox in a SQLite file.
///
/// Whoever wants to know of a rejected mail in the same transaction sets a trigger on `mail.state`.
public struct SQLiteOutbox: Outbox {
  let database: SQLiteDatabase

  /// The outbox in `database`.
  public init(_ database: SQLiteDatabase) { self.database = database }

  /// Adds mail, all or none.
  public func add(_ entries: [OutboxEntry]) async throws(StorageError) {
    try await database.write { database in
      for entry in entries { try MailTable.add(entry, to: database) }
    }
  }

  /// Takes waiting mail that is due.
  public func claim(_ claim: OutboxClaim) async throws(StorageError) -> [OutboxEntry] {
    try await database.write { database in
      var claimed: [OutboxEntry] = []
      for lane in Lane.allCases {
        let wanted = claim.wanted(of: lane, after: claimed.count)
        guard wanted > 0 else { continue }
        let rows = try MailTable.fetch(
          """
          WHERE state = 'waiting' AND lane = ? AND due <= ? AND (not_after IS NULL OR not_after > ?)
          \(claim.id == nil ? "" : "AND id = ?") ORDER BY due, number LIMIT ?
          """,
          [lane.rawValue, claim.now, claim.now] + (claim.id.map { [$0] } ?? []) + [wanted], in: database)
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

  /// Takes down how attempts ended.
  public func settle(_ settlements: [OutboxSettlement]) async throws(StorageError) -> [OutboxEntry?] {
    try await database.write { database in
      try settlements.map { settlement in
        guard var row = try MailTable.find(settlement.id, in: database),
          row.entry.isLeased(by: settlement.owner, attempt: settlement.attempt)
        else { return nil }
        row.entry.settle(settlement)
        try MailTable.update(row, hasNewContent: true, in: database)
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

  /// Changes mail from outside of an attempt.
  @discardableResult
  public func amend(_ amendment: OutboxAmendment, now: Timestamp) async throws(StorageError) -> Int {
    try await database.write { try SQLiteOutbox.amend(amendment, now: now, in: $0) }
  }

  /// Changes mail inside of a transaction.
  static func amend(_ amendment: OutboxAmendment, now: Timestamp, in database: Database) throws -> Int {
    switch amendment {
    case .retry(nil):
      _ = try MailTable.change(
        "WHERE state = 'sending' AND until <= ?", [now], in: database
      ) { $0.expedite(at: now) }
      // One statement: there may be a hundred thousand of them, and they need not be read.
      try database.run("UPDATE mail SET due = ?, hold = NULL WHERE state = 'waiting'", [now])
      return database.changesCount
    case .retry(let ids?):
      return try Set(ids).reduce(0) {
        try $0 + MailTable.change("WHERE id = ?", [$1], in: database) { $0.expedite(at: now) }
      }
    case .reroute(let limit):
      // As `OutboxEntry.reroute` has it, without reading a hundred thousand rows.
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

  /// Changes what is known of the transports.
  public func transports(
    _ change: @escaping @Sendable (inout [String: TransportState]) -> Void
  ) async throws(StorageError) -> [String: TransportState] {
    try await database.write { try TransportStateTable.change(in: $0, change) }
  }

  /// Does the housekeeping.
  public func sweep(_ sweep: OutboxSweep) async throws(StorageError) -> OutboxForecast {
    // Every commit would succeed, and nothing of it would be there for anybody else.
    try database.checkFile()
    return try await database.write { try SQLiteSweep(sweep, $0).run() }
  }
}
