internal import PabalCore

/// The housekeeping of the outbox, within one transaction. Rows that another node is changing are skipped.
struct PostgreSQLSweep {
  private let sweep: OutboxSweep
  private let transaction: PostgreSQLTransaction

  /// How long the row is kept that shows that a transaction was committed: longer than a node asks for it.
  static let markerLifetime = Duration.seconds(3_600)

  init(_ sweep: OutboxSweep, _ transaction: PostgreSQLTransaction) {
    self.sweep = sweep
    self.transaction = transaction
  }

  func run() throws(PostgreSQLError) -> OutboxForecast {
    let now = sweep.now
    let limit = PostgreSQLValue.int(sweep.limit)
    var counts = [
      try change(
        "m.state = 'waiting' AND m.not_after IS NOT NULL AND m.not_after <= $1 AND m.wish IS NULL",
        "m.not_after", [.time(now), limit]
      ) { $0.expire(at: now) },
      try change(
        "m.state = 'sending' AND m.until <= $1 AND m.owner <> $3", "m.until",
        [.time(now), limit, .text(sweep.owner)]
      ) { entry in
        entry.expireLease(at: now, limit: sweep.maxUnknownAttempts)
        return true
      },
    ]
    counts += try deleteOld()
    try clampFutureTimes()
    return try forecast(isUnfinished: counts.contains(sweep.limit))
  }

  private func change(
    _ condition: String, _ order: String, _ values: [PostgreSQLValue],
    _ change: (inout OutboxEntry) -> Bool
  ) throws(PostgreSQLError) -> Int {
    try PostgreSQLMailTable.change(
      "WHERE \(condition) ORDER BY \(order) LIMIT $2 FOR UPDATE SKIP LOCKED", values, in: transaction, change)
  }

  private func deleteOld() throws(PostgreSQLError) -> [Int] {
    let limit = PostgreSQLValue.int(sweep.limit)
    return try transaction.runWriting([
      PostgreSQLStatement(
        """
        WITH old AS (
          DELETE FROM pabal.mail WHERE number IN (
            SELECT number FROM pabal.mail WHERE ended IS NOT NULL AND ended <= $1 ORDER BY ended LIMIT $2
            FOR UPDATE SKIP LOCKED) RETURNING number
        ), recipients AS (DELETE FROM pabal.mail_recipient WHERE mail IN (SELECT number FROM old)
        ), marks AS (DELETE FROM pabal.mail_mark WHERE mail IN (SELECT number FROM old)
        ), contents AS (DELETE FROM pabal.mail_content WHERE mail IN (SELECT number FROM old))
        SELECT FROM old
        """, [.time(sweep.now - sweep.retention), limit]),
      PostgreSQLStatement(
        """
        DELETE FROM pabal.mail_trace WHERE (key, mail) IN (
          SELECT key, mail FROM pabal.mail_trace WHERE at <= $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)
        """, [.time(sweep.now - OutboxTrace.lifetime), limit]),
      PostgreSQLStatement(
        """
        DELETE FROM pabal.commit_marker WHERE id IN (
          SELECT id FROM pabal.commit_marker
          WHERE at <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $1 ORDER BY at LIMIT 2000
          FOR UPDATE SKIP LOCKED)
        """, [.int(Self.markerLifetime.wholeMilliseconds)]),
    ]).prefix(2).map(\.count)
  }

  /// Moves times back that lie too far ahead because a clock was set back.
  private func clampFutureTimes() throws(PostgreSQLError) {
    let limit = PostgreSQLValue.int(sweep.limit)
    _ = try change(
      "m.state = 'sending' AND m.until > $1", "m.until DESC",
      [.time(sweep.now + sweep.leaseDuration * 2), limit]
    ) { $0.clampFutureTimes(sweep) }
    for lane in Lane.allCases {
      let longestWait = sweep.now + (sweep.longestWaits[lane] ?? sweep.longestHoldWait)
      _ = try change(
        "m.state = 'waiting' AND m.due > $1 AND m.lane = $3", "m.due DESC",
        [.time(longestWait), limit, .text(lane.rawValue)]
      ) { $0.clampFutureTimes(sweep) }
    }
  }

  private func forecast(isUnfinished: Bool) throws(PostgreSQLError) -> OutboxForecast {
    let lanes = Lane.allCases.map(\.rawValue)
    let found = try transaction.run([
      PostgreSQLStatement(
        """
        SELECT min(due) FROM unnest($1::text[]) AS l (lane), LATERAL (
          SELECT due FROM pabal.mail AS m WHERE m.state = 'waiting' AND m.lane = l.lane ORDER BY m.lane, due LIMIT 1) AS first
        """, [.texts(lanes)]),
      PostgreSQLStatement(
        "SELECT min(not_after) FROM pabal.mail WHERE state = 'waiting' AND not_after IS NOT NULL"),
      PostgreSQLStatement(
        "SELECT min(until) FROM pabal.mail WHERE state = 'sending' AND owner <> $1", [.text(sweep.owner)]),
      PostgreSQLStatement("SELECT min(created) FROM pabal.mail WHERE state = 'waiting' AND lane = 'code'"),
    ])
    let times = found.map { $0.rows.first?.time(0) }
    return OutboxForecast(
      due: times[0], end: [times[1], times[2]].compactMap { $0 }.min(), oldestCode: times[3],
      isUnfinished: isUnfinished)
  }
}
