internal import GRDB
internal import PabalCore

/// The housekeeping of the outbox, inside of one transaction.
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
        "WHERE state = 'waiting' AND not_after IS NOT NULL AND not_after <= ? ORDER BY not_after LIMIT ?",
        [now, sweep.limit], in: database
      ) { entry in
        entry.end(.expired, at: now)
        return true
      },
      try MailTable.change(
        "WHERE state = 'sending' AND until <= ? AND owner <> ? ORDER BY until LIMIT ?",
        [now, sweep.owner, sweep.limit], in: database
      ) { entry in
        entry.expireLease(at: now, limit: sweep.maxUnknownAttempts)
        return true
      },
      try deleteOld(),
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

  /// Brings back what a clock that was set back left too far ahead.
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
