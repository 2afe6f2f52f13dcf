internal import Synchronization

/// An outbox in memory, for tests and for programs that may lose mail in a crash.
public final class MemoryOutbox: Outbox {
  private let rows = Mutex(MemoryOutboxTable())

  /// An empty outbox.
  public init() {}

  /// Runs `body` on the rows as one transaction, which an error undoes.
  package func transact<Value, Failure: Error>(
    _ body: (inout sending MemoryOutboxTable) throws(Failure) -> sending Value
  ) throws(Failure) -> sending Value {
    try rows.withLock { rows throws(Failure) in
      let before = rows
      do throws(Failure) {
        return try body(&rows)
      } catch {
        rows = before
        throw error
      }
    }
  }

  /// Adds mail, all or none.
  public func add(_ entries: [OutboxEntry]) async throws(StorageError) {
    transact { for entry in entries { $0.add(entry) } }
  }

  /// Claims waiting mail that is due.
  public func claim(_ claim: OutboxClaim) async throws(StorageError) -> [OutboxEntry] {
    transact { $0.claim(claim) }
  }

  /// Records how attempts ended.
  public func settle(_ settlements: [OutboxSettlement]) async throws(StorageError) -> [OutboxEntry?] {
    transact { rows in settlements.map { rows.settle($0) } }
  }

  /// Extends leases.
  public func extend(
    _ ids: [String], _ lease: OutboxEntry.Lease
  ) async throws(StorageError) -> Set<String> {
    transact { $0.extend(ids, lease) }
  }

  /// Returns what `query` asks for.
  public func read(_ query: OutboxQuery) async throws(StorageError) -> OutboxView {
    transact { $0.read(query) }
  }

  /// Changes mail outside of an attempt.
  @discardableResult
  public func amend(
    _ amendment: OutboxAmendment, now: Timestamp
  ) async throws(StorageError) -> Int {
    transact { $0.amend(amendment, now: now) }
  }

  /// Changes the transport states.
  public func transports(
    _ change: @escaping @Sendable (inout [String: TransportState]) -> Void
  ) async throws(StorageError) -> [String: TransportState] {
    transact { rows in
      change(&rows.transports)
      return rows.transports
    }
  }

  /// Expires, releases and deletes mail.
  public func sweep(_ sweep: OutboxSweep) async throws(StorageError) -> OutboxForecast {
    transact { $0.sweep(sweep) }
  }
}

