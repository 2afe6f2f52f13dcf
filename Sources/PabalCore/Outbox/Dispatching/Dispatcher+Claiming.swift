// What is claimed, and which way it goes.
extension Dispatcher {
  /// The transports that mail of one lane may take now, in order.
  struct Way {
    let stops: [DispatchStop]
    /// Whether some transports of the route are left out for now.
    let isPartial: Bool
    /// Whether each of them has its next send long after.
    let isSpent: Bool
    /// Which of the routes that mail has taken it is.
    let turn: Int

    /// The transport before which those that were left alone are tried again; `nil`: wherever they stand.
    var probeLimit: String? { isSpent ? nil : stops.first?.name }
  }

  /// The way of mail of `lane` at `now`.
  func way(_ lane: Lane, at now: Timestamp) -> Way {
    let all = route()
    let open = all.filter { board[$0.name].permission(at: now) == .open }
    let soon = unspent(open, lane, at: now)
    let stops = soon.isEmpty ? open : soon
    return Way(
      stops: stops, isPartial: stops.count < all.count, isSpent: soon.isEmpty && !open.isEmpty,
      turn: routes)
  }

  /// Claims what there is room and pace for, and starts it; says whether there was anything.
  func launch() async throws(StorageProblem) -> Bool {
    let now = surroundings.now()
    let codes = way(.code, at: now)
    let others = way(.normal, at: now)
    var probed = try await probe(.code, before: codes.probeLimit, now)
    // Mail that may not have what the pace keeps for codes looks further.
    if !probed, others.probeLimit != codes.probeLimit {
      probed = try await probe(.normal, before: others.probeLimit, now)
    }
    guard let first = codes.stops.first, let second = others.stops.first else {
      if !probed { mayHaveMore = false }
      return probed
    }
    let seen = news
    let forCodes = min(room(.code), free(first, .code, at: now))
    if first.name == second.name {
      let forOthers = min(room(.normal), free(first, .normal, at: now))
      guard forCodes > 0 else { return probed }
      let claim = OutboxClaim(
        lease(from: now), now: now, limit: forCodes, keptForCodes: max(0, forCodes - forOthers))
      let count = try await take(claim, codes, others, by: first)
      // Fewer than there was room for: the rest comes with a bell or the next housekeeping.
      mayHaveMore = news != seen || forOthers == 0 || count >= min(forCodes, forOthers)
      return count > 0 || probed
    }
    // The pace has sends left for codes alone.
    let claim = OutboxClaim(lease(from: now), now: now, limit: forCodes, keptForCodes: forCodes)
    let count = try await take(claim, codes, others, by: first)
    let forOthers = min(room(.normal), free(second, .normal, at: now))
    var rest = OutboxClaim(lease(from: now), now: now, limit: forOthers)
    rest.isWithoutCodes = true
    let more = try await take(rest, codes, others, by: second)
    mayHaveMore =
      news != seen || forCodes == 0 || forOthers == 0 || count >= forCodes || more >= forOthers
    return count + more > 0 || probed
  }

  /// Claims mail and starts it, each by the way of its lane, `stop` first; says how many.
  private func take(
    _ claim: OutboxClaim, _ codes: Way, _ others: Way, by stop: DispatchStop
  ) async throws(StorageProblem) -> Int {
    guard claim.limit > 0 else { return 0 }
    // Neither places nor sends may be given away twice while the claim is under way.
    promised += claim.limit
    expect(claim.limit, of: stop)
    let entries: [OutboxEntry]
    do throws(StorageProblem) {
      entries = try await outbox.claim(claim)
    } catch {
      promised -= claim.limit
      expect(-claim.limit, of: stop)
      throw error
    }
    promised -= claim.limit
    expect(entries.count - claim.limit, of: stop)
    for entry in entries {
      let way = entry.lane == .code ? codes : others
      fly(entry, nil, over: way.stops, isPartial: way.isPartial, turn: way.turn)
    }
    return entries.count
  }

  /// Lets one mail try each transport before `name` whose time to be left alone is over; of `lane` `.normal`, one that
  /// is no code.
  private func probe(
    _ lane: Lane, before name: String?, _ now: Timestamp
  ) async throws(StorageProblem) -> Bool {
    let (stops, turn) = (route(), routes)
    var hasProbed = false
    for (index, stop) in stops.enumerated() {
      if stop.name == name { break }
      guard board[stop.name].permission(at: now) == .probe, free(stop, lane, at: now) > 0, hasRoom(lane)
      else { continue }
      let lease = lease(from: now)
      await share { states in _ = states[stop.name]?.takeProbe(lease, at: now) }
      guard board[stop.name].probe == lease else { continue }
      let entry: OutboxEntry?
      do throws(StorageProblem) {
        var claim = OutboxClaim(lease, now: now, limit: 1)
        claim.isWithoutCodes = lane != .code
        entry = try await outbox.claim(claim).first
      } catch {
        await share { $0[stop.name]?.probe = nil }
        throw error
      }
      guard let entry else {
        await share { $0[stop.name]?.probe = nil }
        continue
      }
      hasProbed = true
      let rest = stops[(index + 1)...].filter { board[$0.name].permission(at: now) == .open }
      expect(1, of: stop)
      fly(entry, nil, over: [stop] + rest, isPartial: rest.count + 1 < stops.count, turn: turn, isProbe: true)
    }
    return hasProbed
  }
}
