internal import PabalCore
internal import Synchronization

/// Tells other nodes that mail was stored, and learns it from them.
///
/// A notification is a transaction of its own after the one that stored the mail, because a transaction with one holds a lock
/// of the whole cluster until its commit is durable. Nodes look for mail once a second anyway, so a lost one costs only
/// that.
final class PostgreSQLNotifier: Sendable {
  static let channel = "pabal_mail"
  /// The shortest time between two notifications of a node.
  private static let interval = Duration.milliseconds(50)
  /// How often a connection that hears nothing is tried, because a router may have forgotten it.
  private static let probeInterval: Int32 = 5_000
  private static let reconnectInterval = Duration.seconds(1)

  private let pool: PostgreSQLPool
  private let parameters: [(keyword: String, value: String)]
  /// Distinguishes this node's notifications.
  private let id = [UInt8].random(count: 8).map { String($0, radix: 16) }.joined()
  private let state = Mutex(State())

  private struct State {
    var isScheduled = false
    var last: ContinuousClock.Instant?
    var isClosed = false
  }

  /// The notifier of a database, which listens on a connection with `parameters`.
  init(_ pool: PostgreSQLPool, listener parameters: [(keyword: String, value: String)]) {
    self.pool = pool
    self.parameters = parameters
  }

  /// Tells the other nodes soon that mail was stored.
  func notify() {
    let wait: Duration? = state.withLock { state in
      guard !state.isScheduled, !state.isClosed else { return nil }
      state.isScheduled = true
      let elapsed = state.last.map { .now - $0 } ?? Self.interval
      return max(.zero, Self.interval - elapsed)
    }
    guard let wait else { return }
    Task {
      if wait > .zero { try? await Task.sleep(for: wait) }
      // Before it is sent, so that mail that is stored meanwhile is followed by another one.
      state.withLock { state in
        state.isScheduled = false
        state.last = .now
      }
      _ = try? await pool.read { [id] connection throws(PostgreSQLError) in
        try connection.run([Self.statement(id)])
      }
    }
  }

  private static func statement(_ payload: String) -> PostgreSQLStatement {
    PostgreSQLStatement("SELECT pg_notify($1, $2)", [.text(channel), .text(payload)])
  }

  /// Calls `wake` whenever another node has stored mail, until `close`.
  func listen(_ wake: @escaping @Sendable () -> Void) {
    // A thread of its own, because it waits all the time.
    let threads = WorkerThreads(count: 1)
    Task {
      while !isClosed {
        await threads.run { self.listenOnce(wake) }
        guard !isClosed else { break }
        try? await Task.sleep(for: Self.reconnectInterval)
      }
      threads.stop()
    }
  }

  /// Ends the listening, within five seconds.
  func close() { state.withLock { $0.isClosed = true } }

  private var isClosed: Bool { state.withLock { $0.isClosed } }

  /// Listens until the connection is lost.
  private func listenOnce(_ wake: () -> Void) {
    guard let connection = try? PostgreSQLConnection(parameters),
      (try? connection.run([PostgreSQLStatement("LISTEN \(Self.channel)")])) != nil
    else { return }
    // What was stored while nothing listened.
    wake()
    while !isClosed {
      guard let payloads = connection.notifications(within: Self.probeInterval) else { return }
      if payloads.contains(where: { $0 != id }) { wake() }
      if payloads.isEmpty, (try? connection.run([PostgreSQLStatement("SELECT 1")])) == nil { return }
    }
  }

  /// Returns whether a notification arrives at a connection that listens. Through a pooler in transaction mode, none does.
  func isHeard() throws(PostgreSQLError) -> Bool {
    let connection = try PostgreSQLConnection(parameters)
    try connection.run([PostgreSQLStatement("LISTEN \(Self.channel)")])
    let sent = pool.readNow { other throws(PostgreSQLError) in try other.run([Self.statement(id)]) }
    if case .failure(let error) = sent { throw PostgreSQLError(kind: .statement, error: error.kind) }
    for _ in 0..<10 {
      guard let payloads = connection.notifications(within: 100) else { return false }
      if payloads.contains(id) { return true }
    }
    return false
  }
}
