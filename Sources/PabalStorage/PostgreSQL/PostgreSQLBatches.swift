internal import PabalCore
internal import Synchronization

/// Runs transactions of concurrent callers in batches, each of which takes two or three round trips and one commit.
///
/// A batch first locks what its transactions declared, in one order on all nodes, and fetches it. The transactions then run one
/// after the other on that, and what they changed is written together. A change of the same rows by statements that don't take
/// these locks makes the whole batch run again.
final class PostgreSQLBatches: Sendable {
  private struct State {
    var jobs: [any PostgreSQLJob] = []
    var drains = 0
    /// How many of the newest events of a key transactions have read, if more than usual.
    var eventDepths: [[UInt8]: Int] = [:]
  }

  private static let maxJobs = 128
  /// The lock table of a server is shared by all its databases and has some thousand entries.
  private static let maxLocks = 500
  /// More round trips of one batch than any transaction needs.
  private static let maxFetches = 20
  /// A read may follow one row from another.
  private static let maxFetchesOfRead = 1_000
  private static let usualEventDepth = 16

  private let pool: PostgreSQLPool
  private let notifier: PostgreSQLNotifier
  private let maxDrains: Int
  private let state = Mutex(State())

  /// Batches on half of the pool's connections, so that others are left for claims and reads.
  init(_ pool: PostgreSQLPool, _ notifier: PostgreSQLNotifier, connections: Int) {
    self.pool = pool
    self.notifier = notifier
    maxDrains = max(connections / 2, 1)
  }

  /// Runs `body` as one transaction.
  func run<Value: Sendable>(
    _ footprint: VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    try await submit { answer in
      PostgreSQLValueJob(
        verification: nil, place: pool.place, footprint: { _ in footprint },
        body: { try body($0.checked(footprint)) }, answer: answer)
    }
  }

  /// Runs `body` as one transaction with the verification `id`.
  func run<Value: Sendable>(
    verification id: String, footprint: @escaping @Sendable (VerificationRecord) -> VerificationFootprint,
    _ body: @escaping @Sendable (any VerificationTransaction, VerificationRecord?) throws -> Value
  ) async throws(StorageError) -> Value {
    try await submit { answer in
      PostgreSQLValueJob(
        verification: id, place: pool.place,
        footprint: { record in
          var declared = record.map(footprint) ?? VerificationFootprint()
          declared.verifications.append(id)
          return declared
        },
        body: { try $0.run(verification: id, footprint: footprint, body) }, answer: answer)
    }
  }

  /// Runs `body` on the last committed state.
  func read<Value: Sendable>(
    _ body: @escaping @Sendable (any VerificationTransaction) throws -> Value
  ) async throws(StorageError) -> Value {
    let place = pool.place
    let result = try await pool.read { connection throws(PostgreSQLError) in
      let overlay = PostgreSQLOverlay()
      for _ in 0..<Self.maxFetchesOfRead {
        overlay.begin()
        let result = Result { try body(overlay.checkedForReading()) }
        if overlay.end(keepsChanges: false) { return result.mapError { StorageError($0, place: place) } }
        let needs = overlay.takeNeeds()
        try overlay.fill(needs, connection.run(needs.fetches.map(\.statement)))
      }
      throw PostgreSQLError(kind: .statement, error: .other("a read didn't end"))
    }
    return try result.get()
  }

  private func submit<Value: Sendable>(
    _ job: (@escaping @Sendable (Result<Value, StorageError>) -> Void) -> any PostgreSQLJob
  ) async throws(StorageError) -> Value {
    let result = await withCheckedContinuation { continuation in
      let job = job { continuation.resume(returning: $0) }
      let startsDrain = state.withLock { state in
        state.jobs.append(job)
        guard state.drains < maxDrains else { return false }
        state.drains += 1
        return true
      }
      if startsDrain { startDrain() }
    }
    return try result.get()
  }

  private func startDrain() {
    Task { await pool.onThread { self.drain() } }
  }

  /// Runs one batch. The next one waits for a thread again, so that claims and reads get their turn.
  private func drain() {
    let jobs = state.withLock { state in
      let next = Array(state.jobs.prefix(Self.maxJobs))
      state.jobs.removeFirst(next.count)
      return next
    }
    if !jobs.isEmpty { commit(jobs) }
    let goesOn = state.withLock { state in
      if state.jobs.isEmpty { state.drains -= 1 }
      return !state.jobs.isEmpty
    }
    if goesOn { startDrain() }
  }

  /// Runs jobs in one transaction and answers them.
  private func commit(_ jobs: [any PostgreSQLJob]) {
    let result = pool.writeNow { transaction throws(PostgreSQLError) in try self.run(jobs, in: transaction) }
    switch result {
    case .success((let rest, let addsWaitingMail)):
      for job in jobs.dropLast(rest) { job.answer(nil) }
      if addsWaitingMail { notifier.notify() }
      if rest > 0 { commit(Array(jobs.suffix(rest))) }
    case .failure(let error):
      // One of the jobs may be the cause.
      if jobs.count > 1, case .other = error.kind {
        for job in jobs { commit([job]) }
      } else {
        for job in jobs { job.answer(error) }
      }
    }
  }

