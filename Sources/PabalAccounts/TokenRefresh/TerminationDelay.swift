internal import Glibc
internal import Synchronization

/// Delays the end of the process until the answers to requests that were already sent have been stored.
///
/// A server may accept each refresh token only once, so a process that ends between a renewal and its storage ends the
/// login. Each request has its own timeout, which limits the delay.
public enum TerminationDelay {
  private static let signals = [SIGTERM, SIGINT, SIGHUP]

  private struct State {
    var count = 0
    /// The actions that `end` restores, for the signals that would have ended the process.
    var replaced: [(signal: CInt, action: sigaction)] = []
    var isEnding = false
  }

  private static let state = Mutex(State())

  /// Runs `work`. A signal that would end the process ends it after `work`.
  static func protect<Value, Failure: Error>(
    _ work: () throws(Failure) -> Value
  ) throws(Failure) -> Value {
    begin()
    defer { end() }
    return try work()
  }

  /// Runs a wait within `protect`, during which a signal ends the process at once.
  static func suspend(_ wait: () -> Void) {
    end()
    wait()
    begin()
  }

  /// Whether the process is about to end, so that nothing should be tried again.
  static var isEnding: Bool {
    pendingSignal.load(ordering: .relaxed) != 0 || state.withLock(\.isEnding)
  }

  /// Waits until every answer has been stored; nothing is tried again from now on. Blocks, for at most the timeout of one
  /// request. For a process that handles its signals itself.
  public static func finish() {
    state.withLock { $0.isEnding = true }
    var pause = timespec(tv_sec: 0, tv_nsec: 10_000_000)
    // A request takes at most 30 seconds (`FormRequest`), and storing its answer little more.
    for _ in 0..<4000 where state.withLock({ $0.count > 0 }) { nanosleep(&pause, nil) }
  }

  private static func begin() {
    state.withLock { state in
      state.count += 1
      guard state.count == 1 else { return }
      // Read once before the handler may run, because the first access could initialize it.
      _ = pendingSignal.load(ordering: .relaxed)
      for signal in signals {
        var old = sigaction()
        guard sigaction(signal, nil, &old) == 0, isDefault(old) else { continue }
        var new = sigaction()
        new.__sigaction_handler.sa_handler = noteSignal
        new.sa_flags = SA_RESTART
        if sigaction(signal, &new, nil) == 0 { state.replaced.append((signal, old)) }
      }
    }
  }

  private static func end() {
    let pending = state.withLock { state -> CInt in
      state.count -= 1
      guard state.count == 0 else { return 0 }
      for (signal, action) in state.replaced {
        var current = sigaction()
        var action = action
        // Another part of the process may have taken over the signal meanwhile.
        guard sigaction(signal, nil, &current) == 0, isNote(current) else { continue }
        sigaction(signal, &action, nil)
      }
      state.replaced = []
      return pendingSignal.exchange(0, ordering: .relaxed)
    }
    if pending != 0 { kill(getpid(), pending) }
  }

  private static func isDefault(_ action: sigaction) -> Bool {
    action.sa_flags & SA_SIGINFO == 0
      && unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 0
  }

  private static func isNote(_ action: sigaction) -> Bool {
    unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
      == unsafeBitCast(Optional(noteSignal), to: Int.self)
  }
}

/// The first signal that arrived during `TerminationDelay.protect`; 0 if none did.
private let pendingSignal = Atomic<CInt>(0)

private let noteSignal: @convention(c) (CInt) -> Void = { number in
  _ = pendingSignal.compareExchange(expected: 0, desired: number, ordering: .relaxed)
}
