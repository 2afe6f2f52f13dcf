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
      candidates: candidates, isPartial: candidates.count < all.count, isPaceExhausted: soon.isEmpty && !open.isEmpty,
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
      start(entry, nil, over: availableRoute.candidates, isPartial: availableRoute.isPartial, routeGeneration: availableRoute.routeGeneration)
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
      guard stateCache[candidate.name].permission(at: now) == .probe, availableSends(candidate, lane, at: now) > 0, hasRoom(lane)
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
      start(entry, nil, over: [candidate] + rest, isPartial: rest.count + 1 < candidates.count, routeGeneration: routeGeneration, isProbe: true)
    }
    return hasProbed
  }
}
