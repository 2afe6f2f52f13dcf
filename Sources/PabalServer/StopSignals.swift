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
