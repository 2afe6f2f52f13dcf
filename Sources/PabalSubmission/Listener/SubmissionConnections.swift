internal import Glibc
internal import NIOCore
internal import PabalCore
internal import Synchronization

/// The open connections of all listeners.
///
/// If there are too many, the stranger who connected first gives way: a client that hasn't proved who it is.
final class SubmissionConnections: Sendable {
  /// An open connection.
  final class Connection: Sendable {
    let channel: any Channel
    /// What the limit per address counts by: an address, a network of 64 bits, or the user of a local process.
    let peer: String
    fileprivate let number: UInt64
    private let stranger = Atomic(true)

    fileprivate init(_ channel: any Channel, peer: String, number: UInt64) {
      self.channel = channel
      self.peer = peer
      self.number = number
    }

    /// Whether the client may not send yet.
    var isStranger: Bool {
      get { stranger.load(ordering: .relaxed) }
      set { stranger.store(newValue, ordering: .relaxed) }
    }
  }

  private struct State {
    var open: [UInt64: Connection] = [:]
    var counts: [String: Int] = [:]
    var next: UInt64 = 0
    var isClosed = false
    var waiting: CheckedContinuation<Void, Never>?

    mutating func remove(_ connection: Connection) {
      guard open.removeValue(forKey: connection.number) != nil else { return }
      let count = counts[connection.peer, default: 1] - 1
      counts[connection.peer] = count > 0 ? count : nil
      if open.isEmpty { exchange(&waiting, with: nil)?.resume() }
    }
  }

  private let state = Mutex(State())

  /// The number of open connections.
  var count: Int { state.withLock { $0.open.count } }

  /// Adds a connection; returns `nil` if it has to be refused.
  ///
  /// `perPeer` is `nil` for clients that the limit per address doesn't apply to.
  func register(_ channel: any Channel, peer: String, total: Int, perPeer: Int?) -> Connection? {
    let (connection, evicted) = state.withLock { state -> (Connection?, Connection?) in
      guard !state.isClosed else { return (nil, nil) }
      if let perPeer, state.counts[peer, default: 0] >= perPeer { return (nil, nil) }
      var evicted: Connection?
      if state.open.count >= total {
        evicted = state.open.values.lazy.filter(\.isStranger).min { $0.number < $1.number }
        guard let evicted else { return (nil, nil) }
        state.remove(evicted)
      }
      state.next += 1
      let connection = Connection(channel, peer: peer, number: state.next)
      state.open[connection.number] = connection
      state.counts[peer, default: 0] += 1
      return (connection, evicted)
    }
    evicted?.channel.pipeline.fireUserInboundEventTriggered(ConnectionSignal.giveWay)
    return connection
  }

  /// Removes a connection.
  func unregister(_ connection: Connection) { state.withLock { $0.remove(connection) } }

  /// Asks all connections to end, and refuses new ones.
  func stopAll() {
    let open = state.withLock { state in
      state.isClosed = true
      return Array(state.open.values)
    }
    for connection in open {
      connection.channel.pipeline.fireUserInboundEventTriggered(ConnectionSignal.stop)
    }
  }

  /// Returns once no connection is open. Has one caller.
  func untilEmpty() async {
    await withCheckedContinuation { continuation in
      state.withLock { state in
        if state.open.isEmpty { continuation.resume() } else { state.waiting = continuation }
      }
    }
  }

  /// Closes all connections, whatever they are doing.
  func closeAll() {
    for connection in state.withLock({ Array($0.open.values) }) { connection.channel.close(promise: nil) }
  }

  /// `limit`, but at most half of the descriptors that this process may open, because transports and the store need some
  /// as well.
  static func total(_ limit: Int) -> Int {
    var descriptors = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &descriptors) == 0 else { return limit }
    return min(limit, Int(clamping: max(descriptors.rlim_cur / 2, 16)))
  }
}

/// What the listener tells a connection.
enum ConnectionSignal: Sendable {
  /// The service stops: end after the mail that is being stored.
  case stop
  /// Others need the place.
  case giveWay
}
