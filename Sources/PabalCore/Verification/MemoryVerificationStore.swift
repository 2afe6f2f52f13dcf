internal import Synchronization

/// A store of verifications in memory, beside an outbox in memory. Its content is lost when the process ends.
public final class MemoryVerificationStore: VerificationStore {
  private let outbox: MemoryOutbox
  private let tables = Mutex(MemoryVerificationTables())

  /// An empty store whose mail goes to `outbox`.
  public init(outbox: MemoryOutbox) {
    self.outbox = outbox
    outbox.transact { mails in
      mails.onRejected = { [weak self] mail in self?.tables.withLock { $0.reject(mail) } }
    }
  }

  /// Runs `body` on the verifications and the outbox, with no other transaction beside it.
  public func transact<Value: Sendable>(
    footprint: VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value { try run { try body($0.checked(footprint)) } }

  /// Runs `body` on one verification.
  public func transact<Value: Sendable>(
    verification id: String, footprint: @escaping @Sendable (VerificationRecord) -> VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction, VerificationRecord?) throws -> Value
  ) async throws(StorageError) -> Value {
    try run { try $0.run(verification: id, footprint: footprint, body) }
  }

  /// Runs `body` on the current state.
  public func read<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value { try run { try body($0.checkedForReading()) } }

  /// Runs `body` on the outbox and the requests beside it.
  public func transactMail<Value: Sendable>(
    footprint: OutboxFootprint, _ body: @escaping @Sendable (any OutboxTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    try run { try body($0.checked(VerificationFootprint(outbox: footprint))) }
  }

  /// Runs `body` on the current state.
  public func readMail<Value: Sendable>(
    _ body: @escaping @Sendable (any OutboxTransaction) throws -> Value
  ) async throws(StorageError) -> Value { try run { try body($0.checkedForReading()) } }

  /// Deletes expired requests.
  public func sweepRequests(at now: Timestamp, limit: Int) async throws(StorageError) -> Bool {
    tables.withLock { $0.sweepRequests(at: now, limit: limit) }
  }

  /// Expires and deletes old rows.
  public func sweep(_ sweep: VerificationSweep) async throws(StorageError) -> Bool {
    tables.withLock { $0.sweep(sweep) }
  }

  private func run<Value>(
    _ body: (MemoryVerificationTransaction) throws -> sending Value
  ) throws(StorageError) -> sending Value {
    do {
      return try outbox.transact { mails in
        try tables.withLock { tables in
          let transaction = MemoryVerificationTransaction(tables, mails)
          let value = try body(transaction)
          tables = transaction.tables
          mails = transaction.mails
          return value
        }
      }
    } catch let error as StorageError {
      throw error
    } catch {
      throw StorageError(.other("\(error)"), place: "memory")
    }
  }
}

/// The content of a memory store.
private struct MemoryVerificationTables: Sendable {
  var records: [String: VerificationRecord] = [:]
  /// The order in which the records were inserted, because several may be of the same millisecond.
  var numbers: [String: Int] = [:]
  var lastNumber = 0
  var events: [[UInt8]: [RateLimitEvent]] = [:]
  var failures: [[UInt8]: FailureCount] = [:]
  var requests: [[UInt8]: IdempotencyRecord] = [:]
  var refunds: [[UInt8]: Timestamp] = [:]

  /// The position of a record in the order of insertion.
  func number(of record: VerificationRecord) -> Int { numbers[record.id] ?? 0 }

  /// Ends the verification of a rejected mail, and refunds what the mail counted towards.
  mutating func reject(_ mail: OutboxEntry) {
    let now = mail.ended ?? mail.created
    if let id = mail.group, records[id]?.mail == mail.id, records[id]?.state == .pending {
      records[id]?.transition(to: .undeliverable, at: now)
    }
    let counted = events.values.joined().filter { $0.mail == mail.id && $0.countsRefunds }
    let refunded = counted.filter { event in
      guard let last = refunds[event.key], last <= now else { return true }
      return last + VerificationPolicy.refundInterval <= now
    }
    guard !refunded.isEmpty else { return }
    for event in refunded { refunds[event.key] = now }
    for key in events.keys { events[key]?.removeAll { $0.mail == mail.id } }
  }

  mutating func sweepRequests(at now: Timestamp, limit: Int) -> Bool {
    let old = requests.values.filter { $0.at <= now - IdempotencyKey.lifetime }
    for request in old.prefix(limit) { requests[request.key] = nil }
    for request in requests.values where request.at > now { requests[request.key]?.at = now }
    return old.count > limit
  }

