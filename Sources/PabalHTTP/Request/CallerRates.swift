internal import PabalCore
internal import Synchronization

/// Counts what callers of the HTTP API did recently, against the rates of their clients and of callers without a key.
///
/// The counts are kept in memory: they protect this process and its outbox, and start from zero with it. The limits of a
/// recipient and of a person's address are in the store.
final class CallerRates: Sendable {
  /// What is counted; each has a window of its own.
  enum Action: Sendable, Hashable {
    /// Mails, one for each recipient.
    case mail
    /// Starts and resends without a key.
    case start
    /// Checks without a key.
    case check
  }

  private struct Key: Hashable {
    var caller: Caller
    var action: Action
    var limit: RateLimit
  }

  private let windows = Mutex<[Key: SlidingCount]>([:])
  private let now: @Sendable () -> Duration

  /// Counts by a clock that never goes back; `now` returns the time since any fixed moment.
  init(now: (@Sendable () -> Duration)? = nil) {
    let start = ContinuousClock.now
    self.now = now ?? { ContinuousClock.now - start }
  }

  /// Runs `work` if each of `limits` has room for `count` more, and throws what `problem` returns otherwise. If `work`
  /// throws, or returns `false` as its second value, it isn't counted.
  func run<Value>(
    _ action: Action, _ count: Int = 1, of caller: Caller, _ limits: [RateLimit],
    problem: (RateLimit, Duration?) -> ProblemDetails,
    _ work: () async throws(ProblemDetails) -> (Value, isCounted: Bool)
  ) async throws(ProblemDetails) -> Value {
    guard !limits.isEmpty else { return try await work().0 }
    let now = now()
    let keys = limits.map { Key(caller: caller, action: action, limit: $0) }
    let refusal: (RateLimit, Duration?)? = windows.withLock { windows in
      for key in keys {
        if let wait = windows[key, default: SlidingCount()].wait(for: count, within: key.limit, at: now) {
          return (key.limit, wait < .zero ? nil : wait)
        }
      }
      for key in keys { windows[key, default: SlidingCount()].add(count, within: key.limit, at: now) }
      return nil
    }
    if let refusal { throw problem(refusal.0, refusal.1) }
    func giveBack() {
      windows.withLock { windows in
        for key in keys { windows[key]?.remove(count, within: key.limit, at: now) }
      }
    }
    do throws(ProblemDetails) {
      let (value, isCounted) = try await work()
      if !isCounted { giveBack() }
      return value
    } catch {
      giveBack()
      throw error
    }
  }
}

/// How often something happened within a sliding window, in slots of a sixtieth of the window, so that its size doesn't
/// depend on the count.
private struct SlidingCount {
  private static let slots: Int64 = 60
  // The newest last.
  private var counts: [(slot: Int64, count: Int)] = []
  private var total = 0

  private static func width(_ limit: RateLimit) -> Duration {
    max(limit.window / Int(slots), .milliseconds(1))
  }

  private static func slot(_ limit: RateLimit, _ now: Duration) -> Int64 { Int64(now / width(limit)) }

  /// Returns how long to wait until `count` more fit into `limit`, a negative duration if they never do, or `nil` if they
  /// fit now.
  mutating func wait(for count: Int, within limit: RateLimit, at now: Duration) -> Duration? {
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

  mutating func add(_ count: Int, within limit: RateLimit, at now: Duration) {
    let current = SlidingCount.slot(limit, now)
    if let last = counts.last, last.slot >= current {
      counts[counts.count - 1].count += count
    } else {
      counts.append((current, count))
    }
    total += count
  }

  mutating func remove(_ count: Int, within limit: RateLimit, at then: Duration) {
    let slot = SlidingCount.slot(limit, then)
    guard let index = counts.lastIndex(where: { $0.slot >= slot && $0.count >= count }) else { return }
    counts[index].count -= count
    total -= count
  }
}
