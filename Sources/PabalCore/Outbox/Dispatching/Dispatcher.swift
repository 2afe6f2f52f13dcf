internal import Synchronization

/// The loop that empties an outbox: claims what is due, walks it over the transports, takes down how it ended.
public actor Dispatcher {
  /// The name under which this process claims.
  public nonisolated let owner: String

  let outbox: any Outbox
  let sealing: any ContentSealing
  var rules: DispatcherRules
  let route: @Sendable () -> [DispatchStop]
  let report: @Sendable (DispatcherEvent) -> Void
  let surroundings: Surroundings
  var board = TransportBoard()
  // Counts the changes of the transports' states as the outbox makes them.
  let order = AnswerTurn()
  var isFinishing = false
  // By transport: how many attempts are about to spend a send of its pace.
  var expected: [String: Int] = [:]
  // The transports whose being held was told of.
  var toldOfHold: Set<String> = []

  // Counts the routes that mail has taken.
  var routes = 0
  // How many mails were made due since the route changed, while there may be more to make due.
  var hastened: Int?

  // What could not be settled, by the mail's id, until its deliverer asks.
  var unsettled: [String: StorageProblem] = [:]

  private let bell = Bell()
  // How many mails of the fast path were promised a place and have not come yet.
  var promised = 0
  private var flights: [String: Task<Void, Never>] = [:] {
    didSet { flightCount.store(flights.count, ordering: .relaxed) }
  }
  private let flightCount = Atomic(0)
  private var keeper: Task<Void, Never>?
  var mayHaveMore = true
  // How often somebody said that there is more; a claim that began before knows nothing of it.
  var news = 0
  var swept: Timestamp?
  var forecast = OutboxForecast(due: nil, end: nil, oldestCode: nil, isUnfinished: false)
  var hasToldOfCodes = false

  /// A dispatcher of `outbox`.
  ///
  /// `route` is asked anew for each mail, so that a change of it takes effect on mail that waits; `report`
  /// is called from any thread.
  public init(
    _ outbox: any Outbox, sealing: any ContentSealing, rules: DispatcherRules = DispatcherRules(),
    surroundings: Surroundings = Surroundings(),
    report: @escaping @Sendable (DispatcherEvent) -> Void = { _ in },
    route: @escaping @Sendable () -> [DispatchStop]
  ) {
    self.outbox = outbox
    self.sealing = sealing
    self.rules = rules
    self.surroundings = surroundings
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
      await bell.rest { [sleep = surroundings.sleep] in await sleep(wait) }
    }
    await landed()
  }

  /// Stops claiming, and returns when what is under way has ended and is settled; what waits for its
  /// transport's pace is put back.
  public func finish() async {
    isFinishing = true
    bell.ring()
    await landed()
  }

  /// How many mails are under way: claimed by this process and not settled yet.
  public nonisolated var underWay: Int { flightCount.load(ordering: .relaxed) }

  /// Says that there is new mail in the outbox, or a new route.
  public nonisolated func wake() {
    Task { await expectMore() }
  }

  /// Does the housekeeping if it is time, and starts what is due; gives when it wants to be called again.
  package func round() async -> Duration {
    let now = surroundings.now()
    // A clock that was set back must not stop the housekeeping.
    if forecast.isUnfinished || swept.map({ now - $0 >= rules.pollInterval || now < $0 }) ?? true {
      await keepHouse(now)
    }
    let isHastening = await hasten()
    if forecast.due.map({ $0 <= surroundings.now() }) ?? false { mayHaveMore = true }
    while mayHaveMore, !isFinishing, hasRoom(.code) {
      do throws(StorageProblem) {
        guard try await launch() else { break }
      } catch {
        report(.storage(error))
        break
      }
    }
    if forecast.isUnfinished || isHastening { return .zero }
    let later = [forecast.due, pacedUntil()].compactMap { $0 }.map { $0 - surroundings.now() }.filter {
      $0 > .zero
    }
    return min(rules.pollInterval, later.min() ?? rules.pollInterval)
  }

  /// Returns when no mail is under way.
  package func landed() async {
    while let flight = flights.values.first { await flight.value }
  }

  // MARK: The fast path

  /// A lease under which the caller may add a mail of `lane` already claimed, and hand it over at once when
  /// it is durable; `nil`: add it as waiting mail and `wake`.
  ///
  /// Each lease is followed by one `handOver` or `relinquish`.
  public func reserve(_ lane: Lane, unknown: UnknownPolicy) -> OutboxEntry.Lease? {
    let now = surroundings.now()
    guard !isFinishing, swept != nil, unknown == .resend, hasRoom(lane),
      let stop = way(lane, at: now).stops.first, free(stop, lane, at: now) > promised
    else { return nil }
    promised += 1
    return lease(from: now)
  }

  /// Hands over a mail that was added with a lease of `reserve`; returns at once.
  public func handOver(_ entry: OutboxEntry, _ mail: Mail) {
    promised -= 1
    let way = way(entry.lane, at: surroundings.now())
    expect(1, of: way.stops.first)
    fly(entry, OutboxContent(mail), over: way.stops, isPartial: way.isPartial, turn: way.turn)
  }

  /// Gives a lease of `reserve` back that was not used.
  public func relinquish() { promised -= 1 }

  // MARK: One mail

  /// Delivers the waiting mail called `id` alone, whatever is known of its transports, and gives it as it is
  /// after this attempt; as it is where another process has it, it isn't due or the transport's pace is spent
  /// for longer than `DispatcherRules.deliverWait`, `nil` where it isn't there.
  ///
  /// A problem after an attempt is told of as `unsettled`, too.
  public func deliver(_ id: String) async throws(StorageProblem) -> OutboxEntry? {
    let now = surroundings.now()
    let claimed = try await outbox.claim(OutboxClaim(lease(from: now), now: now, limit: 1, id: id))
    if let entry = claimed.first { await attempt(entry, nil) }
    if let problem = unsettled.removeValue(forKey: id) { throw problem }
    return try await outbox.look(OutboxQuery(ids: [id], withContent: true)).entries.first
  }

  /// Delivers a mail that was added with `lease()`, and returns when its first attempt has ended and is
  /// settled, or `unsettled` was told of it.
  public func deliver(_ entry: OutboxEntry, _ mail: Mail) async {
    await attempt(entry, OutboxContent(mail))
    unsettled[entry.id] = nil
  }

  /// A lease for a mail that the caller adds and then delivers.
  public func lease() -> OutboxEntry.Lease { lease(from: surroundings.now()) }

  private func attempt(_ entry: OutboxEntry, _ content: OutboxContent?) async {
    await refreshBoard()
    let (all, turn) = (route(), routes)
    let soon = unspent(all, entry.lane, at: surroundings.now())
    let stops = soon.isEmpty ? all : soon
    expect(1, of: stops.first)
    await fly(
      entry, content, over: stops, isPartial: stops.count < all.count, turn: turn, isAlone: true
    ).value
    // Without a `serve` nobody else keeps house.
    do throws(StorageProblem) {
      _ = try await outbox.sweep(OutboxSweep(now: surroundings.now(), owner: owner, rules: rules))
    } catch {
      report(.storage(error))
    }
  }

  // MARK: Room

  func room(_ lane: Lane) -> Int {
    let kept = lane == .code || rules.maxConcurrentAttempts < 2 ? 0 : 1
    return max(0, rules.maxConcurrentAttempts - kept - flights.count - promised)
  }

  func hasRoom(_ lane: Lane) -> Bool { room(lane) > 0 }

  func lease(from now: Timestamp) -> OutboxEntry.Lease {
    OutboxEntry.Lease(owner: owner, until: now + rules.leaseDuration)
  }

  /// Takes note that there is new mail or a new route.
  package func expectMore() {
    news += 1
    mayHaveMore = true
    bell.ring()
  }

  // MARK: Flights

  @discardableResult
  func fly(
    _ entry: OutboxEntry, _ content: OutboxContent?, over stops: [DispatchStop], isPartial: Bool, turn: Int,
    isProbe: Bool = false, isAlone: Bool = false
  ) -> Task<Void, Never> {
    let flight = Task {
      await handOver(
        entry, content, over: stops, isPartial: isPartial, turn: turn, isProbe: isProbe, isAlone: isAlone)
      land(entry.id)
    }
    flights[entry.id] = flight
    keepLeases()
    return flight
  }

  private func land(_ id: String) {
    flights[id] = nil
    if flights.isEmpty {
      keeper?.cancel()
      keeper = nil
    }
    if mayHaveMore { bell.ring() }
  }

  private func keepLeases() {
    guard keeper == nil else { return }
    keeper = Task {
      while !Task.isCancelled {
        await surroundings.sleep(rules.leaseDuration / 3)
        if Task.isCancelled { return }
        do throws(StorageProblem) {
          _ = try await outbox.extend(Array(flights.keys), lease(from: surroundings.now()))
        } catch {
          report(.storage(error))
        }
      }
    }
  }
}
