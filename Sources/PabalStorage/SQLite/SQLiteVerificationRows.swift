internal import GRDB
internal import PabalCore

/// The tables of verifications, within one transaction.
struct SQLiteVerificationRows: VerificationRows {
  let database: Database

  private static let columns =
    "id, purpose, identity, recipient, request, state, generation, code, earlier, attempts, created, "
    + "renewed, expires, ended, proof, mail, language"

  func verification(_ id: String) throws -> VerificationRecord? { try fetch("id = ?", [id]).first }

  func pending(_ identities: [[UInt8]]) throws -> [VerificationRecord] {
    try fetch(
      "state = 'pending' AND identity IN (\(places(identities))) ORDER BY number DESC",
      StatementArguments(identities.map(blob)))
  }

  func insert(_ record: VerificationRecord) throws {
    let insert = try database.cachedStatement(
      sql: """
        INSERT INTO verification (\(Self.columns))
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """)
    try insert.execute(arguments: [
      record.id, record.purpose, blob(record.identity), blob(record.recipient), record.request.map(blob),
      record.state.rawValue, record.generation, blob(record.code), blob(record.earlierOctets),
      record.attempts, record.created.milliseconds, record.renewed.milliseconds, record.expires.milliseconds,
      record.ended?.milliseconds, record.proof.map(blob), record.mail, record.language,
    ])
  }

  func update(_ record: VerificationRecord) throws {
    let update = try database.cachedStatement(
      sql: """
        UPDATE verification SET request = ?, state = ?, generation = ?, code = ?, earlier = ?, attempts = ?,
          created = ?, renewed = ?, expires = ?, ended = ?, proof = ?, mail = ?, language = ? WHERE id = ?
        """)
    try update.execute(arguments: [
      record.request.map(blob), record.state.rawValue, record.generation, blob(record.code),
      blob(record.earlierOctets), record.attempts, record.created.milliseconds, record.renewed.milliseconds,
      record.expires.milliseconds, record.ended?.milliseconds, record.proof.map(blob), record.mail,
      record.language, record.id,
    ])
  }

  func takeAttempt(_ id: String, atMost limit: Int) throws -> Int? {
    let take = try database.cachedStatement(
      sql: """
        UPDATE verification SET attempts = attempts + 1
        WHERE id = ? AND state = 'pending' AND attempts < ? RETURNING attempts
        """)
    return try Int.fetchOne(take, arguments: [id, limit])
  }

  // MARK: Limits

  func notes(_ count: Int, skipping skipped: Int, under keys: [[UInt8]]) throws -> [Timestamp] {
    let select = try database.cachedStatement(
      sql: "SELECT at FROM limit_note WHERE key IN (\(places(keys))) ORDER BY at DESC LIMIT ? OFFSET ?")
    let times = try Int64.fetchAll(select, arguments: StatementArguments(keys.map(blob)) + [count, skipped])
    return times.map(Timestamp.init(milliseconds:))
  }

  func settleNotes(under keys: [[UInt8]], at now: Timestamp) throws {
    for key in keys {
      try database.cachedStatement(sql: "UPDATE limit_note SET at = ? WHERE key = ? AND at > ?")
        .execute(arguments: [now.milliseconds, blob(key), now.milliseconds])
    }
  }

  func add(_ notes: [LimitNote]) throws {
    let insert = try database.cachedStatement(sql: "INSERT INTO limit_note (key, at, mail) VALUES (?, ?, ?)")
    for note in notes { try insert.execute(arguments: [blob(note.key), note.at.milliseconds, note.mail]) }
  }

  func failures(under keys: [[UInt8]]) throws -> FailureCount? {
    let select = try database.cachedStatement(
      sql: "SELECT count, last FROM failure WHERE key IN (\(places(keys))) ORDER BY last DESC LIMIT 1")
    return try Row.fetchOne(select, arguments: StatementArguments(keys.map(blob))).map {
      FailureCount(count: $0[0], last: Timestamp(milliseconds: $0[1]))
    }
  }

  func set(_ failures: FailureCount?, under keys: [[UInt8]]) throws {
    let delete = try database.cachedStatement(sql: "DELETE FROM failure WHERE key = ?")
    for key in keys { try delete.execute(arguments: [blob(key)]) }
    guard let failures, let key = keys.first else { return }
    try database.cachedStatement(sql: "INSERT INTO failure (key, count, last) VALUES (?, ?, ?)")
      .execute(arguments: [blob(key), failures.count, failures.last.milliseconds])
  }

  // MARK: Mail

  func enqueue(_ entry: OutboxEntry) throws { try MailRows.add(entry, to: database) }

  func supersedeMail(of id: String, newest: String?, at now: Timestamp) throws {
    _ = try SQLiteOutbox.amend(.supersede(group: id, newest: newest ?? ""), now: now, in: database)
  }

  func cancelMail(_ id: String, at now: Timestamp) throws {
    _ = try SQLiteOutbox.amend(.cancel([id]), now: now, in: database)
  }

  func mail(_ id: String) throws -> OutboxEntry? { try MailRows.find(id, in: database)?.entry }

  // MARK: Requests

  func request(under keys: [[UInt8]]) throws -> IdempotencyRecord? {
    let select = try database.cachedStatement(
      sql: "SELECT key, payload, made, at FROM request WHERE key IN (\(places(keys)))")
    return try Row.fetchAll(select, arguments: StatementArguments(keys.map(blob)))
      .map { row in
        guard let key = octets(row, 0), let payload = octets(row, 1) else {
          throw DatabaseError(resultCode: .SQLITE_CORRUPT)
        }
        return IdempotencyRecord(
          key: key, payload: payload, made: row[2], at: Timestamp(milliseconds: row[3]))
      }
      .max { $0.at < $1.at }
  }

