// Claiming: which mail to start, and over which transports.
extension Dispatcher {
  /// The transports of a route that queued mail of `lane` may take at `now`.
  func availableRoute(_ lane: Lane, of transports: [DispatchTransport], at now: Timestamp) -> AvailableRoute {
    AvailableRoute(
      transports, generation: routeChange.generation, for: lane, at: now, health, rateLimiter)
  }

  /// How many sends of `lane` the pace of `transport` leaves this process at `now`.
  func availableSends(of transport: DispatchTransport, _ lane: Lane, at now: Timestamp) -> Int {
    rateLimiter.availableSends(transport.name, lane, health[transport.name], at: now)
  }

  /// Returns how many mails of `lane` and of the routes in `group` may start through `transport`.
  private func capacity(
    of transport: DispatchTransport, _ lane: Lane, _ group: DispatchRoutes.Group, at now: Timestamp
  ) -> Int {
    min(room(lane, of: group), availableSends(of: transport, lane, at: now))
  }

  /// Returns when a route's first available transport has its next send, if its pace has none now.
  func nextPacedSend() -> Timestamp? {
    let now = dependencies.now()
    let moments = routes().groups.flatMap { group in
      [Lane.code, .normal].compactMap { lane in
        availableRoute(lane, of: group.transports, at: now).first.flatMap { transport in
          rateLimiter.nextSend(transport.name, lane, health[transport.name], at: now)
        }
      }
    }
    return moments.filter { $0 > now }.min()
  }

  /// Claims and starts as much due mail as there is room and pace for, and probes paused transports.
  func claimAndStart() async throws(StorageError) -> DispatchSchedule.ClaimResult {
    let now = dependencies.now()
    let groups = groupsInTurn().map { group in
      ClaimableRoutes(
        group: group, codes: availableRoute(.code, of: group.transports, at: now),
        others: availableRoute(.normal, of: group.transports, at: now))
    }
    var result = DispatchSchedule.ClaimResult(
      hasStarted: false, mayHaveMore: false, signalCount: schedule.signalCount)
    for claimable in groups where try await probe(claimable, isOnly: groups.count == 1, now) {
      (result.hasStarted, result.mayHaveMore) = (true, true)
    }
    // The mail of a route without a ready transport waits, and isn't claimed.
    let open = groups.filter { $0.codes.first != nil && $0.others.first != nil }
    guard let first = open.first else { return result }
    if open.count == 1, first.codes.first?.name == first.others.first?.name {
      try await claimTogether(first, now, &result)
      return result
    }
    // Codes first, so that those of one route aren't behind other mail of another.
    for lane in [Lane.code, .normal] {
      for (index, claimable) in open.enumerated() {
        try await claim(lane, of: claimable, beside: open.count - index, now, &result)
      }
    }
    return result
  }

  /// Claims codes and other mail over the same first transport.
  private func claimTogether(
    _ claimable: ClaimableRoutes, _ now: Timestamp, _ result: inout DispatchSchedule.ClaimResult
  ) async throws(StorageError) {
    guard let transport = claimable.codes.first else { return }
    let codeLimit = capacity(of: transport, .code, claimable.group, at: now)
    let otherLimit = capacity(of: transport, .normal, claimable.group, at: now)
    result.mayHaveMore = true
    guard codeLimit > 0 else { return }
    var claim = OutboxClaim(
      lease(from: now), now: now, limit: codeLimit, reservedForCodes: max(0, codeLimit - otherLimit))
    claim.routes = claimable.group.keys
    let count = try await start(claim, claimable, through: transport)
    if count > 0 { result.hasStarted = true }
    // Fewer mails than there was room for: the rest comes with a signal or the next maintenance.
    result.mayHaveMore = otherLimit == 0 || count >= min(codeLimit, otherLimit)
  }

  /// Claims codes, or, for `.normal`, other mail. Leaves room for as many routes as `count` says, this one included.
  private func claim(
    _ lane: Lane, of claimable: ClaimableRoutes, beside count: Int, _ now: Timestamp,
    _ result: inout DispatchSchedule.ClaimResult
  ) async throws(StorageError) {
    guard let transport = claimable[lane].first else { return }
    let share = (room(lane) + count - 1) / count
    let limit = min(share, capacity(of: transport, lane, claimable.group, at: now))
    var claim = OutboxClaim(
      lease(from: now), now: now, limit: limit, reservedForCodes: lane == .code ? limit : 0)
    claim.excludesCodes = lane != .code
    claim.routes = claimable.group.keys
    let started = try await start(claim, claimable, through: transport)
    if started > 0 { result.hasStarted = true }
    if limit == 0 || started >= limit { result.mayHaveMore = true }
  }

  /// Starts one mail through each transport that may be probed. Returns whether any was started.
  private func probe(
    _ claimable: ClaimableRoutes, isOnly: Bool, _ now: Timestamp
  ) async throws(StorageError) -> Bool {
    let (codes, others) = (claimable.codes.probeLimit, claimable.others.probeLimit)
    if try await probe(.code, of: claimable.group, before: codes, isOnly: isOnly, now) { return true }
    // Other mail may not use the sends reserved for codes, so its route may begin further down.
    guard others != codes else { return false }
    return try await probe(.normal, of: claimable.group, before: others, isOnly: isOnly, now)
  }

  /// Starts one mail through each transport before `name` that may be probed. For `.normal` that mail isn't a code.
  /// Returns whether any was started.
  private func probe(
    _ lane: Lane, of group: DispatchRoutes.Group, before name: String?, isOnly: Bool, _ now: Timestamp
  ) async throws(StorageError) -> Bool {
    let (transports, generation) = (group.transports, routeChange.generation)
    var hasProbed = false
    for (index, transport) in transports.enumerated() {
      let probed = transport.name
      if probed == name { break }
      guard health[probed].permission(at: now) == .probe,
        availableSends(of: transport, lane, at: now) > 0, room(lane) > 0,
        // Taking and freeing the probe are written to the outbox, which the mail of other routes must not repeat.
        isOnly || !schedule.hasIdleProbe(of: probed, at: now, within: options.pollInterval)
      else { continue }
      let lease = lease(from: now)
      await updateStates { states in _ = states[probed]?.takeProbe(lease, at: now) }
      guard health[probed].probe == lease else { continue }
      let entry: OutboxEntry?
      do throws(StorageError) {
        var claim = OutboxClaim(lease, now: now, limit: 1)
        claim.excludesCodes = lane != .code
        claim.routes = group.keys
        entry = try await outbox.claim(claim).first
      } catch {
        await updateStates { $0[probed]?.probe = nil }
        throw error
      }
      guard let entry else {
        recordIdleProbe(of: probed, at: now)
        await updateStates { $0[probed]?.probe = nil }
        continue
      }
      hasProbed = true
      let available = AvailableRoute(probing: index, of: transports, generation: generation, at: now, health)
      start(entry, nil, over: available, .probe)
    }
    return hasProbed
  }
}

/// A group of routes with the transports that its mail may take now.
struct ClaimableRoutes {
  let group: DispatchRoutes.Group
  let codes: AvailableRoute
  let others: AvailableRoute

  /// The transports for mail of `lane`.
  subscript(lane: Lane) -> AvailableRoute { lane == .code ? codes : others }
}
