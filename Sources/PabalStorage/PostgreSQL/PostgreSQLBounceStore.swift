public import PabalCore

/// What a PostgreSQL database keeps for bounces.
public struct PostgreSQLBounceStore: BounceStore {
  private let pool: PostgreSQLPool

  init(_ pool: PostgreSQLPool) { self.pool = pool }

  /// Returns the mails with a trace under any of `keys`, the newest of each first.
  public func traces(
    _ keys: [[UInt8]]
  ) async throws(StorageError) -> [(mail: String, recipients: [UInt8])] {
    guard !keys.isEmpty else { return [] }
    let keys = Array(keys.prefix(100))
    return try await pool.read { connection throws(PostgreSQLError) in
      let found = try connection.run([
        PostgreSQLStatement(
          """
          SELECT t.mail, t.recipients FROM unnest($1::bytea[]) WITH ORDINALITY AS k (key, position), LATERAL (
            SELECT mail, recipients, at FROM pabal.mail_trace WHERE key = k.key ORDER BY at DESC LIMIT 50) AS t
          ORDER BY k.position, t.at DESC
          """, [.bytes(keys)])
      ])[0]
      var known: Set<String> = []
      var traces: [(mail: String, recipients: [UInt8])] = []
      for row in found.rows {
        guard let mail = row.text(0), let recipients = row.bytes(1) else { throw .corrupt }
        if known.insert(mail).inserted { traces.append((mail, recipients)) }
      }
      return traces
    }
  }

  /// Marks recipients of a mail.
  public func mark(_ mail: String, _ marks: [RecipientMark]) async throws(StorageError) -> Int {
    try await pool.write { transaction throws(PostgreSQLError) in
      let found = try transaction.run([
        PostgreSQLStatement("SELECT number FROM pabal.mail WHERE id = $1 FOR UPDATE", [.text(mail)])
      ])[0]
      guard let number = found.rows.first?.number(0) else { return 0 }
      return try Self.add(marks.map { (number, $0) }, in: transaction)
    }
  }

  /// Returns what was last read of a mailbox.
  public func cursor(_ mailbox: [[UInt8]]) async throws(StorageError) -> [UInt8]? {
    try await pool.read { connection throws(PostgreSQLError) in
      try connection.run([
        PostgreSQLStatement(
          """
          SELECT cursor FROM unnest($1::bytea[]) WITH ORDINALITY AS k (key, position)
            JOIN pabal.mailbox USING (key) ORDER BY k.position LIMIT 1
          """, [.bytes(mailbox)])
      ])[0].rows.first?.bytes(0)
    }
  }

  /// Stores what was last read of a mailbox.
  public func setCursor(_ cursor: [UInt8], _ mailbox: [UInt8]) async throws(StorageError) {
    try await pool.write { transaction throws(PostgreSQLError) in
      transaction.queue(
        PostgreSQLStatement(
          """
          INSERT INTO pabal.mailbox (key, cursor) VALUES ($1, $2)
          ON CONFLICT (key) DO UPDATE SET cursor = excluded.cursor
          """, [.bytes(mailbox), .bytes(cursor)]))
    }
  }
}

extension PostgreSQLBounceStore {
  /// Adds the traces of mails under each of their keys; `nil` if there aren't any.
  static func add(
    _ traces: [(trace: OutboxTrace, mail: String, at: Timestamp)]
  ) -> PostgreSQLStatement? {
    // A statement can't change a row twice.
    var known: Set<[UInt8]> = []
    var rows: [(key: [UInt8], mail: String, recipients: [UInt8], at: Timestamp)] = []
    for (trace, mail, at) in traces {
      for key in trace.keys where known.insert(key + Array(mail.utf8)).inserted {
        rows.append((key, mail, trace.recipients, at))
      }
    }
    guard !rows.isEmpty else { return nil }
    return PostgreSQLStatement(
      """
      INSERT INTO pabal.mail_trace (key, mail, recipients, at)
      SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::bigint[])
      ON CONFLICT (key, mail) DO UPDATE SET recipients = excluded.recipients, at = excluded.at
      """,
      [
        .bytes(rows.map(\.key)), .texts(rows.map(\.mail)), .bytes(rows.map(\.recipients)),
        .times(rows.map(\.at)),
      ])
  }

  /// Records marks of mails whose rows are locked, each in the place of an earlier one of the same recipient unless that says
  /// more. Returns how many say anything new.
  static func add(
    _ marks: [(mail: Int64, mark: RecipientMark)], in transaction: PostgreSQLTransaction
  ) throws(PostgreSQLError) -> Int {
    struct Place: Hashable {
      let mail: Int64
      let position: Int
    }
    let found = try transaction.run([
      PostgreSQLStatement(
        "SELECT mail, position, kind, status, sealed, at FROM pabal.mail_mark WHERE mail = ANY ($1)",
        [.ints(Array(Set(marks.map(\.mail))))])
    ])[0]
    var known: [Place: RecipientMark] = [:]
    for row in found.rows {
      let mark = try RecipientMark(row, from: 1)
      known[Place(mail: row.number(0), position: mark.position)] = mark
    }
    var count = 0
    var written: [Place: RecipientMark] = [:]
    for (mail, mark) in marks {
      let place = Place(mail: mail, position: mark.position)
      let earlier = known[place]
      guard earlier.map(mark.replaces) ?? true else { continue }
      if earlier?.kind != mark.kind || earlier?.status != mark.status { count += 1 }
      known[place] = mark
      written[place] = mark
    }
    guard !written.isEmpty else { return count }
    let rows = written.sorted { ($0.key.mail, $0.key.position) < ($1.key.mail, $1.key.position) }
    transaction.queue(
      PostgreSQLStatement(
        """
        INSERT INTO pabal.mail_mark (mail, position, kind, status, sealed, at)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::bigint[])
        ON CONFLICT (mail, position) DO UPDATE
          SET kind = excluded.kind, status = excluded.status, sealed = excluded.sealed, at = excluded.at
        """,
        [
          .ints(rows.map(\.key.mail)), .ints(rows.map(\.key.position)),
          .texts(rows.map(\.value.kind.rawValue)), .texts(rows.map(\.value.status)),
          .bytes(rows.map(\.value.sealed)), .times(rows.map(\.value.at)),
        ]))
    return count
  }
}

extension RecipientMark {
  /// Reads the columns position, kind, status, sealed and at, the first of which is `column`.
  init(_ row: PostgreSQLRow, from column: Int) throws(PostgreSQLError) {
    guard let kind = row.text(column + 1).flatMap(RecipientMark.Kind.init),
      let sealed = row.bytes(column + 3), let at = row.time(column + 4)
    else { throw .corrupt }
    self.init(
      position: row.count(column), kind: kind, status: row.text(column + 2), sealed: sealed, at: at)
  }
}
