internal import Synchronization

/// The loop that empties an outbox: claims what is due, walks it over the transports, takes down how it ended.
public actor Dispatcher {
  /// The name under which this process claims.
  public nonisolated let owner: String

  let outbox: any Outbox
  let sealing: any ContentSealing
  var options: DispatcherOptions
  let route: @Sendable () -> [DispatchTransport]
  let report: @Sendable (DispatcherEvent) -> Void
  let dependencies: Dependencies
  var stateCache = TransportStateCache()
  // Counts the changes of the transports' states as the outbox makes them.
  let changeSequence = ChangeSequence()
  var isFinishing = false
  // By transport: how many attempts are about to spend a send of its pace.
  var expectedSends: [String: Int] = [:]
  // The transports whose being held was told of.
  var reportedHolds: Set<String> = []

  // Counts the routes that mail has taken.
  var currentRouteGeneration = 0
  // How many mails were made due since the route changed, while there may be more to make due.
  var expedited: Int?

  // What could not be settled, by the mail's id, until its deliverer asks.
  var unsettled: [String: StorageError] = [:]

  private let wakeSignal = WakeSignal()
  // How many mails of the fast path were promised a place and have not come yet.
  var reservedSlots = 0
  private var inFlight: [String: Task<Void, Never>] = [:] {
    didSet { inFlightCounter.store(inFlight.count, ordering: .relaxed) }
  }
  private let inFlightCounter = Atomic(0)
  private var leaseRenewal: Task<Void, Never>?
  var mayHaveWork = true
  // How often somebody said that there is more; a claim that began before knows nothing of it.
  var wakeCount = 0
  var lastSweep: Timestamp?
  var forecast = OutboxForecast(due: nil, end: nil, oldestCode: nil, isUnfinished: false)
  var hasReportedCodeDelay = false

  /// A dispatcher of `outbox`.
  ///
  /// `route` is asked anew for each mail, so that a change of it takes effect on mail that waits; `report`
  /// is called from any thread.
  public init(
    _ outbox: any Outbox, sealing: any ContentSealing, options: DispatcherOptions = DispatcherOptions(),
    dependencies: Dependencies = Dependencies(),
    report: @escaping @Sendable (DispatcherEvent) -> Void = { _ in },
    route: @escaping @Sendable () -> [DispatchTransport]
  ) {
    self.outbox = outbox
    self.sealing = sealing
    self.options = options
    self.dependencies = dependencies
    self.report = report
    self.route = route
    owner =
      String(UInt64.random(in: .min ... .max), radix: 36)
      + String(UInt64.random(in: .min ... .max), radix: 36)
  }

  // MARK: Running

  /// Hands mail over until `finish` is called, and returns when nothing is under way any more.
  public func run() async {
    while !isFinishing {
      let wait = await round()
      if isFinishing { break }
      await wakeSignal.wait { [sleep = dependencies.sleep] in await sleep(wait) }
    }
    await drain()
  }

  /// Stops claiming, and returns when what is under way has ended and is settled; what waits for its
  /// transport's pace is put back.
  public func finish() async {
    isFinishing = true
    wakeSignal.signal()
    await drain()
  }

  /// How many mails are under way: claimed by this process and not settled yet.
  public nonisolated var inFlightCount: Int { inFlightCounter.load(ordering: .relaxed) }

  /// Says that there is new mail in the outbox, or a new route.
  public nonisolated func wake() {
    Task { await signalWork() }
  }

  /// Does the housekeeping if it is time, and starts what is due; gives when it wants to be called again.
  package func round() async -> Duration {
    let now = dependencies.now()
    // A clock that was set back must not stop the housekeeping.
    if forecast.isUnfinished || lastSweep.map({ now - $0 >= options.pollInterval || now < $0 }) ?? true {
      await runMaintenance(now)
    }
    let isExpediting = await expediteRerouted()
    if forecast.due.map({ $0 <= dependencies.now() }) ?? false { mayHaveWork = true }
    while mayHaveWork, !isFinishing, hasRoom(.code) {
      do throws(StorageError) {
        guard try await launch() else { break }
      } catch {
        report(.storage(error))
        break
      }
    }
    if forecast.isUnfinished || isExpediting { return .zero }
    let later = [forecast.due, pacedUntil()].compactMap { $0 }.map { $0 - dependencies.now() }.filter {
      $0 > .zero
    }
    return min(options.pollInterval, later.min() ?? options.pollInterval)
  }

  /// Returns when no mail is under way.
  package func drain() async {
    while let task = inFlight.values.first { await task.value }
  }

  // MARK: The fast path

  /// A lease under which the caller may add a mail of `lane` already claimed, and hand it over at once when
  /// it is durable; `nil`: add it as waiting mail and `wake`.
  ///
  /// Each lease is followed by one `handOver` or `release`.
  public func reserve(_ lane: Lane, unknown: UnknownPolicy) -> OutboxEntry.Lease? {
    let now = dependencies.now()
    guard !isFinishing, lastSweep != nil, unknown == .resend, hasRoom(lane),
      let candidate = availableRoute(lane, at: now).candidates.first,
      availableSends(candidate, lane, at: now) > reservedSlots
    else { return nil }
    reservedSlots += 1
    return lease(from: now)
  }

  /// Hands over a mail that was added with a lease of `reserve`; returns at once.
  public func handOver(_ entry: OutboxEntry, _ mail: Mail) {
    reservedSlots -= 1
    let availableRoute = availableRoute(entry.lane, at: dependencies.now())
    adjustExpectedSends(1, of: availableRoute.candidates.first)
    start(
      entry, OutboxContent(mail), over: availableRoute.candidates, isPartial: availableRoute.isPartial,
      routeGeneration: availableRoute.routeGeneration)
  }

  /// Gives a lease of `reserve` back that was not used.
  public func release() { reservedSlots -= 1 }

  // MARK: One mail

  /// Delivers the waiting mail called `id` alone, whatever is known of its transports, and gives it as it is
  /// after this attempt; as it is where another process has it, it isn't due or the transport's pace is spent
  /// for longer than `DispatcherOptions.interactivePaceWaitLimit`, `nil` where it isn't there.
  ///
  /// A problem after an attempt is told of as `unsettled`, too.
  public func deliver(_ id: String) async throws(StorageError) -> OutboxEntry? {
    let now = dependencies.now()
    let claimed = try await outbox.claim(OutboxClaim(lease(from: now), now: now, limit: 1, id: id))
    if let entry = claimed.first { await attempt(entry, nil) }
    if let problem = unsettled.removeValue(forKey: id) { throw problem }
    return try await outbox.read(OutboxQuery(ids: [id], withContent: true)).entries.first
  }

  /// Delivers a mail that was added with `lease()`, and returns when its first attempt has ended and is
  /// settled, or `unsettled` was told of it.
  public func deliver(_ entry: OutboxEntry, _ mail: Mail) async {
    await attempt(entry, OutboxContent(mail))
    unsettled[entry.id] = nil
  }

  /// A lease for a mail that the caller adds and then delivers.
  public func lease() -> OutboxEntry.Lease { lease(from: dependencies.now()) }

  private func attempt(_ entry: OutboxEntry, _ content: OutboxContent?) async {
    await refreshStates()
    let (all, routeGeneration) = (route(), currentRouteGeneration)
    let soon = sendableSoon(all, entry.lane, at: dependencies.now())
    let candidates = soon.isEmpty ? all : soon
    adjustExpectedSends(1, of: candidates.first)
    await start(
      entry, content, over: candidates, isPartial: candidates.count < all.count,
      routeGeneration: routeGeneration, isAlone: true
    ).value
    // Without a `serve` nobody else keeps house.
    do throws(StorageError) {
      _ = try await outbox.sweep(OutboxSweep(now: dependencies.now(), owner: owner, options: options))
    } catch {
      report(.storage(error))
    }
  }

  // MARK: Room

  func room(_ lane: Lane) -> Int {
    let reserved = lane == .code || options.maxConcurrentAttempts < 2 ? 0 : 1
    return max(0, options.maxConcurrentAttempts - reserved - inFlight.count - reservedSlots)
  }

  func hasRoom(_ lane: Lane) -> Bool { room(lane) > 0 }

  func lease(from now: Timestamp) -> OutboxEntry.Lease {
    OutboxEntry.Lease(owner: owner, until: now + options.leaseDuration)
  }

  /// Takes note that there is new mail or a new route.
  package func signalWork() {
    wakeCount += 1
    mayHaveWork = true
    wakeSignal.signal()
  }

  // MARK: Flights

  @discardableResult
  func start(
    _ entry: OutboxEntry, _ content: OutboxContent?, over candidates: [DispatchTransport], isPartial: Bool,
    routeGeneration: Int,
    isProbe: Bool = false, isAlone: Bool = false
  ) -> Task<Void, Never> {
    let task = Task {
      await handOver(
        entry, content, over: candidates, isPartial: isPartial, routeGeneration: routeGeneration,
        isProbe: isProbe, isAlone: isAlone)
      complete(entry.id)
    }
    inFlight[entry.id] = task
    renewLeases()
    return task
  }

  private func complete(_ id: String) {
    inFlight[id] = nil
    if inFlight.isEmpty {
      leaseRenewal?.cancel()
      leaseRenewal = nil
    }
    if mayHaveWork { wakeSignal.signal() }
  }

  private func renewLeases() {
    guard leaseRenewal == nil else { return }
    leaseRenewal = Task {
      while !Task.isCancelled {
        await dependencies.sleep(options.leaseDuration / 3)
        if Task.isCancelled { return }
        do throws(StorageError) {
          _ = try await outbox.extend(Array(inFlight.keys), lease(from: dependencies.now()))
        } catch {
          report(.storage(error))
        }
      }
    }
  }
}

