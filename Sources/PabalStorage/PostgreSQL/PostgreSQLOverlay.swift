internal import PabalCore

/// The transactions of one batch: they read what was fetched, and what they write is collected and then written in one round
/// trip.
///
/// If a row hasn't been fetched, the transaction runs again once it is there. Until its end it goes on as if there were no such
/// row, where that is possible, so that everything it needs is fetched in one round trip.
final class PostgreSQLOverlay: VerificationTransaction {
  /// The transaction can't go on without a row that hasn't been fetched.
  struct Miss: Error {}

  private(set) var cache = PostgreSQLRowCache()
  private(set) var writes = PostgreSQLWrites()
  /// The rows that the current transaction missed.
  private var needs = PostgreSQLNeeds()
  private var hasMissed = false
  private var saved: (cache: PostgreSQLRowCache, writes: PostgreSQLWrites)?

  // MARK: For the batch

  /// Adds the results of `needs.fetches`.
  func fill(_ needs: PostgreSQLNeeds, _ results: some Sequence<PostgreSQLRows>) throws(PostgreSQLError) {
    for (fetch, rows) in zip(needs.fetches, results) { try fetch.add(rows, &cache) }
    // The events of the batch aren't in the table yet.
    for key in needs.events.keys { writes.replayEvents(of: key, on: &cache) }
  }

  /// Begins a transaction.
  func begin() {
    saved = (cache, writes)
    hasMissed = false
  }

  /// Ends a transaction, whose changes are kept or undone. Returns `false` if it missed a row and has to run again.
  func end(keepsChanges: Bool) -> Bool {
    if !keepsChanges || hasMissed, let saved { (cache, writes) = saved }
    saved = nil
    return !hasMissed
  }

  /// Returns the rows that transactions missed since the last call.
  func takeNeeds() -> PostgreSQLNeeds {
    defer { needs = PostgreSQLNeeds() }
    return needs
  }

  private func miss(_ add: (inout PostgreSQLNeeds) -> Void) {
    hasMissed = true
    add(&needs)
  }

  // MARK: Verifications

  func verification(_ id: String) throws -> VerificationRecord? {
    guard let row = cache.verifications[id] else {
      miss { $0.verifications.insert(id) }
      throw Miss()
    }
    return row?.record
  }

  func pending(_ identities: [[UInt8]]) throws -> [VerificationRecord] {
    let unknown = identities.filter { cache.pending[$0] == nil }
    if !unknown.isEmpty { miss { $0.identities.formUnion(unknown) } }
    var rows: [PostgreSQLRowCache.Verification] = []
    for id in identities.flatMap({ cache.pending[$0] ?? [] }) {
      if let row = cache.verifications[id] ?? nil, row.record.state == .pending { rows.append(row) }
    }
    return rows.sorted { $0.order > $1.order }.map(\.record)
  }

  func verifications(of mailboxes: [[UInt8]], limit: Int) throws -> [VerificationRecord] {
    try search(.mailboxes(mailboxes, limit: limit))
  }

  func verifications(withSuffix suffix: String, limit: Int) throws -> [VerificationRecord] {
    try search(.suffix(suffix, limit: limit))
  }

  private func search(_ search: PostgreSQLNeeds.Search) throws -> [VerificationRecord] {
    guard let records = cache.searches[search] else {
      miss { $0.searches.insert(search) }
      return []
    }
    return records
  }

  func insert(_ record: VerificationRecord) throws {
    cache.insert(record)
    writes.inserted.append(record.id)
  }

  func update(_ record: VerificationRecord) throws {
    if !cache.replace(record) { miss { $0.verifications.insert(record.id) } }
    writes.updated.insert(record.id)
  }

  func takeAttempt(_ id: String, atMost limit: Int) throws -> Int? {
    guard var record = try verification(id), record.state == .pending, record.attempts < limit else {
      return nil
    }
    record.attempts += 1
    try update(record)
    return record.attempts
  }

  // MARK: Limits

  func events(_ count: Int, skipping skipped: Int, under keys: [[UInt8]]) throws -> [Timestamp] {
    let depth = count + skipped
    var times: [Timestamp] = []
    for key in keys {
      guard let known = cache.events[key], known.isComplete || known.times.count >= depth else {
        miss { $0.events[key] = max($0.events[key] ?? 0, depth + writes.eventCount(of: key)) }
        continue
      }
      times = times.isEmpty ? known.times : times + known.times
    }
    if keys.count > 1 { times.sort(by: >) }
    return Array(times.dropFirst(skipped).prefix(count))
  }

  func clampFutureEvents(under keys: [[UInt8]], at now: Timestamp) throws {
    for key in keys {
      cache.clampEvents(key, at: now)
      writes.clamp(key, at: now)
    }
  }

  func add(_ events: [RateLimitEvent]) throws {
    for event in events { cache.addEvent(event.key, at: event.at) }
    writes.events += events
  }

  func failures(under keys: [[UInt8]]) throws -> FailureCount? {
    let unknown = keys.filter { cache.failures[$0] == nil }
    if !unknown.isEmpty { miss { $0.failures.formUnion(unknown) } }
    return keys.compactMap { cache.failures[$0] ?? nil }.max { $0.last < $1.last }
  }

  func set(_ failures: FailureCount?, under keys: [[UInt8]]) throws {
    for key in keys {
      cache.failures[key] = .some(nil)
      writes.failures.insert(key)
    }
    if let key = keys.first { cache.failures[key] = .some(failures) }
  }

  // MARK: Mail

  func enqueue(_ entry: OutboxEntry) throws {
    // An id that exists already is ignored, here as far as it is known and otherwise by the statement.
    if let known = cache.mails[entry.id], known != nil { return }
    cache.mails[entry.id] = entry
    writes.mails.append(entry.id)
  }

  func mail(_ id: String) throws -> OutboxEntry? {
    guard let entry = cache.mails[id] else {
      miss { $0.mails.insert(id) }
      return nil
    }
    guard var entry else { return nil }
    entry.setContent(nil)
    return entry
  }

  func supersedeMail(of id: String, newest: String?, at now: Timestamp) throws {
    for (mail, entry) in cache.mails {
      guard var entry, entry.group == id, mail != newest else { continue }
      if entry.withdraw(as: .superseded, at: now) { cache.mails[mail] = entry }
    }
    writes.withdrawals.append(
      PostgreSQLWrites.Withdrawal(of: .group(id, except: newest), as: .superseded, at: now))
  }

  func cancelMail(_ id: String, at now: Timestamp) throws {
    if var entry = cache.mails[id] ?? nil, entry.withdraw(as: .cancelled, at: now) { cache.mails[id] = entry }
    writes.withdrawals.append(PostgreSQLWrites.Withdrawal(of: .mail(id), as: .cancelled, at: now))
  }

  // MARK: Requests

  func request(under keys: [[UInt8]]) throws -> IdempotencyRecord? {
    let unknown = keys.filter { cache.requests[$0] == nil }
    if !unknown.isEmpty { miss { $0.requests.formUnion(unknown) } }
    return keys.compactMap { cache.requests[$0] ?? nil }.max { $0.at < $1.at }
  }

  func remember(_ request: IdempotencyRecord) throws {
    cache.requests[request.key] = request
    writes.requests.insert(request.key)
  }
}
