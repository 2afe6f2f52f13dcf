internal import PabalCore

/// What a batch of transactions knows of the tables: the rows that were fetched, with the changes made since.
struct PostgreSQLRowCache {
  /// A verification with what identifies its version in the table.
  struct Verification {
    var record: VerificationRecord
    /// The row's primary key; `nil` before it is inserted.
    let number: Int64?
    /// How often the row was changed when it was read.
    let revision: Int64
    /// Later rows have higher numbers.
    let order: Int64
  }

  /// The newest events of a key.
  struct Events {
    /// Their times, the newest first.
    var times: [Timestamp]
    /// Whether these are all events of the key.
    var isComplete: Bool
  }

  // A row that doesn't exist has the value `nil`.
  private(set) var verifications: [String: Verification?] = [:]
  // The ids of verifications that were pending when they were read or inserted, the newest first.
  private(set) var pending: [[UInt8]: [String]] = [:]
  private(set) var events: [[UInt8]: Events] = [:]
  var failures: [[UInt8]: FailureCount?] = [:]
  var requests: [[UInt8]: IdempotencyRecord?] = [:]
  var mails: [String: OutboxEntry?] = [:]
  private(set) var searches: [PostgreSQLNeeds.Search: [VerificationRecord]] = [:]
  private var inserted: Int64 = 0

  // MARK: Changes

  mutating func insert(_ record: VerificationRecord) {
    inserted += 1
    verifications[record.id] = Verification(
      record: record, number: nil, revision: 0, order: Int64.max / 2 + inserted)
    pending[record.identity]?.insert(record.id, at: 0)
  }

  /// Replaces a record. Returns whether it is known.
  mutating func replace(_ record: VerificationRecord) -> Bool {
    guard var row = verifications[record.id] ?? nil else { return false }
    row.record = record
    verifications[record.id] = row
    return true
  }

  mutating func addEvent(_ key: [UInt8], at time: Timestamp) {
    guard var known = events[key] else { return }
    known.times.insert(time, at: known.times.firstIndex { $0 <= time } ?? known.times.endIndex)
    events[key] = known
  }

  mutating func clampEvents(_ key: [UInt8], at now: Timestamp) {
    guard var known = events[key] else { return }
    known.times = known.times.map { min($0, now) }
    events[key] = known
  }

  // MARK: Rows that were fetched; those that have been changed since stay.

  private mutating func add(_ row: PostgreSQLRow) throws(PostgreSQLError) -> VerificationRecord {
    let record = try VerificationRecord(row)
    if verifications[record.id] == nil {
      verifications[record.id] = Verification(
        record: record, number: row.number(0), revision: row.number(1), order: row.number(0))
    }
    return record
  }

  mutating func fill(verifications ids: Set<String>, _ rows: PostgreSQLRows) throws(PostgreSQLError) {
    for row in rows.rows { _ = try add(row) }
    for id in ids where verifications[id] == nil { verifications[id] = .some(nil) }
  }

  mutating func fill(identities: Set<[UInt8]>, _ rows: PostgreSQLRows) throws(PostgreSQLError) {
    var found: [[UInt8]: [String]] = [:]
    for row in rows.rows {
      let record = try add(row)
      found[record.identity, default: []].append(record.id)
    }
    for identity in identities where pending[identity] == nil {
      let new = verifications.values.compactMap { row -> Verification? in
        guard let row, row.number == nil, row.record.identity == identity else { return nil }
        return row
      }.sorted { $0.order > $1.order }
      pending[identity] = new.map(\.record.id) + (found[identity] ?? [])
    }
  }

  mutating func fill(events depths: [[UInt8]: Int], _ rows: PostgreSQLRows) {
    var found: [[UInt8]: [Timestamp]] = [:]
    for row in rows.rows {
      if let key = row.bytes(0), let at = row.time(1) { found[key, default: []].append(at) }
    }
    for (key, depth) in depths {
      let times = found[key] ?? []
      // A deeper look replaces a shorter one only before events were added to that.
      events[key] = Events(times: times.sorted(by: >), isComplete: times.count < depth)
    }
  }

  mutating func fill(failures keys: Set<[UInt8]>, _ rows: PostgreSQLRows) {
    for row in rows.rows {
      guard let key = row.bytes(0), let last = row.time(2), failures[key] == nil else { continue }
      failures[key] = FailureCount(count: row.count(1), last: last)
    }
    for key in keys where failures[key] == nil { failures[key] = .some(nil) }
  }

  mutating func fill(requests keys: Set<[UInt8]>, _ rows: PostgreSQLRows) throws(PostgreSQLError) {
    for row in rows.rows {
      guard let key = row.bytes(0), let payload = row.bytes(1), let resultID = row.text(2),
        let at = row.time(3)
      else { throw .corrupt }
      if requests[key] == nil {
        requests[key] = IdempotencyRecord(key: key, payload: payload, resultID: resultID, at: at)
      }
    }
    for key in keys where requests[key] == nil { requests[key] = .some(nil) }
  }

  mutating func fill(mails ids: Set<String>, _ rows: PostgreSQLRows) throws(PostgreSQLError) {
    for row in rows.rows {
      let entry = try PostgreSQLMailTable.NumberedEntry(row).entry
      if mails[entry.id] == nil { mails[entry.id] = entry }
    }
    for id in ids where mails[id] == nil { mails[id] = .some(nil) }
  }

  mutating func fill(search: PostgreSQLNeeds.Search, _ rows: PostgreSQLRows) throws(PostgreSQLError) {
    var records: [VerificationRecord] = []
    for row in rows.rows { records.append(try add(row)) }
    searches[search] = records
  }
}

extension VerificationRecord {
  fileprivate init(_ row: PostgreSQLRow) throws(PostgreSQLError) {
    guard let id = row.text(2), let purpose = row.text(3), let identity = row.bytes(4),
      let recipient = row.bytes(5), let state = row.text(7).flatMap(VerificationState.init),
      let code = row.bytes(9), let earlier = row.bytes(10).flatMap(EarlierCodes.decode),
      let created = row.time(12), let codeCreated = row.time(13), let expires = row.time(14),
      let mail = row.text(17)
    else { throw .corrupt }
    self.init(
      id: id, purpose: purpose, identity: identity, mailbox: row.bytes(20), caller: row.text(19) ?? "",
      recipient: recipient, request: row.bytes(6), state: state, generation: row.count(8), code: code,
      earlier: earlier, attempts: row.count(11), created: created, codeCreated: codeCreated,
      expires: expires, ended: row.time(15), proof: row.bytes(16), mail: mail, language: row.text(18))
  }
}