  func remember(_ request: IdempotencyRecord) throws {
    try database.cachedStatement(
      sql: "INSERT OR REPLACE INTO request (key, payload, made, at) VALUES (?, ?, ?, ?)"
    )
    .execute(arguments: [blob(request.key), blob(request.payload), request.made, request.at.milliseconds])
  }

  func sweepRequests(at now: Timestamp, limit: Int) throws -> Bool {
    let sweeps = [
      (
        "DELETE FROM request WHERE key IN (SELECT key FROM request WHERE at <= ? ORDER BY at LIMIT ?)",
        [(now - IdempotencyKey.lifetime).milliseconds, limit] as StatementArguments
      ),
      (
        "UPDATE request SET at = ? WHERE key IN (SELECT key FROM request WHERE at > ? ORDER BY at DESC LIMIT ?)",
        [now.milliseconds, now.milliseconds, limit]
      ),
    ]
    var isUnfinished = false
    for (sql, arguments) in sweeps {
      try database.cachedStatement(sql: sql).execute(arguments: arguments)
      if database.changesCount >= limit { isUnfinished = true }
    }
    return isUnfinished
  }

  // MARK: Housekeeping

  func sweep(_ sweep: VerificationSweep) throws -> Bool {
    let steps: [(String, StatementArguments)] = [
      (
        """
        UPDATE verification SET state = 'expired', ended = expires, request = NULL WHERE number IN
          (SELECT number FROM verification WHERE state = 'pending' AND expires <= ? ORDER BY expires LIMIT ?)
        """, [sweep.now.milliseconds, sweep.limit]
      ),
      (
        """
        DELETE FROM verification WHERE number IN
          (SELECT number FROM verification WHERE ended IS NOT NULL AND ended <= ? ORDER BY ended LIMIT ?)
        """, [sweep.ended.milliseconds, sweep.limit]
      ),
      (
        """
        DELETE FROM limit_note WHERE (key, at, salt) IN
          (SELECT key, at, salt FROM limit_note WHERE at <= ? ORDER BY at LIMIT ?)
        """, [sweep.notes.milliseconds, sweep.limit]
      ),
      (
        "DELETE FROM failure WHERE key IN (SELECT key FROM failure WHERE last <= ? ORDER BY last LIMIT ?)",
        [sweep.failures.milliseconds, sweep.limit]
      ),
    ]
    var isUnfinished = try sweepRequests(at: sweep.now, limit: sweep.limit)
    for (sql, arguments) in steps {
      try database.cachedStatement(sql: sql).execute(arguments: arguments)
      if database.changesCount >= sweep.limit { isUnfinished = true }
    }
    return isUnfinished
  }

  private func fetch(_ condition: String, _ arguments: StatementArguments) throws -> [VerificationRecord] {
    let select = try database.cachedStatement(
      sql: "SELECT \(Self.columns) FROM verification WHERE \(condition)")
    var records: [VerificationRecord] = []
    let rows = try Row.fetchCursor(select, arguments: arguments)
    while let row = try rows.next() { records.append(try VerificationRecord(row)) }
    return records
  }

  private func places(_ values: [[UInt8]]) -> String {
    values.map { _ in "?" }.joined(separator: ", ")
  }
}

extension VerificationRecord {
  fileprivate init(_ row: Row) throws {
    func time(_ column: Int) -> Timestamp? { (row[column] as Int64?).map { Timestamp(milliseconds: $0) } }
    guard let state = VerificationState(rawValue: row[5]), let identity = octets(row, 2),
      let recipient = octets(row, 3), let code = octets(row, 7), let earlier = octets(row, 8),
      let created = time(10), let renewed = time(11), let expires = time(12),
      let codes = VerificationRecord.earlier(earlier)
    else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
    self.init(
      id: row[0], purpose: row[1], identity: identity, recipient: recipient, request: octets(row, 4),
      state: state, generation: row[6], code: code, earlier: codes, attempts: row[9], created: created,
      renewed: renewed, expires: expires, ended: time(13), proof: octets(row, 14), mail: row[15],
      language: row[16])
  }

  // Each is the length of the id, the id, four octets of the generation, the length of the digest, the digest.
  fileprivate var earlierOctets: [UInt8] {
    earlier.flatMap { code in
      [UInt8(truncatingIfNeeded: code.id.utf8.count)] + Array(code.id.utf8)
        + withUnsafeBytes(of: UInt32(truncatingIfNeeded: code.generation).bigEndian, Array.init)
        + [UInt8(truncatingIfNeeded: code.digest.count)] + code.digest
    }
  }

  fileprivate static func earlier(_ octets: [UInt8]) -> [EarlierCode]? {
    var codes: [EarlierCode] = []
    var rest = octets[...]
    func take(_ count: Int) -> ArraySlice<UInt8>? {
      guard rest.count >= count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
    while !rest.isEmpty {
      guard let size = take(1)?.first, let id = take(Int(size)), let generation = take(4),
        let digestSize = take(1)?.first, let digest = take(Int(digestSize))
      else { return nil }
      codes.append(
        EarlierCode(
          id: String(decoding: id, as: UTF8.self), generation: generation.reduce(0) { $0 << 8 | Int($1) },
          digest: Array(digest)))
    }
    return codes
  }
}
