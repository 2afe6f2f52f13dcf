import Dispatch
import Synchronization

/// Writes lines on a thread of its own: who reads the log slowly, or not at all, holds up nobody.
final class LogWriter: Sendable {
  private struct Backlog {
    var octets = 0
    var lost = 0
  }

  /// What may wait to be written, in octets: some seconds of a service at its busiest.
  private static let limit = 1 << 20

  private let backlog = Mutex(Backlog())
  private let queue = DispatchQueue(label: "log")
  private let out: @Sendable ([UInt8]) -> Void
  private let lost: @Sendable (Int) -> [UInt8]

  /// A writer to `out`, which may block; `lost` makes the line that tells how many lines found no room.
  init(out: @escaping @Sendable ([UInt8]) -> Void, lost: @escaping @Sendable (Int) -> [UInt8]) {
    self.out = out
    self.lost = lost
  }

  /// Has a line written, or counts it where too much waits already.
  func write(_ line: [UInt8]) {
    let hasRoom = backlog.withLock { backlog in
      guard backlog.octets + line.count <= LogWriter.limit else {
        backlog.lost += 1
        return false
      }
      backlog.octets += line.count
      return true
    }
    guard hasRoom else { return }
    queue.async { [self] in
      out(line)
      let droppedCount = backlog.withLock { backlog in
        backlog.octets -= line.count
        return exchange(&backlog.lost, with: 0)
      }
      if droppedCount > 0 { out(lost(droppedCount)) }
    }
  }

  /// Returns when everything is written, or after two seconds of a reader that stands still.
  func finish() {
    let written = DispatchSemaphore(value: 0)
    queue.async { written.signal() }
    _ = written.wait(timeout: .now() + .seconds(2))
  }
}
