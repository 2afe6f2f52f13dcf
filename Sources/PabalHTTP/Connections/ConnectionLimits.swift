internal import Glibc
internal import NIOCore
internal import Synchronization

/// How long connections may take, and which of them goes when there are too many.
final class ConnectionLimits: Sendable {
  /// How long a request may take to arrive, from its connection's beginning or its own.
  let requestTimeout: TimeAmount
  /// How long a connection may wait for its next request.
  let idleTimeout: TimeAmount
  /// How long the other end may take to read an answer.
  let responseTimeout: TimeAmount
  /// How many connections there may be.
  let count: Int

  /// The shortest of these times.
  var shortestTimeout: TimeAmount { min(requestTimeout, idleTimeout, responseTimeout) }

  private struct Open {
    let channel: any Channel
    var idleSince: NIODeadline?
  }

  private let open = Mutex<[ObjectIdentifier: Open]>([:])

  init(
    requestTimeout: TimeAmount = .seconds(15), idleTimeout: TimeAmount = .seconds(60), responseTimeout: TimeAmount = .seconds(30),
    count: Int = ConnectionLimits.defaultCount
  ) {
    self.requestTimeout = requestTimeout
    self.idleTimeout = idleTimeout
    self.responseTimeout = responseTimeout
    self.count = count
  }

  /// 1,000, or half of the descriptors that this process may have: mail and its store need some, too.
  static var defaultCount: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1_000 }
    return Int(min(1_000, max(limit.rlim_cur / 2, 16)))
  }

  /// Takes a connection in; where that is one too many, the one that has waited longest for a request is closed, and
  /// this one itself where all are at work.
  func register(_ channel: any Channel) {
    let evicted = open.withLock { open -> (any Channel)? in
      var evicted: (any Channel)?
      if open.count >= count {
        let longestIdle = open.min {
          ($0.value.idleSince ?? .distantFuture) < ($1.value.idleSince ?? .distantFuture)
        }
        if let longestIdle, longestIdle.value.idleSince != nil {
          evicted = longestIdle.value.channel
          open[longestIdle.key] = nil
        } else {
          return channel
        }
      }
      open[ObjectIdentifier(channel)] = Open(channel: channel, idleSince: .now())
      return evicted
    }
    evicted?.close(promise: nil)
  }

  /// Takes down whether a connection waits for a request.
  func set(_ channel: any Channel, isIdle: Bool) {
    open.withLock { $0[ObjectIdentifier(channel)]?.idleSince = isIdle ? .now() : nil }
  }

  /// Takes a connection out.
  func unregister(_ channel: any Channel) {
    _ = open.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
  }
}
