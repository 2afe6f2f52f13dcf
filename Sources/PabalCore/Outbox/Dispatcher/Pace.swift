internal import Synchronization

/// How many sends a transport may make in a time, and never more in any such time.
public struct Pace: Sendable, Hashable {
  /// How many sends.
  public let sends: Int
  /// In which time.
  public let per: Duration

  /// At least one send in at least a millisecond.
  public init(sends: Int, per: Duration) {
    self.sends = max(1, sends)
    self.per = max(.milliseconds(1), per)
  }

  /// So many may follow each other at once, where the transport has rested: a sixth.
  ///
  /// A bucket of `burst` that fills by `sends - burst` in the time never lets more than `sends` through in
  /// any such time, wherever it begins.
  var burst: Int { max(1, sends / 6) }

  /// The time one send costs.
  var cost: Duration { per / max(1, sends == 1 ? 1 : sends - burst) }

  /// How many sends of `lane` are free at `now`; half of the burst is for codes alone.
  func availableSends(_ lane: Lane, exhaustedUntil: Timestamp?, at now: Timestamp) -> Int {
    let depth = lane == .code ? burst : max(1, burst / 2)
    // Nothing is spent for longer than the time itself: the clock was set back.
    let spent = exhaustedUntil.map { min(per, max(.zero, $0 - now)) } ?? .zero
    return max(0, Int((cost * depth - spent) / cost))
  }

  /// From when on another send of `lane` is free.
  func next(_ lane: Lane, exhaustedUntil: Timestamp?, at now: Timestamp) -> Timestamp {
    let depth = lane == .code ? burst : max(1, burst / 2)
    guard let exhaustedUntil else { return now }
    // A millisecond more, since a moment has no finer ones.
    return max(now, min(exhaustedUntil, now + per) - cost * (depth - 1) + .milliseconds(1))
  }
}

// The sends that a transport's pace leaves, which all processes spend together.
extension Dispatcher {
  /// Spends a send of the transport, where there is one within `wait`; says whether the attempt may begin.
  func mayBegin(
    _ entry: OutboxEntry, through candidate: DispatchTransport, lane: Lane, wait: Duration
  ) async -> Bool {
    var left = wait
    while true {
      let now = dependencies.now()
      if let notAfter = entry.notAfter, notAfter <= now { return false }
      guard let pace = options.paces[candidate.name] else { return true }
      switch await acquire(candidate.name, pace, lane) {
      case .acquired: return true
      case .unavailable: return false
      case .notBefore(let moment):
        let pause = moment - now
        let isTooLate = entry.notAfter.map { $0 <= moment } ?? false
        let isReturned = isFinishing || pause > left || isTooLate
        report(.paced(id: entry.id, transport: candidate.name, until: moment, isReturned: isReturned))
        if isReturned { return false }
        left = left - pause
        await dependencies.sleep(max(pause, .milliseconds(1)))
      }
    }
  }

  /// Takes note that `count` more attempts, or fewer, are about to spend a send of the transport.
  func adjustExpectedSends(_ count: Int, of candidate: DispatchTransport?) {
    // Those without a pace, too: a new configuration may give them one meanwhile.
    guard let candidate else { return }
    expectedSends[candidate.name, default: 0] += count
  }

  /// How many sends of `lane` its pace leaves the transport at `now`, as far as this process knows.
  func availableSends(_ candidate: DispatchTransport, _ lane: Lane, at now: Timestamp) -> Int {
    guard let pace = options.paces[candidate.name] else { return .max }
    let availableSends = pace.availableSends(
      lane, exhaustedUntil: stateCache[candidate.name].exhaustedUntil, at: now)
    return max(0, availableSends - expectedSends[candidate.name, default: 0])
  }

  /// Those of `candidates` that have a send of `lane` soon.
  ///
  /// Mail that would wait for long takes the next one; mail that waits its turn doesn't, or a pace would be for
  /// nothing where the route goes on.
  func sendableSoon(_ candidates: [DispatchTransport], _ lane: Lane, at now: Timestamp) -> [DispatchTransport]
  {
    candidates.filter { candidate in
      guard let pace = options.paces[candidate.name] else { return true }
      return pace.next(lane, exhaustedUntil: stateCache[candidate.name].exhaustedUntil, at: now) - now
        <= options.failoverDelay
    }
  }

  /// When the first transport that may be tried has a send again, where its pace has none now.
  func pacedUntil() -> Timestamp? {
    let now = dependencies.now()
    let moments = [Lane.code, .normal].compactMap { lane -> Timestamp? in
      guard let candidate = availableRoute(lane, at: now).candidates.first,
        let pace = options.paces[candidate.name],
        availableSends(candidate, lane, at: now) == 0
      else { return nil }
      return pace.next(lane, exhaustedUntil: stateCache[candidate.name].exhaustedUntil, at: now)
    }
    // Of one that is only promised to others the moment has been.
    return moments.filter { $0 > now }.min()
  }

  private enum PaceDecision: Sendable {
    case acquired
    case notBefore(Timestamp)
    case unavailable
  }

  /// Judges and spends in one step, so that no two processes spend the same send.
  private func acquire(_ name: String, _ pace: Pace, _ lane: Lane) async -> PaceDecision {
    let decision = PaceDecisionBox()
    let now = dependencies.now
    do throws(StorageError) {
      let answer = try await updateStoredStates { states in
        let now = now()
        var state = states[name] ?? TransportState()
        let isFree = pace.availableSends(lane, exhaustedUntil: state.exhaustedUntil, at: now) > 0
        decision.value.withLock {
          $0 = isFree ? .acquired : .notBefore(pace.next(lane, exhaustedUntil: state.exhaustedUntil, at: now))
        }
        guard isFree else { return }
        state.exhaustedUntil = state.exhaustedUntil.map { min($0, now + pace.per) }
        state.spend(pace, at: now)
        states[name] = state
      }
      stateCache.adopt(answer)
    } catch {
      report(.storage(error))
      return .unavailable
    }
    return decision.value.withLock { $0 }
  }

  private final class PaceDecisionBox: Sendable {
    let value = Mutex(PaceDecision.unavailable)
  }
}
