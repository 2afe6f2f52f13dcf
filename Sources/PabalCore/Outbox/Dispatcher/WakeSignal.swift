internal import Synchronization

/// A wake-up signal for a single waiter.
///
/// A signal sent while no task is waiting is remembered, once, and ends the next wait immediately.
final class WakeSignal: Sendable {
  private struct State {
    var waiter: CheckedContinuation<Void, Never>?
    var isSignalled = false
  }
  private let state = Mutex(State())

  /// Wakes the waiting task, or makes the next `wait` return at once.
  func signal() {
    let waiter = state.withLock { state in
      let waiter = state.waiter
      state.waiter = nil
      state.isSignalled = waiter == nil
      return waiter
    }
    waiter?.resume()
  }

  /// Suspends until `signal` is called or `timeout` returns.
  func wait(_ timeout: @escaping @Sendable () async -> Void) async {
    let timer = Task {
      await timeout()
      if !Task.isCancelled { signal() }
    }
    await withCheckedContinuation { continuation in
      let isSignalled = state.withLock { state in
        if state.isSignalled {
          state.isSignalled = false
          return true
        }
        state.waiter = continuation
        return false
      }
      if isSignalled { continuation.resume() }
    }
    timer.cancel()
  }
}
