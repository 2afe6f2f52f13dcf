internal import Synchronization

/// Wakes the one that rests, now or as soon as it wants to rest; rings that nobody heard count once.
final class WakeSignal: Sendable {
  private struct State {
    var waiter: CheckedContinuation<Void, Never>?
    var isSignalled = false
  }
  private let state = Mutex(State())

  /// Wakes it.
  func signal() {
    let waiter = state.withLock { state in
      let waiter = state.waiter
      state.waiter = nil
      state.isSignalled = waiter == nil
      return waiter
    }
    waiter?.resume()
  }

  /// Rests until the bell rings or `timeout` has returned.
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
