// Claiming: which mail to start, and over which transports.
extension Dispatcher {
  /// The transports of the route that queued mail of `lane` may take at `now`.
  func availableRoute(_ lane: Lane, at now: Timestamp) -> AvailableRoute {
    AvailableRoute(
      route(), generation: routeChange.generation, for: lane, at: now, health, rateLimiter)
  }

  /// How many sends of `lane` the pace of `transport` leaves this process at `now`.
  func availableSends(of transport: DispatchTransport, _ lane: Lane, at now: Timestamp) -> Int {
    rateLimiter.availableSends(transport.name, lane, health[transport.name], at: now)
  }

  /// Returns how many mails of `lane` may start through `transport`.
  private func capacity(of transport: DispatchTransport, _ lane: Lane, at now: Timestamp) -> Int {
    min(room(lane), availableSends(of: transport, lane, at: now))
  }

  /// Returns when the first available transport has its next send, if its pace has none now.
  func nextPacedSend() -> Timestamp? {
    let now = dependencies.now()
    let moments = [Lane.code, .normal].compactMap { lane in
      availableRoute(lane, at: now).first.flatMap { transport in
        rateLimiter.nextSend(transport.name, lane, health[transport.name], at: now)
      }
    }
    return moments.filter { $0 > now }.min()
  }

  /// Claims and starts as much due mail as there is room and pace for, and probes paused transports.
  func claimAndStart() async throws(StorageError) -> DispatchSchedule.ClaimResult {
    let now = dependencies.now()
    let codes = availableRoute(.code, at: now)
    let others = availableRoute(.normal, at: now)
    var hasProbed = try await probe(.code, before: codes.probeLimit, now)
    // Other mail may not use the sends reserved for codes, so its route may begin further down.
    if !hasProbed, others.probeLimit != codes.probeLimit {
      hasProbed = try await probe(.normal, before: others.probeLimit, now)
    }
    var result = DispatchSchedule.ClaimResult(
      hasStarted: hasProbed, mayHaveMore: hasProbed, signalCount: schedule.signalCount)
    guard let codeTransport = codes.first, let otherTransport = others.first else { return result }
    let codeLimit = capacity(of: codeTransport, .code, at: now)
    if codeTransport.name == otherTransport.name {
      let otherLimit = capacity(of: otherTransport, .normal, at: now)
      result.mayHaveMore = true
      guard codeLimit > 0 else { return result }
      let claim = OutboxClaim(
        lease(from: now), now: now, limit: codeLimit, reservedForCodes: max(0, codeLimit - otherLimit))
      let count = try await start(claim, codes, others, through: codeTransport)
      if count > 0 { result.hasStarted = true }
      // Fewer mails than there was room for: the rest comes with a signal or the next maintenance.
      result.mayHaveMore = otherLimit == 0 || count >= min(codeLimit, otherLimit)
      return result
    }
    // The first transport has sends left for codes only.
    let claim = OutboxClaim(lease(from: now), now: now, limit: codeLimit, reservedForCodes: codeLimit)
    let codeCount = try await start(claim, codes, others, through: codeTransport)
    let otherLimit = capacity(of: otherTransport, .normal, at: now)
    var otherClaim = OutboxClaim(lease(from: now), now: now, limit: otherLimit)
    otherClaim.excludesCodes = true
    let otherCount = try await start(otherClaim, codes, others, through: otherTransport)
    if codeCount + otherCount > 0 { result.hasStarted = true }
    result.mayHaveMore =
      codeLimit == 0 || otherLimit == 0 || codeCount >= codeLimit || otherCount >= otherLimit
    return result
  }

  /// Starts one mail through each transport before `name` that may be probed. For `.normal` that mail isn't a code.
  /// Returns whether any was started.
  private func probe(
    _ lane: Lane, before name: String?, _ now: Timestamp
  ) async throws(StorageError) -> Bool {
    let (transports, generation) = (route(), routeChange.generation)
    var hasProbed = false
    for (index, transport) in transports.enumerated() {
      let probed = transport.name
      if probed == name { break }
      guard health[probed].permission(at: now) == .probe,
        availableSends(of: transport, lane, at: now) > 0, room(lane) > 0
      else { continue }
      let lease = lease(from: now)
      await updateStates { states in _ = states[probed]?.takeProbe(lease, at: now) }
      guard health[probed].probe == lease else { continue }
      let entry: OutboxEntry?
      do throws(StorageError) {
        var claim = OutboxClaim(lease, now: now, limit: 1)
        claim.excludesCodes = lane != .code
        entry = try await outbox.claim(claim).first
      } catch {
        await updateStates { $0[probed]?.probe = nil }
        throw error
      }
      guard let entry else {
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
