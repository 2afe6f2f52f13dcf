internal import NIOCore
internal import Synchronization

/// Lets each kind of report pass once a minute, so that a client that connects again and again doesn't fill the log.
final class ReportLimiter: Sendable {
  private static let interval = TimeAmount.minutes(1)
  // What is remembered is bounded, because anyone can connect; beyond it, reports wait for the next minute.
  private static let maxKeys = 10_000

  private struct State {
    var began = NIODeadline.distantPast
    var seen: Set<String> = []
  }

  private let state = Mutex(State())

  /// Whether the report `key` is the first of its minute.
  func isDue(_ key: String, at now: NIODeadline = .now()) -> Bool {
    state.withLock { state in
      if state.began == .distantPast || now - state.began >= ReportLimiter.interval {
        state = State(began: now)
      }
      guard state.seen.count < ReportLimiter.maxKeys else { return false }
      return state.seen.insert(key).inserted
    }
  }
}
