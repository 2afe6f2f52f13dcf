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
