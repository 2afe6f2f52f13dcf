internal import Synchronization

/// Verifications that a crash empties, beside an outbox in memory: for tests.
public final class MemoryVerificationStore: VerificationStore {
  private let outbox: MemoryOutbox
  private let rows = Mutex(MemoryVerificationTables())

  /// An empty store whose mail goes to `outbox`.
  public init(outbox: MemoryOutbox) {
    self.outbox = outbox
    outbox.transact { rows in
      rows.onRejected = { [weak self] mail in self?.rows.withLock { $0.removeEvents(of: mail) } }
    }
  }

  /// Runs `body` alone, on the verifications and on the outbox.
  public func transact<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    do {
      return try outbox.transact { mails in
        try rows.withLock { rows in
          let transaction = MemoryVerificationTransaction(rows, mails)
          let value = try body(transaction)
          rows = transaction.rows
          mails = transaction.mails
          return value
        }
      }
    } catch let problem as StorageError {
      throw problem
    } catch {
      throw StorageError(.other("\(error)"), place: "memory")
    }
  }

  /// Runs `body` on what there is.
  public func read<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value { try await transact(body) }
}

/// What a memory store holds.
private struct MemoryVerificationTables: Sendable {
  var records: [String: VerificationRecord] = [:]
  var events: [[UInt8]: [RateLimitEvent]] = [:]
  var failures: [[UInt8]: FailureCount] = [:]
  var requests: [[UInt8]: IdempotencyRecord] = [:]

  mutating func removeEvents(of mail: String) {
    for key in events.keys { events[key]?.removeAll { $0.mail == mail } }
  }
}

/// One transaction's view, written back when it succeeds.
private final class MemoryVerificationTransaction: VerificationTransaction {
  var rows: MemoryVerificationTables
  var mails: MemoryOutboxTable

  init(_ rows: MemoryVerificationTables, _ mails: MemoryOutboxTable) {
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

  func events(_ count: Int, skipping skipped: Int, under keys: [[UInt8]]) -> [Timestamp] {
    let times = keys.flatMap { rows.events[$0] ?? [] }.map(\.at).sorted(by: >)
    return Array(times.dropFirst(skipped).prefix(count))
  }

  func clampFutureEvents(under keys: [[UInt8]], at now: Timestamp) {
    for key in keys {
      rows.events[key] = rows.events[key]?.map { event in
        var event = event
        event.at = min(event.at, now)
        return event
      }
    }
  }

  func add(_ events: [RateLimitEvent]) {
    for event in events { rows.events[event.key, default: []].append(event) }
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
    for key in rows.events.keys {
      rows.events[key]?.removeAll { $0.at <= sweep.events }
      if rows.events[key]?.isEmpty == true { rows.events[key] = nil }
    }
    rows.failures = rows.failures.filter { $0.value.last > sweep.failures }
    return leavesRequests || max(expired.count, old.count) > sweep.limit
  }
}
