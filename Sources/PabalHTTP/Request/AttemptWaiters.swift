internal import HTTPTypes
public import PabalCore
internal import Synchronization

/// The requests that wait for the first attempt on a mail to end.
public final class AttemptWaiters: Sendable {
  private struct Waiter {
    let id: UInt64
    let wake: CheckedContinuation<Void, Never>
  }

  private struct State {
    var waiters: [String: [Waiter]] = [:]
    var lastID: UInt64 = 0
    var isReleased = false
  }

  private let state = Mutex(State())

  /// Creates an empty set of waiters.
  public init() {}

  /// Wakes the requests that wait for the mail of a dispatcher's event.
  public func handle(_ event: DispatcherEvent) {
    guard case .settled(let entry) = event else { return }
    wake(entry.id)
  }

  /// Whether the service is stopping; new waits return immediately.
  var isReleased: Bool { state.withLock { $0.isReleased } }

  /// Wakes all waiting requests and makes further waits return immediately, because the service is stopping.
  func release() {
    let waiters = state.withLock { state in
      state.isReleased = true
      defer { state.waiters = [:] }
      return state.waiters.values.flatMap { $0 }
    }
    for waiter in waiters { waiter.wake.resume() }
  }

  /// Suspends until the mail `id` is settled in this process, the task is cancelled, or `duration` has passed.
  func wait(for id: String, atMost duration: Duration) async {
    let timer = Task {
      // Repeats because the waiter may not be registered yet when the timer first fires.
      while (try? await Task.sleep(for: duration)) != nil { wake(id) }
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        guard !Task.isCancelled else { return continuation.resume() }
        let isReleased = state.withLock { state in
          guard !state.isReleased else { return true }
          state.lastID += 1
          state.waiters[id, default: []].append(Waiter(id: state.lastID, wake: continuation))
          return false
        }
        if isReleased { continuation.resume() }
      }
    } onCancel: {
      wake(id)
    }
    timer.cancel()
  }

  private func wake(_ id: String) {
    let waiters = state.withLock { $0.waiters.removeValue(forKey: id) ?? [] }
    for waiter in waiters { waiter.wake.resume() }
  }
}

/// The `wait` preference of a request's `Prefer` fields (RFC 7240): how long to wait for the mail's first attempt.
struct PreferHeader: Sendable, Hashable {
  /// The longest wait, in seconds.
  static let maxWait = 30
  /// Seconds from 0 to `maxWait`; `nil` if the request doesn't ask to wait.
  let wait: Int?

  init(wait: Int) { self.wait = wait }

  init(_ headers: HTTPFields) {
    let preferences = headers[values: .prefer].flatMap { $0.split(separator: ",") }
    wait =
      preferences.lazy.compactMap { preference -> Int? in
        let parts = preference.split(separator: ";").first?.split(separator: "=") ?? []
        guard parts.count == 2, String(parts[0]).trimmed.lowercased() == "wait" else { return nil }
        var seconds = String(parts[1]).trimmed[...]
        // RFC 7240, 2: the value is a token or a quoted string.
        if seconds.count > 2, seconds.first == "\"", seconds.last == "\"" {
          seconds = seconds.dropFirst().dropLast()
        }
        return Int(seconds).flatMap { $0 >= 0 ? min($0, PreferHeader.maxWait) : nil }
      }.first
  }
}
