internal import Glibc
internal import NIOCore
internal import PabalCore
internal import Synchronization

/// The open connections, with the limits on their time, number and memory.
///
/// If there are too many, one that waits for its client gives way: an idle one, or else one whose client doesn't complete
/// its request or doesn't read its response, the longest-waiting first. Connections of the client address that has most are
/// considered before others. A request that the service is working on is never cut off.
final class ConnectionTable: Sendable {
  /// What a connection waits for.
  enum Phase: UInt64 {
    /// The client's next request.
    case idle = 0
    /// Its first request, or the rest of a request.
    case receiving = 1
    /// The service's response.
    case handling = 2
    /// The client, which has to read the response.
    case sending = 3

    fileprivate var waitsForClient: Bool { self != .handling }
  }

  /// An open connection.
  final class Connection: Sendable {
    let channel: any Channel
    /// What the limits per address count by.
    let peer: String
    // The phase in the lowest two bits and the time in nanoseconds above them, so that the event loop needs no lock.
    private let state: Atomic<UInt64>
    private let bytes = Atomic<Int>(0)

    fileprivate init(_ channel: any Channel, peer: String, at time: NIODeadline) {
      self.channel = channel
      self.peer = peer
      // Not idle: a connection whose first request is on its way must not give way to the next one.
      state = Atomic(time.uptimeNanoseconds << 2 | Phase.receiving.rawValue)
    }

    /// Records what the connection waits for.
    func set(_ phase: Phase, since time: NIODeadline) {
      state.store(time.uptimeNanoseconds << 2 | phase.rawValue, ordering: .relaxed)
    }

    var phase: Phase { Phase(rawValue: state.load(ordering: .relaxed) & 3) ?? .handling }
    fileprivate var since: UInt64 { state.load(ordering: .relaxed) >> 2 }
    /// The memory that its request or response was last known to take.
    var size: Int { bytes.load(ordering: .relaxed) }

    fileprivate func exchangeSize(_ size: Int) -> Int { bytes.exchange(size, ordering: .relaxed) }
  }

  private struct State {
    var open: [ObjectIdentifier: Connection] = [:]
    var counts: [String: Int] = [:]
    /// The peers to which the limit per address doesn't apply.
    var exempt: Set<String> = []
    var size = 0

    mutating func remove(_ connection: Connection) {
      guard open.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
      let count = counts[connection.peer, default: 1] - 1
      counts[connection.peer] = count > 0 ? count : nil
      size -= connection.exchangeSize(0)
    }
  }

  let timeouts: ConnectionTimeouts
  private let limits: ConnectionLimits
  private let isExempt: @Sendable (String) -> Bool
  private let state = Mutex(State())

  /// Creates an empty table. `isExempt` returns whether the limit per address doesn't apply to an address.
  init(
    _ limits: ConnectionLimits, timeouts: ConnectionTimeouts = ConnectionTimeouts(),
    isExempt: @escaping @Sendable (String) -> Bool = { _ in false }
  ) {
    self.limits = limits
    self.timeouts = timeouts
    self.isExempt = isExempt
  }

  /// The number of open connections.
  var count: Int { state.withLock { $0.open.count } }

  /// Adds a connection. Closes another if there are too many, or returns `nil` and closes the new one if none can give way.
  func register(_ channel: any Channel, at now: NIODeadline) -> Connection? {
    let address = channel.remoteAddress?.ipAddress ?? ""
    let new = Connection(channel, peer: IPAddress(address)?.network ?? address, at: now)
    let isExempt = isExempt(address)
    let limit = isExempt ? limits.total : limits.perAddress
    let (isAccepted, evicted) = state.withLock { state -> (Bool, Connection?) in
      var evicted: Connection?
      if state.counts[new.peer, default: 0] >= limit {
        evicted = victim(in: state) { $0.peer == new.peer }
        guard evicted != nil else { return (false, nil) }
      } else if state.open.count >= limits.total {
        // A proxy's connections carry many clients, so others give way first.
        let largest = state.counts.filter { !state.exempt.contains($0.key) }.max { $0.value < $1.value }?.key
        evicted =
          victim(in: state) { $0.peer == largest } ?? victim(in: state) { !state.exempt.contains($0.peer) }
          ?? victim(in: state) { _ in true }
        guard evicted != nil else { return (false, nil) }
      }
      if let evicted { state.remove(evicted) }
      state.open[ObjectIdentifier(new)] = new
      state.counts[new.peer, default: 0] += 1
      if isExempt { state.exempt.insert(new.peer) }
      return (true, evicted)
    }
    evicted?.channel.close(promise: nil)
    guard isAccepted else {
      channel.close(promise: nil)
      return nil
    }
    return new
  }

  /// Removes a connection.
  func unregister(_ connection: Connection) { state.withLock { $0.remove(connection) } }

  /// Records how many bytes of memory a connection's request or response takes. Closes the connections that have waited
  /// longest for their clients if all of them take too much together.
  func setSize(_ size: Int, of connection: Connection) {
    let evicted = state.withLock { state -> [Connection] in
      guard state.open[ObjectIdentifier(connection)] != nil else { return [] }
      state.size += size - connection.exchangeSize(size)
      var evicted: [Connection] = []
      while state.size > limits.memory, let next = victim(in: state, where: { $0.size > 0 }) {
        state.remove(next)
        evicted.append(next)
      }
      return evicted
    }
    for connection in evicted { connection.channel.close(promise: nil) }
  }

  /// Returns the connection that gives way first.
  private func victim(in state: State, where isCandidate: (Connection) -> Bool) -> Connection? {
    var found: (connection: Connection, isIdle: Bool, since: UInt64)?
    for connection in state.open.values where isCandidate(connection) {
      let (phase, since) = (connection.phase, connection.since)
      guard phase.waitsForClient else { continue }
      let isIdle = phase == .idle
      if let best = found, best.isIdle == isIdle ? best.since <= since : best.isIdle { continue }
      found = (connection, isIdle, since)
    }
    return found?.connection
  }
}

/// How many connections there may be, and how much memory they may take.
struct ConnectionLimits: Sendable {
  /// The maximum number of open connections.
  let total: Int
  /// The maximum number of open connections of one client address.
  let perAddress: Int
  /// The maximum size of the requests that are arriving and of the responses that aren't read, in bytes.
  let memory: Int

  init(total: Int, perAddress: Int, memory: Int = 32 << 20) {
    self.total = total
    self.perAddress = perAddress
    self.memory = memory
  }

  /// The limits of a configuration, with at most half of the descriptors that this process may open, because transports
  /// and the store need some as well.
  init(_ settings: ConnectionSettings) {
    var descriptors = rlimit()
    let hasLimit = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &descriptors) == 0
    let total = hasLimit ? min(settings.max, Int(clamping: max(descriptors.rlim_cur / 2, 16))) : settings.max
    self.init(total: total, perAddress: min(settings.perAddress, total))
  }
}
