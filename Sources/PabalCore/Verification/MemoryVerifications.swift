internal import Synchronization

/// Verifications that a crash empties, beside an outbox in memory: for tests.
public final class MemoryVerifications: VerificationStore {
  private let outbox: MemoryOutbox
  private let rows = Mutex(MemoryVerificationRows())

  /// An empty store whose mail goes to `outbox`.
  public init(outbox: MemoryOutbox) {
    self.outbox = outbox
    outbox.transact { rows in
      rows.whenRejected = { [weak self] mail in self?.rows.withLock { $0.forgetNotes(of: mail) } }
    }
  }

  /// Runs `body` alone, on the verifications and on the outbox.
  public func transact<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationRows) throws -> Value
  ) async throws(StorageProblem) -> Value {
    do {
      return try outbox.transact { mails in
        try rows.withLock { rows in
          let transaction = MemoryTransaction(rows, mails)
          let value = try body(transaction)
          rows = transaction.rows
          mails = transaction.mails
          return value
        }
      }
    } catch let problem as StorageProblem {
      throw problem
    } catch {
      throw StorageProblem(.other("\(error)"), place: "memory")
    }
  }

  /// Runs `body` on what there is.
  public func look<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationRows) throws -> Value
  ) async throws(StorageProblem) -> Value { try await transact(body) }
}

/// What a memory store holds.
private struct MemoryVerificationRows: Sendable {
  var records: [String: VerificationRecord] = [:]
  var notes: [[UInt8]: [LimitNote]] = [:]
  var failures: [[UInt8]: FailureCount] = [:]
  var requests: [[UInt8]: IdempotencyRecord] = [:]

  mutating func forgetNotes(of mail: String) {
    for key in notes.keys { notes[key]?.removeAll { $0.mail == mail } }
  }
}

/// One transaction's view, written back when it succeeds.
private final class MemoryTransaction: VerificationRows {
  var rows: MemoryVerificationRows
  var mails: MemoryOutboxRows

  init(_ rows: MemoryVerificationRows, _ mails: MemoryOutboxRows) {
    self.rows = rows
    self.mails = mails
  }

  func verification(_ id: String) -> VerificationRecord? { rows.records[id] }

  func pending(_ identities: [[UInt8]]) -> [VerificationRecord] {
    rows.records.values.filter { $0.state == .pending && identities.contains($0.identity) }
      .sorted { $0.created > $1.created }
  }

  func insert(_ record: VerificationRecord) { rows.records[record.id] = record }

  func update(_ record: VerificationRecord) { rows.records[record.id] = record }

  func takeAttempt(_ id: String, atMost limit: Int) -> Int? {
    guard let record = rows.records[id], record.state == .pending, record.attempts < limit else { return nil }
    rows.records[id]?.attempts += 1
    return record.attempts + 1
  }

  func notes(_ count: Int, skipping skipped: Int, under keys: [[UInt8]]) -> [Timestamp] {
    let times = keys.flatMap { rows.notes[$0] ?? [] }.map(\.at).sorted(by: >)
    return Array(times.dropFirst(skipped).prefix(count))
  }

  func settleNotes(under keys: [[UInt8]], at now: Timestamp) {
    for key in keys {
      rows.notes[key] = rows.notes[key]?.map { note in
        var note = note
        note.at = min(note.at, now)
        return note
      }
    }
  }

  func add(_ notes: [LimitNote]) {
    for note in notes { rows.notes[note.key, default: []].append(note) }
  }

  func failures(under keys: [[UInt8]]) -> FailureCount? {
    keys.compactMap { rows.failures[$0] }.max { $0.last < $1.last }
  }

  func set(_ failures: FailureCount?, under keys: [[UInt8]]) {
    for key in keys { rows.failures[key] = nil }
    if let first = keys.first { rows.failures[first] = failures }
  }

  func enqueue(_ entry: OutboxEntry) { mails.add(entry) }

  func supersedeMail(of id: String, newest: String?, at now: Timestamp) {
    _ = mails.amend(.supersede(group: id, newest: newest ?? ""), now: now)
  }

  func cancelMail(_ id: String, at now: Timestamp) { _ = mails.amend(.cancel([id]), now: now) }

  func mail(_ id: String) -> OutboxEntry? { mails.entry(id)?.withoutContent }

  func request(under keys: [[UInt8]]) -> IdempotencyRecord? {
    keys.compactMap { rows.requests[$0] }.max { $0.at < $1.at }
  }

  func remember(_ request: IdempotencyRecord) { rows.requests[request.key] = request }

  func sweepRequests(at now: Timestamp, limit: Int) -> Bool {
    let old = rows.requests.values.filter { $0.at <= now - IdempotencyKey.lifetime }
    for request in old.prefix(limit) { rows.requests[request.key] = nil }
    for request in rows.requests.values where request.at > now { rows.requests[request.key]?.at = now }
    return old.count > limit
  }

  func sweep(_ sweep: VerificationSweep) -> Bool {
    let leavesRequests = sweepRequests(at: sweep.now, limit: sweep.limit)
    let expired = rows.records.values.filter { $0.state == .pending && $0.expires <= sweep.now }
    for var record in expired.prefix(sweep.limit) {
      record.transition(to: .expired, at: record.expires)
      rows.records[record.id] = record
    }
    let old = rows.records.values.filter { $0.ended.map { $0 <= sweep.ended } ?? false }
    for record in old.prefix(sweep.limit) { rows.records[record.id] = nil }
    for key in rows.notes.keys {
      rows.notes[key]?.removeAll { $0.at <= sweep.notes }
      if rows.notes[key]?.isEmpty == true { rows.notes[key] = nil }
    }
    rows.failures = rows.failures.filter { $0.value.last > sweep.failures }
    return leavesRequests || max(expired.count, old.count) > sweep.limit
  }
}
