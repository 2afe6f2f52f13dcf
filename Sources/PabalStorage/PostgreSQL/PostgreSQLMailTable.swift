internal import PabalCore

/// The statements on the tables of mail. Which state follows which is decided by `OutboxEntry`.
enum PostgreSQLMailTable {
  /// The columns of a row, from `pabal.mail AS m`.
  static let columns =
    "m.number, m.id, m.lane, m.created, m.not_after, m.unknown, m.family, m.state, m.due, m.attempts, m.owner, "
    + "m.until, m.wish, m.hold, m.transport, m.outcome, m.status, m.ended, m.failures, m.unknowns, m.caller, "
    + "m.report, m.route"
  /// The number of these columns.
  static let columnCount = 23

  /// A row with its primary key.
  struct NumberedEntry: Sendable {
    let number: Int64
    var entry: OutboxEntry
  }

  /// Adds mail with its content and the digests of its recipients, except for ids that exist already.
  static func add(_ entries: [OutboxEntry]) -> PostgreSQLStatement {
    // A statement that inserts two rows with one id would join both contents to the first.
    var known: Set<String> = []
    let entries = entries.filter { known.insert($0.id).inserted }
    let recipients = entries.flatMap { entry in
      Set(entry.recipientDigests).map { (entry.id, $0) }
    }
    return PostgreSQLStatement(
      """
      WITH given AS (
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[],
          $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::text[], $14::bigint[],
          $15::bigint[], $16::bytea[], $19::text[])
        WITH ORDINALITY AS given (id, lane, route, caller, created, not_after, unknown, family, report, state, due,
          attempts, owner, until, ended, sealed, wish, position)
      ), new AS (
        INSERT INTO pabal.mail (id, lane, route, caller, created, not_after, unknown, family, report, state, due,
          attempts, owner, until, wish, ended, failures, unknowns)
        SELECT id, lane, route, caller, created, not_after, unknown, family, report, state, due, attempts, owner,
          until, wish, ended, 0, 0 FROM given ORDER BY position
        ON CONFLICT (id) DO NOTHING RETURNING id, number
      ), content AS (
        INSERT INTO pabal.mail_content (mail, sealed)
        SELECT new.number, given.sealed FROM new JOIN given USING (id) WHERE given.sealed IS NOT NULL
      )
      INSERT INTO pabal.mail_recipient (mail, digest)
      SELECT new.number, recipient.digest FROM new
        JOIN unnest($17::text[], $18::bytea[]) AS recipient (id, digest) USING (id)
      """,
      [
        .texts(entries.map(\.id)), .texts(entries.map(\.lane.rawValue)), .texts(entries.map(\.route)),
        .texts(entries.map(\.caller)), .times(entries.map(\.created)), .times(entries.map(\.notAfter)),
        .texts(entries.map(\.unknown.rawValue)), .texts(entries.map(\.group)),
        .texts(entries.map(\.reporting.rawValue)), .texts(entries.map(\.state.rawValue)),
        .times(entries.map(\.due)), .ints(entries.map(\.attempts)), .texts(entries.map(\.lease?.owner)),
        .times(entries.map(\.lease?.until)), .times(entries.map(\.ended)), .bytes(entries.map(\.content)),
        .texts(recipients.map(\.0)), .bytes(recipients.map(\.1)),
        .texts(entries.map(\.requestedState?.rawValue)),
      ])
  }

  /// Selects rows with the columns of `NumberedEntry`; `rest` is what follows FROM.
  static func select(_ rest: String, _ values: [PostgreSQLValue]) -> PostgreSQLStatement {
    PostgreSQLStatement("SELECT \(columns) FROM pabal.mail AS m \(rest)", values)
  }

