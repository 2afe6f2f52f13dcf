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
      let candidate = availableRoute(lane, at: now).candidates.first, availableSends(candidate, lane, at: now) > reservedSlots
    else { return nil }
    reservedSlots += 1
    return lease(from: now)
  }

  /// Hands over a mail that was added with a lease of `reserve`; returns at once.
  public func handOver(_ entry: OutboxEntry, _ mail: Mail) {
    reservedSlots -= 1
    let availableRoute = availableRoute(entry.lane, at: dependencies.now())
    adjustExpectedSends(1, of: availableRoute.candidates.first)
    start(entry, OutboxContent(mail), over: availableRoute.candidates, isPartial: availableRoute.isPartial, routeGeneration: availableRoute.routeGeneration)
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
      entry, content, over: candidates, isPartial: candidates.count < all.count, routeGeneration: routeGeneration, isAlone: true
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
    _ entry: OutboxEntry, _ content: OutboxContent?, over candidates: [DispatchTransport], isPartial: Bool, routeGeneration: Int,
    isProbe: Bool = false, isAlone: Bool = false
  ) -> Task<Void, Never> {
    let task = Task {
      await handOver(
        entry, content, over: candidates, isPartial: isPartial, routeGeneration: routeGeneration, isProbe: isProbe, isAlone: isAlone)
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
