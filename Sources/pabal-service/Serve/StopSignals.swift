import Dispatch
import Glibc
import Synchronization

/// Turns SIGTERM and SIGINT into calls.
final class StopSignals: Sendable {
  private let sources: Mutex<[any DispatchSourceSignal]>

  /// `stop` is called on a thread of its own, with whether it is the first time.
  init(_ stop: @escaping @Sendable (Bool) -> Void) {
    let hasStopped = Mutex(false)
    let queue = DispatchQueue(label: "signals")
    sources = Mutex(
      [SIGTERM, SIGINT].map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler { stop(!hasStopped.withLock { exchange(&$0, with: true) }) }
        source.resume()
        return source
      })
  }

  /// Stops listening.
  func end() { sources.withLock { for source in $0 { source.cancel() } } }
}