/// The content of a memory outbox.
package struct MemoryOutboxTable: Sendable {
  /// The transport states.
  package var transports: [String: TransportState] = [:]
  /// Called with a mail that was rejected, within the transaction.
  package var onRejected: (@Sendable (OutboxEntry) -> Void)?
  private var turns = CallerTurns()
  // By number, in the order in which they were added.
  private var entries: [Int: OutboxEntry] = [:]
  private var numbers: [String: Int] = [:]
  private var next = 0

  /// Returns the mail with this id.
  package func entry(_ id: String) -> OutboxEntry? { numbers[id].flatMap { entries[$0] } }

  /// Adds a mail, unless its id exists already.
  package mutating func add(_ entry: OutboxEntry) {
    guard numbers[entry.id] == nil else { return }
    numbers[entry.id] = next
    entries[next] = entry
    next += 1
  }

  mutating func claim(_ claim: OutboxClaim) -> [OutboxEntry] {
    var claimed: [OutboxEntry] = []
    for lane in Lane.allCases {
      let ready = entries.filter { _, entry in
        entry.state == .waiting && entry.lane == lane && entry.due <= claim.now
          && (entry.isGivenUp || entry.notAfter.map { $0 > claim.now } ?? true)
          && claim.id.map { $0 == entry.id } ?? claim.routes.contains(entry.route)
      }
      let first = ready.sorted { ($0.value.due, $0.key) < ($1.value.due, $1.key) }
      let wanted = claim.wanted(of: lane, after: claimed.count)
      let queues = Dictionary(grouping: first, by: \.value.caller).map { (caller: $0.key, waiting: $0.value) }
        .sorted {
          ($0.waiting[0].value.due, $0.waiting[0].key) < ($1.waiting[0].value.due, $1.waiting[0].key)
        }
      let picked =
        claim.id == nil
        ? turns.take(wanted, of: lane, routes: claim.routes, from: queues) : Array(first.prefix(wanted))
      for (number, entry) in picked {
        let entry = entry.claimed(by: claim.lease)
        entries[number] = entry
        claimed.append(entry)
      }
    }
    return claimed
  }

  mutating func settle(_ settlement: OutboxSettlement) -> OutboxEntry? {
    guard let number = numbers[settlement.id], var entry = entries[number],
      entry.isLeased(by: settlement.owner, attempt: settlement.attempt)
    else { return nil }
    entry.settle(settlement)
    entry.setMarks(entry.marks + settlement.marks)
    entries[number] = entry
    entry.setMarks([])
    if entry.state == .rejected { onRejected?(entry) }
    for report in settlement.reports { add(report.entry) }
    return entry
  }

  mutating func extend(_ ids: [String], _ lease: OutboxEntry.Lease) -> Set<String> {
    var held: Set<String> = []
    for id in ids {
      guard let number = numbers[id], let entry = entries[number], entry.state == .sending,
        entry.lease?.owner == lease.owner
      else { continue }
      entries[number]?.lease = lease
      held.insert(id)
    }
    return held
  }

  func read(_ query: OutboxQuery) -> OutboxView {
    let before = query.before.map { numbers[$0] ?? 0 } ?? Int.max
    let found = entries.filter { number, entry in
      number < before && query.ids?.contains(entry.id) ?? true && query.states?.contains(entry.state) ?? true
        && query.caller.map { $0 == entry.caller } ?? true
        && query.recipients.map { $0.contains(where: entry.recipientDigests.contains) } ?? true
    }
    var counts: [OutboxState: Int] = [:]
    if query.withCounts { for entry in entries.values { counts[entry.state, default: 0] += 1 } }
    var shown = found.sorted { $0.key > $1.key }.prefix(max(query.limit, 0)).map(\.value)
    if !query.withMarks { for index in shown.indices { shown[index].setMarks([]) } }
    return OutboxView(
      entries: query.withContent ? shown : shown.map(\.withoutContent), counts: counts,
      transports: query.withTransports ? transports : [:],
      backlog: query.withBacklog ? backlog : OutboxBacklog())
  }

  private var backlog: OutboxBacklog {
    var backlog = OutboxBacklog()
    for entry in entries.values {
      switch entry.state {
      case .sending: backlog.sending += 1
      case .waiting:
        let known = backlog.waiting[entry.lane]
        backlog.waiting[entry.lane] = OutboxBacklog.Waiting(
          count: (known?.count ?? 0) + 1, oldest: min(known?.oldest ?? entry.created, entry.created))
      case .sent, .rejected, .unknown, .expired, .superseded, .cancelled: break
      }
    }
    return backlog
  }

  /// Changes mail outside of an attempt. Returns how many mails it changed.
  package mutating func amend(_ amendment: OutboxAmendment, now: Timestamp) -> Int {
    switch amendment {
    case .retry(let ids):
      change(ids.map { Set($0).compactMap { numbers[$0] } } ?? entries.keys.sorted()) { $0.expedite(at: now) }
    case .reroute(let limit):
      Lane.allCases.reduce(0) { count, lane in
        let concerned = entries.filter { _, entry in
          var entry = entry
          return entry.lane == lane && entry.reroute(at: now)
        }
        return count + change(concerned.keys.sorted().prefix(max(0, limit - count))) { $0.reroute(at: now) }
      }
    case .cancel(let ids):
      change(Set(ids).compactMap { numbers[$0] }) { $0.withdraw(as: .cancelled, at: now) }
    case .supersede(let group, let newest):
      change(
        entries.filter { $0.value.group == group && $0.value.id != newest }.map(\.key).sorted()
      ) { $0.withdraw(as: .superseded, at: now) }
    }
  }

  mutating func sweep(_ sweep: OutboxSweep) -> OutboxForecast {
    let late = entries.filter {
      $0.value.state == .waiting && !$0.value.isGivenUp && $0.value.notAfter.map { $0 <= sweep.now } ?? false
    }
    let leaseExpired = entries.filter { _, entry in
      entry.state == .sending && entry.lease.map { $0.owner != sweep.owner && $0.until <= sweep.now } ?? false
    }
    let old = entries.filter { $0.value.ended.map { $0 <= sweep.now - sweep.retention } ?? false }
    for number in late.keys.sorted().prefix(sweep.limit) { _ = entries[number]?.expire(at: sweep.now) }
    for number in leaseExpired.keys.sorted().prefix(sweep.limit) {
      entries[number]?.expireLease(at: sweep.now, limit: sweep.maxUnknownAttempts)
    }
    for number in entries.keys { _ = entries[number]?.clampFutureTimes(sweep) }
    for number in old.keys.sorted().prefix(sweep.limit) {
      if let id = entries.removeValue(forKey: number)?.id { numbers[id] = nil }
    }
    let waiting = entries.values.filter { $0.state == .waiting }
    let leases = entries.values.compactMap(\.lease).filter { $0.owner != sweep.owner }
    return OutboxForecast(
      due: waiting.map(\.due).min(),
      end: (waiting.compactMap(\.notAfter) + leases.map(\.until)).min(),
      oldestCode: waiting.filter { $0.lane == .code }.map(\.created).min(),
      isUnfinished: max(late.count, leaseExpired.count, old.count) > sweep.limit)
  }

  private mutating func change(
    _ numbers: some Sequence<Int>, _ body: (inout OutboxEntry) -> Bool
  ) -> Int {
    var changed = 0
    for number in numbers {
      guard var entry = entries[number], body(&entry) else { continue }
      entries[number] = entry
      changed += 1
    }
    return changed
  }
}

extension OutboxEntry {
  /// The entry without its sealed content.
  package var withoutContent: OutboxEntry {
    var entry = self
    entry.content = nil
    return entry
  }
}
