internal import GRDB
public import PabalCore

/// The verifications in a SQLite file, in the same transactions as the outbox there.
public struct SQLiteVerificationStore: VerificationStore {
  let database: SQLiteDatabase

  /// The verifications in `database`.
  public init(_ database: SQLiteDatabase) { self.database = database }

  /// Runs `body` as one transaction, which shares its commit with others that wait.
  ///
  /// SQLite runs one transaction at a time, so the footprint locks nothing; debug builds check `body` against it.
  public func transact<Value: Sendable>(
    footprint: VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    try await database.write { try body(SQLiteVerificationTransaction(database: $0).checked(footprint)) }
  }

  /// Runs `body` as one transaction, with the verification `id`.
  public func transact<Value: Sendable>(
    verification id: String, footprint: @escaping @Sendable (VerificationRecord) -> VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction, VerificationRecord?) throws -> Value
  ) async throws(StorageError) -> Value {
    try await database.write {
      try SQLiteVerificationTransaction(database: $0).run(verification: id, footprint: footprint, body)
    }
  }

  /// Runs `body` on the last committed state of the file.
  public func read<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    try await database.read { try body(SQLiteVerificationTransaction(database: $0).checkedForReading()) }
  }

  /// Runs `body` as one transaction on the outbox and the requests beside it.
  public func transactMail<Value: Sendable>(
    footprint: OutboxFootprint, _ body: @escaping @Sendable (any OutboxTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    try await transact(footprint: VerificationFootprint(outbox: footprint)) { try body($0) }
  }

  /// Runs `body` on the last committed state of the file.
  public func readMail<Value: Sendable>(
    _ body: @escaping @Sendable (any OutboxTransaction) throws -> Value
  ) async throws(StorageError) -> Value { try await read { try body($0) } }

  /// Deletes expired requests.
  public func sweepRequests(at now: Timestamp, limit: Int) async throws(StorageError) -> Bool {
    try await database.write {
      try SQLiteVerificationSweep(database: $0).sweepRequests(at: now, limit: limit)
    }
  }

  /// Expires and deletes old rows.
  public func sweep(_ sweep: VerificationSweep) async throws(StorageError) -> Bool {
    try await database.write { try SQLiteVerificationSweep(database: $0).run(sweep) }
  }
}

extension SQLiteDatabase {
  /// Opens the file at `path`, which must belong to `keys`. Blocks. `acceptsMoving` is for the move of the database.
  public convenience init(
    _ path: String, keys: Keyring, busyTimeout: Duration = .seconds(10), acceptsMoving: Bool = false
  ) throws(StorageError) {
    let known = keys.checkValue
    do {
      try self.init(
        path, keyCheck: known, previousKeyChecks: keys.previousCheckValues, busyTimeout: busyTimeout,
        acceptsMoving: acceptsMoving)
    } catch {
      // Another process may have rotated the keys after they were read and before the file was opened.
      keys.reload()
      guard error.kind == .wrongKey, keys.checkValue != known else { throw error }
      try self.init(
        path, keyCheck: keys.checkValue, previousKeyChecks: keys.previousCheckValues,
        busyTimeout: busyTimeout, acceptsMoving: acceptsMoving)
    }
  }
}

/// The operations on the tables of verifications, within one transaction.
struct SQLiteVerificationTransaction: VerificationTransaction {
  let database: Database

  private static let columns =
    "id, purpose, identity, recipient, request, state, generation, code, earlier, attempts, created, "
    + "renewed, expires, ended, proof, mail, language, caller, mailbox"

  func verification(_ id: String) throws -> VerificationRecord? { try fetch("id = ?", [id]).first }

  func pending(_ identities: [[UInt8]]) throws -> [VerificationRecord] {
    try fetch(
      "state = 'pending' AND identity IN (\(placeholders(identities))) ORDER BY number DESC",
      identities)
  }

  func verifications(of mailboxes: [[UInt8]], limit: Int) throws -> [VerificationRecord] {
    try fetch("mailbox IN (\(placeholders(mailboxes))) ORDER BY number DESC LIMIT ?", mailboxes + [limit])
  }

  func verifications(withSuffix suffix: String, limit: Int) throws -> [VerificationRecord] {
    // The first condition is the expression of an index, which has to be literally the same.
    try fetch(
      "substr(id, -6) = ? AND substr(id, ?) = ? ORDER BY number DESC LIMIT ?",
      [String(suffix.suffix(6)), -suffix.utf8.count, suffix, limit])
  }

