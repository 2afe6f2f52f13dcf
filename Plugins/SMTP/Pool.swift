internal import Synchronization

/// The connections that wait for the next mail; the one used last goes out first, so that few stay warm.
final class Pool: Sendable {
  private let waiting = Mutex<[Connection]>([])

  /// A connection that a mail may go over now, if one waits.
  func take(now: Int) -> Connection? {
    while let connection = waiting.withLock({ $0.popLast() }) {
      if connection.isUsable(now: now) { return connection }
      connection.sayGoodbye()
    }
    return nil
  }

  /// Puts a sound connection back.
  func give(_ connection: Connection) {
    connection.keep()
    waiting.withLock { $0.append(connection) }
  }

  /// Says goodbye to all and waits a moment for their answers.
  func close() {
    let connections = waiting.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
    for connection in connections { connection.sayGoodbye() }
    let end = milliseconds() + 2_000
    for connection in connections { connection.awaitGoodbye(until: end) }
  }
}
