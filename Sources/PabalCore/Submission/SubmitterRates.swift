internal import Synchronization

/// Counts the recipients of each submitter's mail against the limits of its rules.
///
/// The counts are kept in memory, like those of the HTTP API's clients, and start from zero with the process. Each process
/// counts for itself.
package final class SubmitterRates: Sendable {
  fileprivate struct Key: Hashable, Sendable {
    var counted: String
    var limit: RateLimit
  }

  /// Recipients that were counted for a mail, to be taken back if it isn't queued.
  package struct Reservation: Sendable {
    fileprivate let keys: [Key]
    fileprivate let count: Int
    fileprivate let time: Duration
  }

  /// Why a mail isn't accepted.
  package struct Refusal: Error, Sendable, Hashable {
    /// The limit.
    package let limit: RateLimit
    /// When the mail would be accepted; `nil`: never, because it has more recipients than the limit allows.
    package let wait: Duration?
  }

  private struct Windows {
    var counts: [Key: SlidingCount] = [:]
    // The number of counts at which those without a recent mail are dropped.
    var limit = SubmitterRates.leastLimit

    /// Drops the counts in which nothing counts any more at `now`, once there are many.
    mutating func dropIdle(at now: Duration) {
      guard counts.count > limit else { return }
      counts = counts.filter { !$0.value.isIdle(within: $0.key.limit, at: now) }
      // Twice as many as are in use, so that each mail pays for a constant part of the search.
      limit = max(SubmitterRates.leastLimit, counts.count * 2)
    }
  }

  private static let leastLimit = 1_000

  private let windows = Mutex(Windows())
  private let now: @Sendable () -> Duration

  /// Counts by a clock that never goes back; `now` returns the time since any fixed moment.
  package init(now: (@Sendable () -> Duration)? = nil) {
    let start = ContinuousClock.now
    self.now = now ?? { ContinuousClock.now - start }
  }

  /// Counts a mail with this many recipients of what `rules` count together, or throws if a limit has no room for it.
  package func reserve(
    _ count: Int, of submitter: Submitter, _ rules: SenderRules
  ) throws(Refusal) -> Reservation {
    let now = now()
    let counted = rules.counted ?? submitter.description
    let keys = rules.rate.map { Key(counted: counted, limit: $0) }
    let refusal: Refusal? = windows.withLock { windows in
      for key in keys {
        if let wait = windows.counts[key, default: SlidingCount()].wait(
          for: count, within: key.limit, at: now)
        {
          return Refusal(limit: key.limit, wait: wait < .zero ? nil : wait)
        }
      }
      for key in keys {
        windows.counts[key, default: SlidingCount()].add(count, within: key.limit, at: now)
      }
      windows.dropIdle(at: now)
      return nil
    }
    if let refusal { throw refusal }
    return Reservation(keys: keys, count: count, time: now)
  }

  /// How many counts are in memory.
  package var size: Int { windows.withLock { $0.counts.count } }

  /// Takes back what was counted for a mail that wasn't queued.
  package func release(_ reservation: Reservation) {
    guard !reservation.keys.isEmpty else { return }
    windows.withLock { windows in
      for key in reservation.keys {
        windows.counts[key]?.remove(reservation.count, within: key.limit, at: reservation.time)
      }
    }
  }
}
