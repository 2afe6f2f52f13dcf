internal import Synchronization

/// Drains an outbox: claims mail that is due, attempts it over the transports of its route and stores how it ended.
///
/// One actor owns the state, in structs with synchronous methods, and reads it again after each `await`, because
/// other calls run meanwhile. Only this file changes the state; the actor's extensions read it.
public actor Dispatcher {
  /// The name under which this process claims mail, drawn at random.
  public nonisolated let owner: String

  let outbox: any Outbox
  let sealing: any ContentSealing
  let routes: @Sendable () -> DispatchRoutes
  let report: @Sendable (DispatcherEvent) -> Void
  let dependencies: Dependencies
  private let wakeSignal = WakeSignal()
  private let inFlightCounter = Atomic(0)

  private(set) var isFinishing = false
  private(set) var options: DispatcherOptions
  private(set) var schedule = DispatchSchedule()
  private(set) var rateLimiter: RateLimiter
  private(set) var health: TransportHealth
  private(set) var routeChange = RouteChange()
  // The keys of routes that were reported as missing.
  private var missingRoutes: Set<String> = []
  private var inFlight = InFlightTable() {
    didSet { inFlightCounter.store(inFlight.count, ordering: .relaxed) }
  }

  /// A dispatcher of `outbox`.
  ///
  /// `routes` is called for every mail, so that changed routes apply to mail that is already waiting. `report` is
  /// called from any thread.
  public init(
    _ outbox: any Outbox, sealing: any ContentSealing, options: DispatcherOptions = DispatcherOptions(),
    dependencies: Dependencies = Dependencies(),
    report: @escaping @Sendable (DispatcherEvent) -> Void = { _ in },
    routes: @escaping @Sendable () -> DispatchRoutes
  ) {
    self.outbox = outbox
    self.sealing = sealing
    self.options = options
    self.dependencies = dependencies
    self.report = report
    self.routes = routes
    rateLimiter = RateLimiter(options)
    health = TransportHealth(sealing)
    owner =
      String(UInt64.random(in: .min ... .max), radix: 36)
      + String(UInt64.random(in: .min ... .max), radix: 36)
  }

  // MARK: Running

  /// Delivers mail until `finish` is called. Returns when no mail is in flight.
  public func run() async {
    while !isFinishing {
      let delay = await round()
      if isFinishing { break }
      await wakeSignal.wait { [sleep = dependencies.sleep] in await sleep(delay) }
    }
    await drain()
  }

  /// Stops claiming. Returns when the mail in flight is settled; mail that waits for its transport's pace returns
  /// to the queue.
  public func finish() async {
    isFinishing = true
    wakeSignal.signal()
    await drain()
  }

  /// How many mails this process has claimed and not settled yet.
  public nonisolated var inFlightCount: Int { inFlightCounter.load(ordering: .relaxed) }

  /// Announces new mail in the outbox, or a new route.
  public nonisolated func wake() {
    Task { await signalWork() }
  }

  /// Announces new mail or a new route to the next round.
  package func signalWork() {
    schedule.signalWork()
    wakeSignal.signal()
  }

  /// Runs maintenance if it is due and starts the mail that is due. Returns the delay until the next round.
  package func round() async -> Duration {
    let now = dependencies.now()
    if schedule.isMaintenanceDue(at: now, every: options.pollInterval) { await runMaintenance(now) }
    let isExpediting = await expediteRerouted()
    schedule.expectDueMail(at: dependencies.now())
    while schedule.mayHaveWork, !isFinishing, room(.code) > 0 {
      do throws(StorageError) {
        let result = try await claimAndStart()
        schedule.finishClaim(result)
        guard result.hasStarted else { break }
      } catch {
        report(.storage(error))
        break
      }
    }
    if isExpediting { return .zero }
    return schedule.delay(
      at: dependencies.now(), nextSend: nextPacedSend(), pollInterval: options.pollInterval)
  }

  /// Returns when no mail is in flight.
  package func drain() async {
    while let delivery = inFlight.anyDelivery { _ = await delivery.value }
  }

  private func runMaintenance(_ now: Timestamp) async {
    do throws(StorageError) {
      schedule.adopt(try await outbox.sweep(OutboxSweep(now: now, owner: owner, options: options)))
    } catch {
      schedule.adopt(nil)
      report(.storage(error))
    }
    await refreshStates()
    if let since = schedule.finishMaintenance(at: now, alertDelay: options.codeAlertDelay) {
      report(.codesDelayed(since: since))
    }
  }

  // MARK: Configuration

  /// Adopts new options and the routes as they are now. The next mail tries every paused transport of a route,
  /// because the edit may have fixed what paused it.
  ///
  /// If there was one, or if `hasChanged`, mail that waits because of a transport's answer is due at once.
  public func adopt(_ options: DispatcherOptions, routeHasChanged hasChanged: Bool = false) async {
    self.options = options
    rateLimiter.adopt(options)
    let (now, names) = (dependencies.now(), Set(routes().transports.map(\.name)))
    missingRoutes = []
    await refreshStates()
    let isAnyPaused = names.contains { health[$0].permission(at: now) != .ready }
    if isAnyPaused {
      await updateStates { states in for name in names { states[name]?.endWait(at: now) } }
    }
    if hasChanged || isAnyPaused { routeChange.begin() }
    signalWork()
  }

  /// Makes mail due that waits because of a transport's answer, if the route has changed. Returns whether more
  /// may follow.
  func expediteRerouted() async -> Bool {
    guard routeChange.isExpediting else { return false }
    let generation = routeChange.generation
    do throws(StorageError) {
      let count = try await outbox.amend(
        .reroute(limit: RouteChange.batchSize), now: dependencies.now())
      if count > 0 { schedule.expectWork() }
      guard let total = routeChange.recordBatch(of: count, begunIn: generation) else { return true }
      if total > 0 { report(.expedited(count: total)) }
    } catch {
      report(.storage(error))
    }
    return false
  }

  // MARK: Immediate dispatch

  /// Returns a lease under which the caller may add a mail of `lane` and the route with this key that is already
  /// claimed, and hand it over when it is durable, or `nil` if the mail is to be added as waiting, followed by `wake`.
  ///
  /// Every lease is followed by one `handOver` or `release`.
  public func reserve(_ lane: Lane, unknown: UnknownPolicy, route: String = "") -> OutboxEntry.Lease? {
    let now = dependencies.now()
    let group = routes().group(of: route)
    guard !isFinishing, schedule.hasRunMaintenance, unknown == .resend, room(lane, of: group) > 0,
      let transport = availableRoute(lane, of: group.transports, at: now).first,
      availableSends(of: transport, lane, at: now) > inFlight.reservedSlots
    else { return nil }
    inFlight.reserve()
    return lease(from: now)
  }

  /// Delivers a mail that was added with a lease of `reserve`. Returns at once.
  public func handOver(_ entry: OutboxEntry, _ mail: Mail) {
    inFlight.release()
    // The sealed content has the reports that were asked for.
    let content = entry.owesReport ? nil : OutboxContent(mail)
    let transports = routes().transports(of: entry.route)
    start(entry, content, over: availableRoute(entry.lane, of: transports, at: dependencies.now()))
  }

  /// Returns a lease of `reserve` that was not used.
  public func release() { inFlight.release() }

  // MARK: Starting mail

  /// Returns how many more mails of `lane` may be in flight.
  func room(_ lane: Lane) -> Int { inFlight.room(for: lane, limit: options.maxConcurrentAttempts) }

  /// Returns how many more mails of `lane` and of the routes in `group` may be in flight.
  func room(_ lane: Lane, of group: DispatchRoutes.Group) -> Int {
    inFlight.room(
      for: lane, of: group.keys, among: routes().groups.count, limit: options.maxConcurrentAttempts)
  }

  func lease(from now: Timestamp) -> OutboxEntry.Lease {
    OutboxEntry.Lease(owner: owner, until: now + options.leaseDuration)
  }

  /// Claims mail and starts it, each over the transports for its lane, which begin with `transport`. Returns how many
  /// mails were claimed.
  func start(
    _ claim: OutboxClaim, _ claimable: ClaimableRoutes, through transport: DispatchTransport
  ) async throws(StorageError) -> Int {
    guard claim.limit > 0 else { return 0 }
    // Reserved because slots and sends must not be given away twice while the claim runs.
    inFlight.reserve(claim.limit)
    rateLimiter.expect(claim.limit, of: transport.name)
    defer {
      inFlight.release(claim.limit)
      rateLimiter.expect(-claim.limit, of: transport.name)
    }
    let entries = try await outbox.claim(claim)
    for entry in entries { start(entry, nil, over: claimable[entry.lane]) }
    return entries.count
  }

  /// Starts the delivery of a claimed mail, with its content unless it is to be unsealed.
  @discardableResult
  func start(
    _ entry: OutboxEntry, _ content: OutboxContent?, over route: AvailableRoute,
    _ mode: OutboxDelivery.Mode = .queued
  ) -> InFlightTable.Delivery {
    rateLimiter.expect(1, of: route.first?.name)
    if !routes().isKnown(entry.route), missingRoutes.insert(entry.route).inserted {
      report(.routeMissing(id: entry.id, route: entry.route))
    }
    let delivery = Task {
      let error = await deliver(OutboxDelivery(entry, over: route, mode, options), content)
      inFlight.remove(entry.id)
      if schedule.mayHaveWork { wakeSignal.signal() }
      return error
    }
    inFlight.insert(delivery, for: entry.id, entry.route)
    if !inFlight.hasLeaseRenewal { inFlight.setLeaseRenewal(Task { await renewLeases() }) }
    return delivery
  }

  private func renewLeases() async {
    while !Task.isCancelled {
      await dependencies.sleep(options.leaseDuration / 3)
      if Task.isCancelled { return }
      do throws(StorageError) {
        _ = try await outbox.extend(inFlight.ids, lease(from: dependencies.now()))
      } catch {
        report(.storage(error))
      }
    }
  }

  // MARK: Transport states

  /// Reads what all processes know of the transports, and clamps times that a clock set back left in the future.
  func refreshStates() async {
    let (now, options) = (dependencies.now(), options)
    await updateStates { states in
      for name in states.keys {
        states[name]?.clampFutureTimes(to: now, by: options, pace: options.paces[name])
      }
    }
  }

  /// Applies a change here at once, and in the outbox for all processes.
  func updateStates(_ change: @escaping TransportHealth.Change) async {
    let number = health.begin(change)
    reportTransports()
    do throws(StorageError) {
      health.end(number, try await store(health.sequenced(change)))
      reportTransports()
    } catch {
      health.end(number, nil)
      report(.storage(error))
    }
  }

  /// Holds a transport of the route that can't be opened, until a mail shows that it works. `cause` is why.
  public func hold(_ name: String, cause: String) async {
    let (now, options) = (dependencies.now(), options)
    let cause = FailureCause.redacted(cause).map {
      sealing.seal(Array($0.utf8), id: TransportState.sealID(name))
    }
    await updateStates { states in
      states[name, default: TransportState()].record(.held(.transport), at: now, by: options, cause: cause)
    }
  }

  /// Has the next mail probe the transports called `names` if they are held, because a person may have fixed what held
  /// them.
  public func probeHeld(_ names: [String]) async {
    let now = dependencies.now()
    await refreshStates()
    guard names.contains(where: { health[$0].heldSince != nil }) else { return }
    await updateStates { states in
      for name in names where states[name]?.heldSince != nil { states[name]?.endWait(at: now) }
    }
    signalWork()
  }

  /// Returns the groups of routes, each time beginning with another one, so that none always has the first choice of the
  /// free slots.
  func groupsInTurn() -> [DispatchRoutes.Group] {
    let groups = routes().groups
    guard groups.count > 1 else { return groups }
    let first = schedule.nextTurn() % groups.count
    return Array(groups[first...] + groups[..<first])
  }

  /// Records that no mail was there to probe a transport.
  func recordIdleProbe(of name: String, at now: Timestamp) { schedule.recordIdleProbe(of: name, at: now) }

  /// Stops expecting the send that a started mail is about to use.
  func endExpectedSend(of name: String?) { rateLimiter.expect(-1, of: name) }

  /// Acquires a send of the pace in the outbox, which all processes share.
  func acquireSend(of name: String, _ pace: Pace, _ lane: Lane) async -> PaceDecision {
    let now = dependencies.now
    let change = health.sequenced { states in
      states[name, default: TransportState()].acquireSend(of: pace, for: lane, at: now())
    }
    do throws(StorageError) {
      health.adopt(try await store(change))
      return change.value ?? .unavailable
    } catch {
      report(.storage(error))
      return .unavailable
    }
  }

  private func store<Value: Sendable>(
    _ change: SequencedChange<Value>
  ) async throws(StorageError) -> TransportStateCache.Snapshot {
    change.snapshot(try await outbox.transports { change.apply(to: &$0) })
  }

  private func reportTransports() {
    for event in health.events(for: routes().transports.map(\.name)) { report(event) }
  }
}
