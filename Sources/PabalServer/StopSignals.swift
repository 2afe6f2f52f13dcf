import Dispatch
import Glibc
import Synchronization

/// Calls a function on SIGTERM and SIGINT.
final class StopSignals: Sendable {
  private let sources: Mutex<[any DispatchSourceSignal]>

  /// Handles the signals from the moment this returns. `stop` is called on a queue of its own; its argument says whether it
  /// is the first signal.
  init(_ stop: @escaping @Sendable (Bool) -> Void) {
    let hasStopped = Mutex(false)
    let queue = DispatchQueue(label: "signals")
    let registered = DispatchSemaphore(value: 0)
    let sources = [SIGTERM, SIGINT].map { number in
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setRegistrationHandler { registered.signal() }
      source.setEventHandler { stop(!hasStopped.withLock { exchange(&$0, with: true) }) }
      source.resume()
      return source
    }
    // Not ignored before, because a signal that arrives before the handler is registered would be lost; now it ends the
    // process.
    for _ in sources { registered.wait() }
    self.sources = Mutex(sources)
  }

  /// Stops handling the signals.
  func cancel() { sources.withLock { for source in $0 { source.cancel() } } }
}

/// Raises the limit on open file descriptors, as far as the system allows.
///
/// Shells and systemd set 1,024, for programs that use select(2). The HTTP server alone uses up to 1,000, and a process
/// without a free descriptor crashes, because libdispatch opens files to watch its threads and traps if it can't.
func raiseDescriptorLimit() {
  // Not more, because some of the programs that this one starts iterate over all possible descriptors.
  let wanted: rlim_t = 8_192
  var limit = rlimit()
  let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  guard getrlimit(files, &limit) == 0, limit.rlim_cur < wanted else { return }
  limit.rlim_cur = min(wanted, limit.rlim_max)
  _ = setrlimit(files, &limit)
}
