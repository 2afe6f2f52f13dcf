public import PabalCore
import Synchronization

/// A clock that a test moves. Tasks that sleep on it wake when it reaches their time.
public final class ManualClock: Sendable {
  private struct State {
    var now = Timestamp(milliseconds: 1_700_000_000_000)
    var sleepers: [Int: (until: Timestamp, continuation: CheckedContinuation<Void, Never>)] = [:]
    var next = 0
  }
  private let state = Mutex(State())
  private let start = ContinuousClock.now

  /// A clock at second 0.
  public init() {}

  /// The current time.
  public var now: Timestamp { state.withLock { $0.now } }

  /// Returns the time `seconds` after second 0.
  public func second(_ seconds: Double) -> Timestamp {
    Timestamp(milliseconds: 1_700_000_000_000 + Int64(seconds * 1000))
  }

  /// Moves the clock, backwards if negative, and wakes the tasks whose time it has reached.
  public func advance(_ duration: Duration) {
    let due = state.withLock { state in
      state.now = state.now + duration
      let due = state.sleepers.filter { $0.value.until <= state.now }
      for number in due.keys { state.sleepers[number] = nil }
      return due.values.sorted { $0.until < $1.until }.map(\.continuation)
    }
    for continuation in due { continuation.resume() }
  }

  /// Returns when the clock has moved by `duration`, or the task is cancelled.
  public func sleep(_ duration: Duration) async {
    let number = state.withLock { state in
      state.next += 1
      return state.next
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          guard duration > .zero, !Task.isCancelled else { return true }
          state.sleepers[number] = (state.now + duration, continuation)
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.sleepers.removeValue(forKey: number) }?.continuation.resume()
    }
  }

  /// How many tasks sleep on the clock.
  public var sleepers: Int { state.withLock { $0.sleepers.count } }

  /// A dispatcher's dependencies with this clock; the jitter is always 0.5.
  public var dependencies: Dispatcher.Dependencies {
    Dispatcher.Dependencies(
      now: { self.now }, sleep: { await self.sleep($0) }, jitter: { 0.5 }, instant: { [start] in start })
  }
}