  func insert(_ record: VerificationRecord) throws {
    try database.run(
      """
      INSERT INTO verification (\(Self.columns))
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        record.id, record.purpose, record.identity, record.recipient, record.request, record.state.rawValue,
        record.generation, record.code, EarlierCodes.encode(record.earlier), record.attempts, record.created,
        record.codeCreated,
        record.expires, record.ended, record.proof, record.mail, record.language, record.caller,
        record.mailbox,
      ])
  }

  func update(_ record: VerificationRecord) throws {
    try database.run(
      """
      UPDATE verification SET request = ?, state = ?, generation = ?, code = ?, earlier = ?, attempts = ?,
        created = ?, renewed = ?, expires = ?, ended = ?, proof = ?, mail = ?, language = ? WHERE id = ?
      """,
      [
        record.request, record.state.rawValue, record.generation, record.code,
        EarlierCodes.encode(record.earlier),
        record.attempts, record.created, record.codeCreated, record.expires, record.ended, record.proof,
        record.mail, record.language, record.id,
      ])
  }

  func takeAttempt(_ id: String, atMost limit: Int) throws -> Int? {
    try database.first(
      """
      UPDATE verification SET attempts = attempts + 1
      WHERE id = ? AND state = 'pending' AND attempts < ? RETURNING attempts
      """, [id, limit]
    ) { $0.count(0) }
  }

  // MARK: Limits

  func events(_ count: Int, skipping skipped: Int, under keys: [[UInt8]]) throws -> [Timestamp] {
    var times: [Timestamp] = []
    try database.run(
      "SELECT at FROM limit_note WHERE key IN (\(placeholders(keys))) ORDER BY at DESC LIMIT ? OFFSET ?",
      keys + [count, skipped]
    ) { times.append(Timestamp(milliseconds: $0.number(0))) }
    return times
  }

  func clampFutureEvents(under keys: [[UInt8]], at now: Timestamp) throws {
    for key in keys {
      try database.run("UPDATE limit_note SET at = ? WHERE key = ? AND at > ?", [now, key, now])
    }
  }

  func add(_ events: [RateLimitEvent]) throws {
    for event in events {
      try database.run(
        "INSERT INTO limit_note (key, at, mail, refunds) VALUES (?, ?, ?, ?)",
        [event.key, event.at, event.mail, event.countsRefunds ? 1 : 0])
    }
  }

  func failures(under keys: [[UInt8]]) throws -> FailureCount? {
    try database.first(
      "SELECT count, last FROM failure WHERE key IN (\(placeholders(keys))) ORDER BY last DESC LIMIT 1", keys
    ) { FailureCount(count: $0.count(0), last: Timestamp(milliseconds: $0.number(1))) }
  }

  func set(_ failures: FailureCount?, under keys: [[UInt8]]) throws {
    for key in keys { try database.run("DELETE FROM failure WHERE key = ?", [key]) }
    guard let failures, let key = keys.first else { return }
    try database.run(
      "INSERT INTO failure (key, count, last) VALUES (?, ?, ?)", [key, failures.count, failures.last])
  }

  // MARK: Mail

  func enqueue(_ entry: OutboxEntry) throws { try MailTable.add(entry, to: database) }

  func supersedeMail(of id: String, newest: String?, at now: Timestamp) throws {
    _ = try SQLiteOutbox.amend(.supersede(group: id, newest: newest ?? ""), now: now, in: database)
  }

  func cancelMail(_ id: String, at now: Timestamp) throws {
    _ = try SQLiteOutbox.amend(.cancel([id]), now: now, in: database)
  }

  func mail(_ id: String) throws -> OutboxEntry? { try MailTable.find(id, in: database)?.entry }

  // MARK: Requests

  func request(under keys: [[UInt8]]) throws -> IdempotencyRecord? {
    var records: [IdempotencyRecord] = []
    try database.run("SELECT key, payload, made, at FROM request WHERE key IN (\(placeholders(keys)))", keys)
    {
      row in
      guard let key = row.bytes(0), let payload = row.bytes(1), let resultID = row.text(2) else {
        throw DatabaseError(resultCode: .SQLITE_CORRUPT)
      }
      records.append(
        IdempotencyRecord(
          key: key, payload: payload, resultID: resultID, at: Timestamp(milliseconds: row.number(3))))
    }
    return records.max { $0.at < $1.at }
  }

  func remember(_ request: IdempotencyRecord) throws {
    try database.run(
      "INSERT OR REPLACE INTO request (key, payload, made, at) VALUES (?, ?, ?, ?)",
      [request.key, request.payload, request.resultID, request.at])
  }

  private func fetch(_ condition: String, _ values: [any SQLiteValue]) throws -> [VerificationRecord] {
    var records: [VerificationRecord] = []
    try database.run("SELECT \(Self.columns) FROM verification WHERE \(condition)", values) {
      records.append(try VerificationRecord($0))
    }
    return records
  }

  private func placeholders(_ values: [[UInt8]]) -> String {
    values.count == 1 ? "?" : values.map { _ in "?" }.joined(separator: ", ")
  }
}

/// The housekeeping of verifications, within one transaction.
private struct SQLiteVerificationSweep {
  let database: Database

  func sweepRequests(at now: Timestamp, limit: Int) throws -> Bool {
    try changeLimited(
      [
        (
          "DELETE FROM request WHERE key IN (SELECT key FROM request WHERE at <= ? ORDER BY at LIMIT ?)",
          [now - IdempotencyKey.lifetime, limit]
        ),
        (
          "UPDATE request SET at = ? WHERE key IN (SELECT key FROM request WHERE at > ? ORDER BY at DESC LIMIT ?)",
          [now, now, limit]
        ),
      ], limit: limit)
  }

  func run(_ sweep: VerificationSweep) throws -> Bool {
    let leavesRequests = try sweepRequests(at: sweep.now, limit: sweep.limit)
    let leavesOthers = try changeLimited(
      [
        (
          """
          UPDATE verification SET state = 'expired', ended = expires, request = NULL WHERE number IN
            (SELECT number FROM verification WHERE state = 'pending' AND expires <= ? ORDER BY expires LIMIT ?)
          """, [sweep.now, sweep.limit]
        ),
        (
          """
          DELETE FROM verification WHERE number IN
            (SELECT number FROM verification WHERE ended IS NOT NULL AND ended <= ? ORDER BY ended LIMIT ?)
          """, [sweep.ended, sweep.limit]
        ),
        (
          """
          DELETE FROM limit_note WHERE (key, at, salt) IN
            (SELECT key, at, salt FROM limit_note WHERE at <= ? ORDER BY at LIMIT ?)
          """, [sweep.events, sweep.limit]
        ),
        (
          "DELETE FROM refund WHERE key IN (SELECT key FROM refund WHERE at <= ? ORDER BY at LIMIT ?)",
          [sweep.refunds, sweep.limit]
        ),
        (
          "DELETE FROM failure WHERE key IN (SELECT key FROM failure WHERE last <= ? ORDER BY last LIMIT ?)",
          [sweep.failures, sweep.limit]
        ),
      ], limit: sweep.limit)
    return leavesRequests || leavesOthers
  }

  /// Runs statements that change up to `limit` rows each. Returns whether one of them reached the limit.
  private func changeLimited(_ statements: [(sql: String, values: [any SQLiteValue])], limit: Int) throws
    -> Bool
  {
    var isUnfinished = false
    for (sql, values) in statements {
      try database.run(sql, values)
      if database.changesCount >= limit { isUnfinished = true }
    }
    return isUnfinished
  }
}

extension VerificationRecord {
  fileprivate init(_ row: SQLiteRow) throws {
    guard let id = row.text(0), let purpose = row.text(1), let identity = row.bytes(2),
      let recipient = row.bytes(3), let state = row.text(5).flatMap(VerificationState.init),
      let code = row.bytes(7), let earlier = row.bytes(8).flatMap(EarlierCodes.decode),
      let created = row.time(10), let codeCreated = row.time(11), let expires = row.time(12),
      let mail = row.text(15)
    else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
    self.init(
      id: id, purpose: purpose, identity: identity, mailbox: row.bytes(18), caller: row.text(17) ?? "",
      recipient: recipient, request: row.bytes(4),
      state: state, generation: row.count(6), code: code, earlier: earlier, attempts: row.count(9),
      created: created, codeCreated: codeCreated, expires: expires, ended: row.time(13),
      proof: row.bytes(14),
      mail: mail, language: row.text(16))
  }
}
