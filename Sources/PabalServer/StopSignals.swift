import Dispatch
import Glibc
import Synchronization

/// Turns SIGTERM and SIGINT into calls.
final class StopSignals: Sendable {
  private let sources: Mutex<[any DispatchSourceSignal]>

  /// Listens from the end of this on; `stop` is called on a thread of its own, with whether it is the first time.
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
    // Sooner a signal ends the process as it does any other; ignored until then, it would be lost.
    for _ in sources { registered.wait() }
    self.sources = Mutex(sources)
  }

  /// Stops listening.
  func cancel() { sources.withLock { for source in $0 { source.cancel() } } }
}

/// Raises how many descriptors this process may have open, as far as the system lets it.
///
/// A shell and systemd give 1,024, for programs that use select(2). The HTTP service alone takes 1,000, and a process
/// without a free one ends: libdispatch watches its threads by files and traps where one can't be opened.
func raiseDescriptorLimit() {
  // Not more: some programs that this one starts go through all there may be.
  let wanted: rlim_t = 8_192
  var limit = rlimit()
  let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  guard getrlimit(files, &limit) == 0, limit.rlim_cur < wanted else { return }
  limit.rlim_cur = min(wanted, limit.rlim_max)
  _ = setrlimit(files, &limit)
}