  /// Writes changed rows, and erases the content of those in a final state. `newContent` are those whose content is written.
  static func update(_ rows: [NumberedEntry], newContent: Set<Int64> = []) -> [PostgreSQLStatement] {
    guard !rows.isEmpty else { return [] }
    let entries = rows.map(\.entry)
    var statements = [
      PostgreSQLStatement(
        """
        UPDATE pabal.mail AS m SET state = n.state, due = n.due, attempts = n.attempts, owner = n.owner,
          until = n.until, wish = n.wish, hold = n.hold, transport = n.transport, outcome = n.outcome,
          status = n.status, ended = n.ended, failures = n.failures, unknowns = n.unknowns
        FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[],
          $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[])
          AS n (number, state, due, attempts, owner, until, wish, hold, transport, outcome, status, ended, failures,
          unknowns)
        WHERE m.number = n.number
        """,
        [
          .ints(rows.map(\.number)), .texts(entries.map(\.state.rawValue)), .times(entries.map(\.due)),
          .ints(entries.map(\.attempts)), .texts(entries.map(\.lease?.owner)),
          .times(entries.map(\.lease?.until)), .texts(entries.map(\.requestedState?.rawValue)),
          .texts(entries.map(\.hold?.rawValue)), .texts(entries.map(\.transport)),
          .texts(entries.map(\.outcome)), .texts(entries.map(\.status)), .times(entries.map(\.ended)),
          .ints(entries.map(\.failures)), .ints(entries.map(\.unknownAttempts)),
        ])
    ]
    let final = rows.filter(\.entry.state.isFinal)
    if !final.isEmpty {
      statements.append(
        PostgreSQLStatement(
          "DELETE FROM pabal.mail_content WHERE mail = ANY ($1)", [.ints(final.map { $0.number })]))
    }
    let changed = rows.filter {
      !$0.entry.state.isFinal && newContent.contains($0.number) && $0.entry.content != nil
    }
    if !changed.isEmpty {
      statements.append(
        PostgreSQLStatement(
          """
          INSERT INTO pabal.mail_content (mail, sealed) SELECT * FROM unnest($1::bigint[], $2::bytea[])
          ON CONFLICT (mail) DO UPDATE SET sealed = excluded.sealed
          """, [.ints(changed.map { $0.number }), .bytes(changed.map(\.entry.content))]))
    }
    return statements
  }

  /// Applies `change` to the rows that `rest` selects, which are locked. Returns how many rows it changed.
  static func change(
    _ rest: String, _ values: [PostgreSQLValue], in transaction: PostgreSQLTransaction,
    _ change: (inout OutboxEntry) -> Bool
  ) throws(PostgreSQLError) -> Int {
    let found = try transaction.run([select(rest, values)])[0]
    var changed: [NumberedEntry] = []
    for row in found.rows {
      var row = try NumberedEntry(row)
      if change(&row.entry) { changed.append(row) }
    }
    for statement in update(changed) { transaction.queue(statement) }
    return changed.count
  }

  /// Ends the verifications of rejected mails, and refunds their limits: at most once an hour for each key of an event that
  /// counts refunds.
  static func endVerifications(of rejected: [OutboxEntry]) -> [PostgreSQLStatement] {
    guard !rejected.isEmpty else { return [] }
    let mails = PostgreSQLValue.texts(rejected.map(\.id))
    let ended = PostgreSQLValue.times(rejected.map(\.ended))
    return [
      PostgreSQLStatement(
        """
        UPDATE pabal.verification AS v SET state = 'undeliverable', ended = r.ended, request = NULL,
          revision = v.revision + 1
        FROM unnest($1::text[], $2::text[], $3::bigint[]) AS r (mail, family, ended)
        WHERE v.id = r.family AND v.mail = r.mail AND v.state = 'pending'
        """, [mails, .texts(rejected.map(\.group)), ended]),
      PostgreSQLStatement(
        """
        WITH rejected AS (SELECT * FROM unnest($1::text[], $2::bigint[]) AS r (mail, ended)),
        counted AS (
          INSERT INTO pabal.refund (key, at, mail)
          SELECT DISTINCT ON (n.key) n.key, r.ended, r.mail
            FROM pabal.limit_note AS n JOIN rejected AS r USING (mail) WHERE n.refunds ORDER BY n.key
          ON CONFLICT (key) DO UPDATE SET at = excluded.at, mail = excluded.mail
            WHERE refund.at > excluded.at OR refund.at <= excluded.at - $3
          RETURNING mail)
        DELETE FROM pabal.limit_note AS n USING counted WHERE n.mail = counted.mail
        """, [mails, ended, .int(VerificationPolicy.refundInterval.wholeMilliseconds)]),
    ]
  }
}

extension PostgreSQLMailTable.NumberedEntry {
  init(_ row: PostgreSQLRow) throws(PostgreSQLError) {
    guard let id = row.text(1), let lane = row.text(2).flatMap(Lane.init), let created = row.time(3),
      let unknown = row.text(5).flatMap(UnknownPolicy.init),
      let state = row.text(7).flatMap(OutboxState.init), let due = row.time(8)
    else { throw .corrupt }
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
