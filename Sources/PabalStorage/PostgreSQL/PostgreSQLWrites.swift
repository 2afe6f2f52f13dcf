internal import PabalCore

/// What the transactions of a batch write, in an order in which no two nodes wait for each other: mail first, then
/// verifications.
struct PostgreSQLWrites {
  /// The end of mail that may already have been changed by a dispatcher.
  struct Withdrawal {
    enum Target {
      case group(String, except: String?)
      case mail(String)
    }
    let target: Target
    let state: OutboxState
    let now: Timestamp

    init(of target: Target, as state: OutboxState, at now: Timestamp) {
      self.target = target
      self.state = state
      self.now = now
    }
  }

  /// The ids of new verifications, in order.
  var inserted: [String] = []
  /// The ids of changed verifications; they may be new.
  var updated: Set<String> = []
  /// The ids of new mails, in order.
  var mails: [String] = []
  var withdrawals: [Withdrawal] = []
  /// The new events.
  var events: [RateLimitEvent] = []
  private var clamps: [(key: [UInt8], now: Timestamp)] = []
  /// The keys of changed counts.
  var failures: Set<[UInt8]> = []
  /// The keys of new requests.
  var requests: Set<[UInt8]> = []

  /// How many events were added under a key.
  func eventCount(of key: [UInt8]) -> Int { events.count { $0.key == key } }

  /// Moves events under a key that are dated after `now` back to `now`.
  mutating func clamp(_ key: [UInt8], at now: Timestamp) {
    clamps.append((key, now))
    for index in events.indices where events[index].key == key {
      events[index].at = min(events[index].at, now)
    }
  }

  /// Applies the changes of a key's events to what was fetched.
  func replayEvents(of key: [UInt8], on cache: inout PostgreSQLRowCache) {
    for event in events where event.key == key { cache.addEvent(key, at: event.at) }
    for clamp in clamps where clamp.key == key { cache.clampEvents(key, at: clamp.now) }
  }

  /// The statements that write the changes, whose values are in `cache`.
  func statements(_ cache: PostgreSQLRowCache) -> [PostgreSQLStatement] {
    var statements = withdrawals.flatMap(\.statements)
    let entries = mails.compactMap { cache.mails[$0] ?? nil }
    if !entries.isEmpty { statements.append(PostgreSQLMailTable.add(entries)) }
    if let update = update(cache) { statements.append(update) }
    if let insert = insert(cache) { statements.append(insert) }
    for (key, now) in clamps {
      statements.append(
        PostgreSQLStatement(
          "UPDATE pabal.limit_note SET at = $2 WHERE key = $1 AND at > $2", [.bytes(key), .time(now)]))
    }
    if !events.isEmpty {
      statements.append(
        PostgreSQLStatement(
          """
          INSERT INTO pabal.limit_note (key, at, mail, refunds)
          SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::boolean[])
          """,
          [
            .bytes(events.map(\.key)), .times(events.map(\.at)), .texts(events.map(\.mail)),
            .bools(events.map(\.countsRefunds)),
          ]))
    }
    return statements + counts(cache) + requests(cache)
  }

  private func counts(_ cache: PostgreSQLRowCache) -> [PostgreSQLStatement] {
    var statements: [PostgreSQLStatement] = []
    let removed = failures.filter { (cache.failures[$0] ?? nil) == nil }
    if !removed.isEmpty {
      statements.append(
        PostgreSQLStatement("DELETE FROM pabal.failure WHERE key = ANY ($1)", [.bytes(Array(removed))]))
    }
    let counts = failures.compactMap { key in (cache.failures[key] ?? nil).map { (key: key, value: $0) } }
    if !counts.isEmpty {
      statements.append(
        PostgreSQLStatement(
          """
          INSERT INTO pabal.failure (key, count, last) SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[])
          ON CONFLICT (key) DO UPDATE SET count = excluded.count, last = excluded.last
          """,
          [.bytes(counts.map(\.key)), .ints(counts.map(\.value.count)), .times(counts.map(\.value.last))]))
    }
    return statements
  }

  private func requests(_ cache: PostgreSQLRowCache) -> [PostgreSQLStatement] {
    let records = requests.compactMap { cache.requests[$0] ?? nil }
    guard !records.isEmpty else { return [] }
    return [
      PostgreSQLStatement(
        """
        INSERT INTO pabal.request (key, payload, made, at)
        SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::bigint[])
        ON CONFLICT (key) DO UPDATE SET payload = excluded.payload, made = excluded.made, at = excluded.at
        """,
        [
          .bytes(records.map(\.key)), .bytes(records.map(\.payload)), .texts(records.map(\.resultID)),
          .times(records.map(\.at)),
        ])
    ]
  }

