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
