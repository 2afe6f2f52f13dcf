/// How many sends a transport may make in a period, wherever that period begins.
public struct Pace: Sendable, Hashable {
  /// The number of sends.
  public let sends: Int
  /// The period.
  public let per: Duration

  /// A pace of at least one send in a period of at least one millisecond.
  public init(sends: Int, per: Duration) {
    self.sends = max(1, sends)
    self.per = max(.milliseconds(1), per)
  }

  /// How many sends may follow each other at once after the transport has been idle: a sixth.
  ///
  /// A bucket of `burst` that fills by `sends - burst` in the period never lets more than `sends` through in
  /// any such period.
  var burst: Int { max(1, sends / 6) }

  /// The time that one send costs.
  var cost: Duration { per / max(1, sends == 1 ? 1 : sends - burst) }

  /// Returns how many sends of `lane` are free at `now`; half of the burst is reserved for codes.
  func availableSends(_ lane: Lane, exhaustedUntil: Timestamp?, at now: Timestamp) -> Int {
    // A wait longer than the period means that the clock was set back.
    let spent = exhaustedUntil.map { min(per, max(.zero, $0 - now)) } ?? .zero
    return max(0, Int((cost * depth(lane) - spent) / cost))
  }

  /// Returns when the next send of `lane` is free: `now` or later.
  func next(_ lane: Lane, exhaustedUntil: Timestamp?, at now: Timestamp) -> Timestamp {
    guard let exhaustedUntil else { return now }
    // One millisecond more because timestamps are truncated to milliseconds.
    return max(now, min(exhaustedUntil, now + per) - cost * (depth(lane) - 1) + .milliseconds(1))
  }

  private func depth(_ lane: Lane) -> Int { lane == .code ? burst : max(1, burst / 2) }
}

/// Whether an attempt may use a send of its transport's pace.
enum PaceDecision: Sendable, Hashable {
  /// The send is acquired.
  case acquired
  /// The next send is free then.
  case notBefore(Timestamp)
  /// The outbox did not answer.
  case unavailable
}

extension TransportState {
  /// Acquires one send of `pace` for a mail of `lane`, if one is free at `now`.
  ///
  /// Runs inside the outbox's transaction, so that two processes never use the same send.
  mutating func acquireSend(of pace: Pace, for lane: Lane, at now: Timestamp) -> PaceDecision {
    guard pace.availableSends(lane, exhaustedUntil: exhaustedUntil, at: now) > 0 else {
      return .notBefore(pace.next(lane, exhaustedUntil: exhaustedUntil, at: now))
    }
    exhaustedUntil = exhaustedUntil.map { min($0, now + pace.per) }
    spend(pace, at: now)
    return .acquired
  }
}

/// The paces of the transports, and the sends that this process is about to use.
///
/// What all processes have used is in each transport's `TransportState`.
struct RateLimiter {
  private var paces: [String: Pace]
  private var failoverDelay: Duration
  private var expectedSends: [String: Int] = [:]

  /// A limiter with the paces of `options`.
  init(_ options: DispatcherOptions) {
    paces = options.paces
    failoverDelay = options.failoverDelay
  }

  /// Adopts the paces of `options`; expected sends stay expected.
  mutating func adopt(_ options: DispatcherOptions) {
    paces = options.paces
    failoverDelay = options.failoverDelay
  }

  /// The pace of the transport `name`, or `nil` if its sends are unlimited.
  subscript(name: String) -> Pace? { paces[name] }

  /// Records that `count` more attempts (fewer, if negative) are about to use a send of the transport `name`.
  ///
  /// Transports without a pace are counted too, because a new configuration may give them one meanwhile.
  mutating func expect(_ count: Int, of name: String?) {
    guard let name else { return }
    expectedSends[name, default: 0] += count
  }

  /// Returns how many sends of `lane` the transport `name` in `state` has at `now`, without the expected ones.
  func availableSends(_ name: String, _ lane: Lane, _ state: TransportState, at now: Timestamp) -> Int {
    guard let pace = paces[name] else { return .max }
    let available = pace.availableSends(lane, exhaustedUntil: state.exhaustedUntil, at: now)
    return max(0, available - expectedSends[name, default: 0])
  }

  /// Returns whether the next send of `lane` is at most `DispatcherOptions.failoverDelay` away.
  ///
  /// Mail that would wait longer takes the next transport. A shorter wait is accepted: otherwise a pace would
  /// only divert mail to the next transport.
  func isSendableSoon(_ name: String, _ lane: Lane, _ state: TransportState, at now: Timestamp) -> Bool {
    guard let pace = paces[name] else { return true }
    return pace.next(lane, exhaustedUntil: state.exhaustedUntil, at: now) - now <= failoverDelay
  }

  /// Returns when the transport `name` has its next send of `lane`, or `nil` if it has one now.
  ///
  /// The moment may be past: the send that was free then is expected by another attempt.
  func nextSend(_ name: String, _ lane: Lane, _ state: TransportState, at now: Timestamp) -> Timestamp? {
    guard let pace = paces[name], availableSends(name, lane, state, at: now) == 0 else { return nil }
    return pace.next(lane, exhaustedUntil: state.exhaustedUntil, at: now)
  }
}