  private func insert(_ cache: PostgreSQLRowCache) -> PostgreSQLStatement? {
    let records = inserted.compactMap { (cache.verifications[$0] ?? nil)?.record }
    guard !records.isEmpty else { return nil }
    return PostgreSQLStatement(
      """
      INSERT INTO pabal.verification (id, purpose, identity, mailbox, caller, recipient, request, state, generation,
        code, earlier, attempts, created, renewed, expires, ended, proof, mail, language)
      SELECT id, purpose, identity, mailbox, caller, recipient, request, state, generation, code, earlier, attempts,
        created, renewed, expires, ended, proof, mail, language
      FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::text[], $6::bytea[], $7::bytea[], $8::text[],
        $9::bigint[], $10::bytea[], $11::bytea[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
        $16::bigint[], $17::bytea[], $18::text[], $19::text[]) WITH ORDINALITY
        AS n (id, purpose, identity, mailbox, caller, recipient, request, state, generation, code, earlier, attempts,
        created, renewed, expires, ended, proof, mail, language, position) ORDER BY position
      """,
      [
        .texts(records.map(\.id)), .texts(records.map(\.purpose)), .bytes(records.map(\.identity)),
        .bytes(records.map(\.mailbox)), .texts(records.map(\.caller)), .bytes(records.map(\.recipient)),
        .bytes(records.map(\.request)), .texts(records.map(\.state.rawValue)),
        .ints(records.map(\.generation)), .bytes(records.map(\.code)),
        .bytes(records.map { EarlierCodes.encode($0.earlier) }), .ints(records.map(\.attempts)),
        .times(records.map(\.created)), .times(records.map(\.codeCreated)), .times(records.map(\.expires)),
        .times(records.map(\.ended)), .bytes(records.map(\.proof)), .texts(records.map(\.mail)),
        .texts(records.map(\.language)),
      ])
  }

  /// Updates the verifications that existed before. If one was changed since it was read, the statement fails with a division
  /// by zero, which undoes the whole batch before its commit in the same round trip.
  private func update(_ cache: PostgreSQLRowCache) -> PostgreSQLStatement? {
    let rows = updated.compactMap { id -> (number: Int64, revision: Int64, record: VerificationRecord)? in
      guard let row = cache.verifications[id] ?? nil, let number = row.number else { return nil }
      return (number, row.revision, row.record)
    }.sorted { $0.number < $1.number }
    guard !rows.isEmpty else { return nil }
    let records = rows.map(\.record)
    return PostgreSQLStatement(
      """
      WITH changed AS (
        UPDATE pabal.verification AS v SET request = n.request, state = n.state, generation = n.generation,
          code = n.code, earlier = n.earlier, attempts = n.attempts, created = n.created, renewed = n.renewed,
          expires = n.expires, ended = n.ended, proof = n.proof, mail = n.mail, language = n.language,
          revision = v.revision + 1
        FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::text[], $5::bigint[], $6::bytea[], $7::bytea[],
          $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bytea[], $14::text[],
          $15::text[])
          AS n (number, revision, request, state, generation, code, earlier, attempts, created, renewed, expires,
          ended, proof, mail, language)
        WHERE v.number = n.number AND v.revision = n.revision RETURNING 1)
      SELECT 1 / (CASE WHEN (SELECT count(*) FROM changed) = $16 THEN 1 ELSE 0 END)
      """,
      [
        .ints(rows.map(\.number)), .ints(rows.map(\.revision)), .bytes(records.map(\.request)),
        .texts(records.map(\.state.rawValue)), .ints(records.map(\.generation)), .bytes(records.map(\.code)),
        .bytes(records.map { EarlierCodes.encode($0.earlier) }), .ints(records.map(\.attempts)),
        .times(records.map(\.created)), .times(records.map(\.codeCreated)), .times(records.map(\.expires)),
        .times(records.map(\.ended)), .bytes(records.map(\.proof)), .texts(records.map(\.mail)),
        .texts(records.map(\.language)), .int(rows.count),
      ])
  }
}

extension PostgreSQLWrites.Withdrawal {
  /// Ends waiting mail, and asks for the end of mail that is being sent, like `OutboxEntry.withdraw`. If a lease has expired,
  /// the sweep that ends the attempt ends the mail too.
  var statements: [PostgreSQLStatement] {
    let (condition, values): (String, [PostgreSQLValue]) =
      switch target {
      case .group(let group, let newest?):
        ("family = $3 AND id <> $4", [.text(group), .text(newest)])
      case .group(let group, nil): ("family = $3", [.text(group)])
      case .mail(let id): ("id = $3", [.text(id)])
      }
    return [
      PostgreSQLStatement(
        """
        WITH ended AS (
          UPDATE pabal.mail SET state = $1, wish = NULL, hold = NULL, ended = $2
          WHERE \(condition) AND state = 'waiting' RETURNING number)
        DELETE FROM pabal.mail_content WHERE mail IN (SELECT number FROM ended)
        """, [.text(state.rawValue), .time(now)] + values),
      PostgreSQLStatement(
        "UPDATE pabal.mail SET wish = $1 WHERE \(condition) AND state = 'sending' AND $2::bigint IS NOT NULL",
        [.text(state.rawValue), .time(now)] + values),
    ]
  }
}
