internal import Synchronization

/// The connections that wait for the next mail; the one used last goes out first, so that few stay warm.
final class ConnectionPool: Sendable {
  private let idle = Mutex<[SMTPConnection]>([])

  /// A connection that a mail may go over now, if one waits.
  func take(now: Int) -> SMTPConnection? {
    while let connection = idle.withLock({ $0.popLast() }) {
      if connection.isUsable(now: now) { return connection }
      connection.sendQuit()
    }
    return nil
  }

  /// Puts a sound connection back.
  func put(_ connection: SMTPConnection) {
    connection.markReused()
    idle.withLock { $0.append(connection) }
  }

  /// Says goodbye to all and waits a moment for their answers.
  func close() {
    let connections = idle.withLock { idle in
      defer { idle = [] }
      return idle
    }
    for connection in connections { connection.sendQuit() }
    let end = milliseconds() + 2_000
    for connection in connections { connection.awaitQuitReply(until: end) }
  }
}
