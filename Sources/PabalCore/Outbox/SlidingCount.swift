/// How often something happened within a sliding window, in slots of a sixtieth of the window, so that its size doesn't
/// depend on the count.
package struct SlidingCount: Sendable {
  private static let slots: Int64 = 60
  // The newest last.
  private var counts: [(slot: Int64, count: Int)] = []
  private var total = 0

  /// A count of zero.
  package init() {}

  private static func width(_ limit: RateLimit) -> Duration {
    max(limit.window / Int(slots), .milliseconds(1))
  }

  private static func slot(_ limit: RateLimit, _ now: Duration) -> Int64 { Int64(now / width(limit)) }

  /// Returns how long to wait until `count` more fit into `limit`, a negative duration if they never do, or `nil` if they
  /// fit now.
  package mutating func wait(for count: Int, within limit: RateLimit, at now: Duration) -> Duration? {
    let current = SlidingCount.slot(limit, now)
    while let first = counts.first, first.slot < current - SlidingCount.slots {
      total -= first.count
      counts.removeFirst()
    }
    var excess = total + count - limit.count
    guard excess > 0 else { return nil }
    guard count <= limit.count else { return .seconds(-1) }
    for old in counts {
      excess -= old.count
      if excess <= 0 {
        let end = SlidingCount.width(limit) * Int(old.slot + SlidingCount.slots + 1)
        return max(end - now, .milliseconds(1))
      }
    }
    return limit.window
  }

  /// Whether nothing counts any more at `now`.
  package func isIdle(within limit: RateLimit, at now: Duration) -> Bool {
    counts.last.map { $0.slot < SlidingCount.slot(limit, now) - SlidingCount.slots } ?? true
  }

  /// Counts `count` at `now`.
  package mutating func add(_ count: Int, within limit: RateLimit, at now: Duration) {
    let current = SlidingCount.slot(limit, now)
    if let last = counts.last, last.slot >= current {
      counts[counts.count - 1].count += count
    } else {
      counts.append((current, count))
    }
    total += count
  }

  /// Takes back `count` that was added at `then`.
  package mutating func remove(_ count: Int, within limit: RateLimit, at then: Duration) {
    let slot = SlidingCount.slot(limit, then)
    guard let index = counts.lastIndex(where: { $0.slot >= slot && $0.count >= count }) else { return }
    counts[index].count -= count
    total -= count
  }
}
