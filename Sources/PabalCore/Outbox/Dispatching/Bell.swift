internal import Synchronization

/// Wakes the one that rests, now or as soon as it wants to rest; rings that nobody heard count once.
final class Bell: Sendable {
  private struct State {
    var waiter: CheckedContinuation<Void, Never>?
    var hasRung = false
  }
  private let state = Mutex(State())

  /// Wakes it.
  func ring() {
    let waiter = state.withLock { state in
      let waiter = state.waiter
      state.waiter = nil
      state.hasRung = waiter == nil
      return waiter
    }
    waiter?.resume()
  }

  /// Rests until the bell rings or `sleep` has returned.
  func rest(_ sleep: @escaping @Sendable () async -> Void) async {
    let timer = Task {
      await sleep()
      if !Task.isCancelled { ring() }
    }
    await withCheckedContinuation { continuation in
      let hasRung = state.withLock { state in
        if state.hasRung {
          state.hasRung = false
          return true
        }
        state.waiter = continuation
        return false
      }
      if hasRung { continuation.resume() }
    }
    timer.cancel()
  }
}
