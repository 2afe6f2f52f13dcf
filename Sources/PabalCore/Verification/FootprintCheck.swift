/// A transaction that reports every access outside its footprint before it happens.
///
/// Stores use it in debug builds: only there do SQLite and memory notice a missing part of a footprint, which would be
/// a missing lock in a store that runs several transactions at once.
package final class FootprintCheck: VerificationTransaction {
  /// What a transaction may touch.
  package enum Permission: Sendable {
    /// The rows of a footprint, and those found through them.
    case footprint(VerificationFootprint)
    /// Any row, without changing it.
    case read
  }

  private let transaction: any VerificationTransaction
  private let footprint: VerificationFootprint?
  private let report: (String) throws -> Void
  // Declared, or found through a row that is locked.
  private var verifications: Set<String> = []
  private var mails: Set<String> = []

  /// Checks the accesses to `transaction`; `report` receives a description of each that isn't permitted.
  package init(
    _ transaction: any VerificationTransaction, _ permission: Permission,
    report: @escaping (String) throws -> Void = { preconditionFailure($0) }
  ) {
    self.transaction = transaction
    self.report = report
    switch permission {
    case .footprint(let footprint):
      self.footprint = footprint
      verifications = Set(footprint.verifications)
      mails = Set(footprint.outbox.mails)
    case .read: footprint = nil
    }
  }

  // MARK: Mail and requests

  package func enqueue(_ entry: OutboxEntry) throws {
    try write("mail", entry.id, in: mails)
    try transaction.enqueue(entry)
  }

  package func mail(_ id: String) throws -> OutboxEntry? {
    try read("mail", id, in: mails)
    return try transaction.mail(id)
  }

  package func request(under keys: [[UInt8]]) throws -> IdempotencyRecord? {
    try read("request", keys) { $0.outbox.requests }
    return try transaction.request(under: keys)
  }

  package func remember(_ request: IdempotencyRecord) throws {
    try write("request", [request.key]) { $0.outbox.requests }
    try transaction.remember(request)
  }

  // MARK: Verifications

  package func verification(_ id: String) throws -> VerificationRecord? {
    try read("verification", id, in: verifications)
    let record = try transaction.verification(id)
    if let record { try found(record) }
    return record
  }

  package func pending(_ identities: [[UInt8]]) throws -> [VerificationRecord] {
    try read("identity", identities) { $0.identities }
    let records = try transaction.pending(identities)
    for record in records { try found(record) }
    return records
  }

  // Searches run on the last committed state only, because their rows can't be declared.
  package func verifications(of mailboxes: [[UInt8]], limit: Int) throws -> [VerificationRecord] {
    if footprint != nil { try report("a search is not in the transaction's footprint") }
    return try transaction.verifications(of: mailboxes, limit: limit)
  }

  package func verifications(withSuffix suffix: String, limit: Int) throws -> [VerificationRecord] {
    if footprint != nil { try report("a search is not in the transaction's footprint") }
    return try transaction.verifications(withSuffix: suffix, limit: limit)
  }

  package func insert(_ record: VerificationRecord) throws {
    try write("identity", [record.identity]) { $0.identities }
    try write("verification", record.id, in: verifications)
    try transaction.insert(record)
  }

  package func update(_ record: VerificationRecord) throws {
    try write("identity", [record.identity]) { $0.identities }
    try write("verification", record.id, in: verifications)
    try transaction.update(record)
  }

  package func takeAttempt(_ id: String, atMost limit: Int) throws -> Int? {
    try write("verification", id, in: verifications)
    return try transaction.takeAttempt(id, atMost: limit)
  }

  /// Permits access to the mail of a verification that was found, if the verification itself may be touched.
  package func found(_ record: VerificationRecord) throws {
    try read("identity", [record.identity]) { $0.identities }
    verifications.insert(record.id)
    mails.insert(record.mail)
  }

  // MARK: Limits

  package func events(_ count: Int, skipping skipped: Int, under keys: [[UInt8]]) throws -> [Timestamp] {
    try read("event", keys) { $0.events + $0.sharedEvents }
    return try transaction.events(count, skipping: skipped, under: keys)
  }

  package func clampFutureEvents(under keys: [[UInt8]], at now: Timestamp) throws {
    try write("event", keys) { $0.events + $0.sharedEvents }
    try transaction.clampFutureEvents(under: keys, at: now)
  }

  package func add(_ events: [RateLimitEvent]) throws {
    try write("event", events.map(\.key)) { $0.events + $0.sharedEvents }
    try transaction.add(events)
  }

  package func failures(under keys: [[UInt8]]) throws -> FailureCount? {
    try read("failure count", keys) { $0.failures }
    return try transaction.failures(under: keys)
  }

  package func set(_ failures: FailureCount?, under keys: [[UInt8]]) throws {
    try write("failure count", keys) { $0.failures }
    try transaction.set(failures, under: keys)
  }

  package func supersedeMail(of id: String, newest: String?, at now: Timestamp) throws {
    try write("verification", id, in: verifications)
    try transaction.supersedeMail(of: id, newest: newest, at: now)
  }

  package func cancelMail(_ id: String, at now: Timestamp) throws {
    try write("mail", id, in: mails)
    try transaction.cancelMail(id, at: now)
  }

  // MARK: Checks

  private func read(_ kind: String, _ id: String, in ids: Set<String>) throws {
    if footprint != nil, !ids.contains(id) {
      try report("\(kind) \(id) is not in the transaction's footprint")
    }
  }

  private func write(_ kind: String, _ id: String, in ids: Set<String>) throws {
    if footprint == nil { try report("\(kind) \(id) is changed in a read") }
    try read(kind, id, in: ids)
  }

  private func read(
    _ kind: String, _ keys: [[UInt8]], in declared: (VerificationFootprint) -> [[UInt8]]
  ) throws {
    guard let footprint, !Set(keys).isSubset(of: declared(footprint)) else { return }
    try report("the \(kind) of a digest is not in the transaction's footprint")
  }

  private func write(
    _ kind: String, _ keys: [[UInt8]], in declared: (VerificationFootprint) -> [[UInt8]]
  ) throws {
    if footprint == nil { try report("the \(kind) of a digest is changed in a read") }
    try read(kind, keys, in: declared)
  }
}

extension VerificationTransaction {
  /// In debug builds, this transaction with its accesses checked; otherwise the transaction itself.
  package func checked(_ footprint: VerificationFootprint) -> any VerificationTransaction {
    #if DEBUG
      FootprintCheck(self, .footprint(footprint))
    #else
      self
    #endif
  }

  /// In debug builds, this transaction with writes forbidden; otherwise the transaction itself.
  package func checkedForReading() -> any VerificationTransaction {
    #if DEBUG
      FootprintCheck(self, .read)
    #else
      self
    #endif
  }

  /// Runs a transaction on the verification `id` in a store that runs one transaction at a time: the record is read
  /// once, and the footprint is only evaluated in debug builds, to check `body`.
  package func run<Value>(
    verification id: String, footprint: (VerificationRecord) -> VerificationFootprint,
    _ body: (any VerificationTransaction, VerificationRecord?) throws -> Value
  ) throws -> Value {
    let record = try verification(id)
    #if DEBUG
      let check = FootprintCheck(
        self, .footprint(record.map(footprint) ?? VerificationFootprint(verifications: [id])))
      if let record { try check.found(record) }
      return try body(check, record)
    #else
      return try body(self, record)
    #endif
  }
}