  mutating func sweep(_ sweep: VerificationSweep) -> Bool {
    let leavesRequests = sweepRequests(at: sweep.now, limit: sweep.limit)
    let expired = records.values.filter { $0.state == .pending && $0.expires <= sweep.now }
    for var record in expired.prefix(sweep.limit) {
      record.transition(to: .expired, at: record.expires)
      records[record.id] = record
    }
    let old = records.values.filter { $0.ended.map { $0 <= sweep.ended } ?? false }
    for record in old.prefix(sweep.limit) { (records[record.id], numbers[record.id]) = (nil, nil) }
    for key in events.keys {
      events[key]?.removeAll { $0.at <= sweep.events }
      if events[key]?.isEmpty == true { events[key] = nil }
    }
    refunds = refunds.filter { $0.value > sweep.refunds }
    failures = failures.filter { $0.value.last > sweep.failures }
    return leavesRequests || max(expired.count, old.count) > sweep.limit
  }
}

/// The working copy of one transaction, which the store keeps if the transaction succeeds.
private final class MemoryVerificationTransaction: VerificationTransaction {
  var tables: MemoryVerificationTables
  var mails: MemoryOutboxTable

  init(_ tables: MemoryVerificationTables, _ mails: MemoryOutboxTable) {
    self.tables = tables
    self.mails = mails
  }

  func verification(_ id: String) -> VerificationRecord? { tables.records[id] }

  func pending(_ identities: [[UInt8]]) -> [VerificationRecord] {
    tables.records.values.filter { $0.state == .pending && identities.contains($0.identity) }
      .sorted { tables.number(of: $0) > tables.number(of: $1) }
  }

  func verifications(of mailboxes: [[UInt8]], limit: Int) -> [VerificationRecord] {
    newest(limit) { record in record.mailbox.map { mailboxes.contains($0) } ?? false }
  }

  func verifications(withSuffix suffix: String, limit: Int) -> [VerificationRecord] {
    newest(limit) { $0.id.hasSuffix(suffix) }
  }

  private func newest(_ limit: Int, _ matches: (VerificationRecord) -> Bool) -> [VerificationRecord] {
    Array(
      tables.records.values.filter(matches).sorted { tables.number(of: $0) > tables.number(of: $1) }
        .prefix(limit)
    )
  }

  func insert(_ record: VerificationRecord) {
    tables.lastNumber += 1
    tables.numbers[record.id] = tables.lastNumber
    tables.records[record.id] = record
  }

  func update(_ record: VerificationRecord) { tables.records[record.id] = record }

  func takeAttempt(_ id: String, atMost limit: Int) -> Int? {
    guard let record = tables.records[id], record.state == .pending, record.attempts < limit else {
      return nil
    }
    tables.records[id]?.attempts += 1
    return record.attempts + 1
  }

  func events(_ count: Int, skipping skipped: Int, under keys: [[UInt8]]) -> [Timestamp] {
    let times = keys.flatMap { tables.events[$0] ?? [] }.map(\.at).sorted(by: >)
    return Array(times.dropFirst(skipped).prefix(count))
  }

  func clampFutureEvents(under keys: [[UInt8]], at now: Timestamp) {
    for key in keys {
      tables.events[key] = tables.events[key]?.map { event in
        var event = event
        event.at = min(event.at, now)
        return event
      }
    }
  }

  func add(_ events: [RateLimitEvent]) {
    for event in events { tables.events[event.key, default: []].append(event) }
  }

  func failures(under keys: [[UInt8]]) -> FailureCount? {
    keys.compactMap { tables.failures[$0] }.max { $0.last < $1.last }
  }

  func set(_ failures: FailureCount?, under keys: [[UInt8]]) {
    for key in keys { tables.failures[key] = nil }
    if let first = keys.first { tables.failures[first] = failures }
  }

  func enqueue(_ entry: OutboxEntry) { mails.add(entry) }

  func supersedeMail(of id: String, newest: String?, at now: Timestamp) {
    _ = mails.amend(.supersede(group: id, newest: newest ?? ""), now: now)
  }

  func cancelMail(_ id: String, at now: Timestamp) { _ = mails.amend(.cancel([id]), now: now) }

  func mail(_ id: String) -> OutboxEntry? { mails.entry(id)?.withoutContent }

  func request(under keys: [[UInt8]]) -> IdempotencyRecord? {
    keys.compactMap { tables.requests[$0] }.max { $0.at < $1.at }
  }

  func remember(_ request: IdempotencyRecord) { tables.requests[request.key] = request }
}