// What is claimed, and which way it goes.
extension Dispatcher {
  /// The transports that mail of one lane may take now, in order.
  struct AvailableRoute {
    let candidates: [DispatchTransport]
    /// Whether some transports of the route are left out for now.
    let isPartial: Bool
    /// Whether each of them has its next send long after.
    let isPaceExhausted: Bool
    /// Which of the routes that mail has taken it is.
    let routeGeneration: Int

    /// The transport before which those that were left alone are tried again; `nil`: wherever they stand.
    var probeLimit: String? { isPaceExhausted ? nil : candidates.first?.name }
  }

  /// The way of mail of `lane` at `now`.
  func availableRoute(_ lane: Lane, at now: Timestamp) -> AvailableRoute {
    let all = route()
    let open = all.filter { stateCache[$0.name].permission(at: now) == .open }
    let soon = sendableSoon(open, lane, at: now)
    let candidates = soon.isEmpty ? open : soon
    return AvailableRoute(
      candidates: candidates, isPartial: candidates.count < all.count,
      isPaceExhausted: soon.isEmpty && !open.isEmpty,
      routeGeneration: currentRouteGeneration)
  }

  /// Claims what there is room and pace for, and starts it; says whether there was anything.
  func launch() async throws(StorageError) -> Bool {
    let now = dependencies.now()
    let codes = availableRoute(.code, at: now)
    let others = availableRoute(.normal, at: now)
    var probed = try await probe(.code, before: codes.probeLimit, now)
    // Mail that may not have what the pace keeps for codes looks further.
    if !probed, others.probeLimit != codes.probeLimit {
      probed = try await probe(.normal, before: others.probeLimit, now)
    }
    guard let first = codes.candidates.first, let second = others.candidates.first else {
      if !probed { mayHaveWork = false }
      return probed
    }
    let seen = wakeCount
    let forCodes = min(room(.code), availableSends(first, .code, at: now))
    if first.name == second.name {
      let forOthers = min(room(.normal), availableSends(first, .normal, at: now))
      guard forCodes > 0 else { return probed }
      let claim = OutboxClaim(
        lease(from: now), now: now, limit: forCodes, reservedForCodes: max(0, forCodes - forOthers))
      let count = try await take(claim, codes, others, by: first)
      // Fewer than there was room for: the rest comes with a bell or the next housekeeping.
      mayHaveWork = wakeCount != seen || forOthers == 0 || count >= min(forCodes, forOthers)
      return count > 0 || probed
    }
    // The pace has sends left for codes alone.
    let claim = OutboxClaim(lease(from: now), now: now, limit: forCodes, reservedForCodes: forCodes)
    let count = try await take(claim, codes, others, by: first)
    let forOthers = min(room(.normal), availableSends(second, .normal, at: now))
    var rest = OutboxClaim(lease(from: now), now: now, limit: forOthers)
    rest.excludesCodes = true
    let more = try await take(rest, codes, others, by: second)
    mayHaveWork =
      wakeCount != seen || forCodes == 0 || forOthers == 0 || count >= forCodes || more >= forOthers
    return count + more > 0 || probed
  }