  /// Runs as many jobs as the number of locks permits. Returns how many are left, and whether mail was added that any node may
  /// send.
  private func run(
    _ jobs: [any PostgreSQLJob], in transaction: PostgreSQLTransaction
  ) throws(PostgreSQLError) -> (rest: Int, addsWaitingMail: Bool) {
    let (jobs, footprints, rest) = try declare(jobs, in: transaction)
    let overlay = PostgreSQLOverlay()
    let depths = state.withLock { $0.eventDepths }
    var needs = PostgreSQLNeeds()
    for footprint in footprints { needs.add(footprint) { depths[$0] ?? Self.usualEventDepth } }
    let locks = PostgreSQLLocks(footprints)
    let fetches = needs.fetches.map(\.statement)
    if !locks.keys.isEmpty || !fetches.isEmpty {
      // Each statement sees what was committed before it began, so the fetches see what those with the locks wrote.
      try overlay.fill(needs, transaction.run([locks.statement] + fetches).dropFirst())
    }
    var waiting = jobs
    for _ in 0..<Self.maxFetches {
      waiting = waiting.filter { job in
        overlay.begin()
        return !overlay.end(keepsChanges: job.run(overlay))
      }
      if waiting.isEmpty {
        for statement in overlay.writes.statements(overlay.cache) { transaction.queue(statement) }
        return (rest, overlay.writes.mails.contains { overlay.cache.mails[$0]??.state == .waiting })
      }
      let needs = overlay.takeNeeds()
      remember(needs)
      try overlay.fill(needs, transaction.run(needs.fetches.map(\.statement)))
    }
    throw PostgreSQLError(kind: .statement, error: .other("a transaction didn't end"))
  }

  /// Returns the first jobs that need no more than the permitted number of locks, with their footprints, and the number of
  /// the other jobs.
  private func declare(
    _ jobs: [any PostgreSQLJob], in transaction: PostgreSQLTransaction
  ) throws(PostgreSQLError) -> ([any PostgreSQLJob], [VerificationFootprint], rest: Int) {
    let ids = jobs.compactMap(\.verification)
    var cache = PostgreSQLRowCache()
    if !ids.isEmpty {
      // What the footprints follow from never changes, so these rows needn't be locked.
      let statement = PostgreSQLNeeds.selectVerifications("WHERE v.id = ANY ($1)", [.texts(ids)])
      try cache.fill(verifications: Set(ids), transaction.run([statement])[0])
    }
    var footprints: [VerificationFootprint] = []
    var locks = 0
    for job in jobs {
      let record = job.verification.flatMap { cache.verifications[$0] ?? nil }?.record
      let footprint = job.footprint(record)
      locks += PostgreSQLLocks([footprint]).keys.count
      if locks > Self.maxLocks, !footprints.isEmpty { break }
      footprints.append(footprint)
    }
    return (Array(jobs.prefix(footprints.count)), footprints, jobs.count - footprints.count)
  }

  /// Remembers how many events were read, so that the next batch fetches as many at once.
  private func remember(_ needs: PostgreSQLNeeds) {
    guard needs.events.contains(where: { $0.value > Self.usualEventDepth }) else { return }
    state.withLock { state in
      if state.eventDepths.count > 64 { state.eventDepths = [:] }
      for (key, depth) in needs.events where depth > Self.usualEventDepth { state.eventDepths[key] = depth }
    }
  }
}

/// The advisory locks of footprints.
struct PostgreSQLLocks {
  /// Numbers that stand for the digests, sorted and without duplicates. Two digests with one number only wait for each other.
  let keys: [Int64]

  init(_ footprints: [VerificationFootprint]) {
    var keys: Set<Int64> = []
    for footprint in footprints {
      for digests in [footprint.identities, footprint.events, footprint.failures, footprint.outbox.requests] {
        for digest in digests {
          keys.insert(digest.prefix(8).reduce(Int64(digest.count)) { $0 << 8 ^ Int64($1) })
        }
      }
    }
    self.keys = keys.sorted()
  }

  /// The statement that takes the locks in the order of `keys`, until the end of the transaction.
  var statement: PostgreSQLStatement {
    PostgreSQLStatement(
      "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key", [.ints(keys.map { $0 })])
  }
}

/// A transaction that waits for its batch, whatever the type of its result.
protocol PostgreSQLJob: Sendable {
  /// The id of the verification that the footprint follows from.
  var verification: String? { get }
  /// The rows that it may touch.
  var footprint: @Sendable (VerificationRecord?) -> VerificationFootprint { get }
  /// Runs it. Returns whether its changes are kept.
  func run(_ overlay: PostgreSQLOverlay) -> Bool
  /// Answers the caller: with the result after the commit, or with the error that undid the batch.
  func answer(_ error: StorageError?)
}

/// A transaction and its result until the commit.
private final class PostgreSQLValueJob<Value: Sendable>: PostgreSQLJob {
  let verification: String?
  let footprint: @Sendable (VerificationRecord?) -> VerificationFootprint
  private let place: String
  private let body: @Sendable (PostgreSQLOverlay) throws -> Value
  private let caller: @Sendable (Result<Value, StorageError>) -> Void
  private let result = Mutex<Result<Value, StorageError>?>(nil)

  init(
    verification: String?, place: String,
    footprint: @escaping @Sendable (VerificationRecord?) -> VerificationFootprint,
    body: @escaping @Sendable (PostgreSQLOverlay) throws -> Value,
    answer: @escaping @Sendable (Result<Value, StorageError>) -> Void
  ) {
    self.verification = verification
    self.place = place
    self.footprint = footprint
    self.body = body
    caller = answer
  }

  func run(_ overlay: PostgreSQLOverlay) -> Bool {
    do {
      let value = try body(overlay)
      result.withLock { $0 = .success(value) }
      return true
    } catch {
      result.withLock { $0 = .failure(StorageError(error, place: place)) }
      return false
    }
  }

  func answer(_ error: StorageError?) {
    if let error { return caller(.failure(error)) }
    caller(result.withLock { $0 } ?? .failure(StorageError(.closed, place: place)))
  }
}
