internal import Synchronization

// The sends that a transport's pace leaves, which all processes spend together.
extension Dispatcher {
  /// Spends a send of the transport, where there is one within `wait`; says whether the attempt may begin.
  func mayBegin(
    _ entry: OutboxEntry, through stop: DispatchStop, lane: Lane, wait: Duration
  ) async -> Bool {
    var left = wait
    while true {
      let now = surroundings.now()
      if let notAfter = entry.notAfter, notAfter <= now { return false }
      guard let pace = rules.paces[stop.name] else { return true }
      switch await pay(stop.name, pace, lane) {
      case .paid: return true
      case .refused: return false
      case .notBefore(let moment):
        let pause = moment - now
        let isTooLate = entry.notAfter.map { $0 <= moment } ?? false
        let isPutBack = isFinishing || pause > left || isTooLate
        report(.paced(id: entry.id, transport: stop.name, until: moment, isPutBack: isPutBack))
        if isPutBack { return false }
        left = left - pause
        await surroundings.sleep(max(pause, .milliseconds(1)))
      }
    }
  }

  /// Takes note that `count` more attempts, or fewer, are about to spend a send of the transport.
  func expect(_ count: Int, of stop: DispatchStop?) {
    // Those without a pace, too: a new configuration may give them one meanwhile.
    guard let stop else { return }
    expected[stop.name, default: 0] += count
  }

  /// How many sends of `lane` its pace leaves the transport at `now`, as far as this process knows.
  func free(_ stop: DispatchStop, _ lane: Lane, at now: Timestamp) -> Int {
    guard let pace = rules.paces[stop.name] else { return .max }
    let free = pace.free(lane, spentUntil: board[stop.name].spentUntil, at: now)
    return max(0, free - expected[stop.name, default: 0])
  }

  /// Those of `stops` that have a send of `lane` soon.
  ///
  /// Mail that would wait for long takes the next one; mail that waits its turn doesn't, or a pace would be for
  /// nothing where the route goes on.
  func unspent(_ stops: [DispatchStop], _ lane: Lane, at now: Timestamp) -> [DispatchStop] {
    stops.filter { stop in
      guard let pace = rules.paces[stop.name] else { return true }
      return pace.next(lane, spentUntil: board[stop.name].spentUntil, at: now) - now <= rules.detour
    }
  }

  /// When the first transport that may be tried has a send again, where its pace has none now.
  func pacedUntil() -> Timestamp? {
    let now = surroundings.now()
    let moments = [Lane.code, .normal].compactMap { lane -> Timestamp? in
      guard let stop = way(lane, at: now).stops.first, let pace = rules.paces[stop.name],
        free(stop, lane, at: now) == 0
      else { return nil }
      return pace.next(lane, spentUntil: board[stop.name].spentUntil, at: now)
    }
    // Of one that is only promised to others the moment has been.
    return moments.filter { $0 > now }.min()
  }

  private enum Payment: Sendable {
    case paid
    case notBefore(Timestamp)
    case refused
  }

  /// Judges and spends in one step, so that no two processes spend the same send.
  private func pay(_ name: String, _ pace: Pace, _ lane: Lane) async -> Payment {
    let payment = PaymentBox()
    let now = surroundings.now
    do throws(StorageProblem) {
      let answer = try await ask { states in
        let now = now()
        var state = states[name] ?? TransportState()
        let isFree = pace.free(lane, spentUntil: state.spentUntil, at: now) > 0
        payment.value.withLock {
          $0 = isFree ? .paid : .notBefore(pace.next(lane, spentUntil: state.spentUntil, at: now))
        }
        guard isFree else { return }
        state.spentUntil = state.spentUntil.map { min($0, now + pace.per) }
        state.spend(pace, at: now)
        states[name] = state
      }
      board.adopt(answer)
    } catch {
      report(.storage(error))
      return .refused
    }
    return payment.value.withLock { $0 }
  }

  private final class PaymentBox: Sendable {
    let value = Mutex(Payment.refused)
  }
}