  /// Claims mail and starts it, each by the way of its lane, `candidate` first; says how many.
  private func take(
    _ claim: OutboxClaim, _ codes: AvailableRoute, _ others: AvailableRoute, by candidate: DispatchTransport
  ) async throws(StorageError) -> Int {
    guard claim.limit > 0 else { return 0 }
    // Neither places nor sends may be given away twice while the claim is under way.
    reservedSlots += claim.limit
    adjustExpectedSends(claim.limit, of: candidate)
    let entries: [OutboxEntry]
    do throws(StorageError) {
      entries = try await outbox.claim(claim)
    } catch {
      reservedSlots -= claim.limit
      adjustExpectedSends(-claim.limit, of: candidate)
      throw error
    }
    reservedSlots -= claim.limit
    adjustExpectedSends(entries.count - claim.limit, of: candidate)
    for entry in entries {
      let availableRoute = entry.lane == .code ? codes : others
      start(
        entry, nil, over: availableRoute.candidates, isPartial: availableRoute.isPartial,
        routeGeneration: availableRoute.routeGeneration)
    }
    return entries.count
  }

  /// Lets one mail try each transport before `name` whose time to be left alone is over; of `lane` `.normal`, one that
  /// is no code.
  private func probe(
    _ lane: Lane, before name: String?, _ now: Timestamp
  ) async throws(StorageError) -> Bool {
    let (candidates, routeGeneration) = (route(), currentRouteGeneration)
    var hasProbed = false
    for (index, candidate) in candidates.enumerated() {
      if candidate.name == name { break }
      guard stateCache[candidate.name].permission(at: now) == .probe,
        availableSends(candidate, lane, at: now) > 0, hasRoom(lane)
      else { continue }
      let lease = lease(from: now)
      await updateStates { states in _ = states[candidate.name]?.takeProbe(lease, at: now) }
      guard stateCache[candidate.name].probe == lease else { continue }
      let entry: OutboxEntry?
      do throws(StorageError) {
        var claim = OutboxClaim(lease, now: now, limit: 1)
        claim.excludesCodes = lane != .code
        entry = try await outbox.claim(claim).first
      } catch {
        await updateStates { $0[candidate.name]?.probe = nil }
        throw error
      }
      guard let entry else {
        await updateStates { $0[candidate.name]?.probe = nil }
        continue
      }
      hasProbed = true
      let rest = candidates[(index + 1)...].filter { stateCache[$0.name].permission(at: now) == .open }
      adjustExpectedSends(1, of: candidate)
      start(
        entry, nil, over: [candidate] + rest, isPartial: rest.count + 1 < candidates.count,
        routeGeneration: routeGeneration, isProbe: true)
    }
    return hasProbed
  }
}

extension Dispatcher {
  func runMaintenance(_ now: Timestamp) async {
    do throws(StorageError) {
      forecast = try await outbox.sweep(OutboxSweep(now: now, owner: owner, options: options))
    } catch {
      forecast.isUnfinished = false
      report(.storage(error))
    }
    await refreshStates()
    lastSweep = now
    let waits = forecast.oldestCode.map { now - $0 >= options.codeAlertDelay } ?? false
    if waits, !hasReportedCodeDelay, let since = forecast.oldestCode { report(.codesDelayed(since: since)) }
    hasReportedCodeDelay = waits
  }

  /// Takes over what all processes know of the transports, and mends times that a clock left too far ahead.
  func refreshStates() async {
    let (now, options) = (dependencies.now(), options)
    await updateStates { states in
      for name in states.keys {
        states[name]?.clampFutureTimes(to: now, by: options, pace: options.paces[name])
      }
    }
  }
}
