internal import Glibc
internal import NIOCore
internal import Synchronization

/// How long connections may take, and which of them goes when there are too many.
final class ConnectionLimits: Sendable {
  /// How long a request may take to arrive, from its connection's beginning or its own.
  let request: TimeAmount
  /// How long a connection may wait for its next request.
  let idle: TimeAmount
  /// How long the other end may take to read an answer.
  let answer: TimeAmount
  /// How many connections there may be.
  let count: Int

  /// The shortest of these times.
  var shortest: TimeAmount { min(request, idle, answer) }

  private struct Open {
    let channel: any Channel
    var idleSince: NIODeadline?
  }

  private let open = Mutex<[ObjectIdentifier: Open]>([:])

  init(
    request: TimeAmount = .seconds(15), idle: TimeAmount = .seconds(60), answer: TimeAmount = .seconds(30),
    count: Int = ConnectionLimits.usualCount
  ) {
    self.request = request
    self.idle = idle
    self.answer = answer
    self.count = count
  }

  /// 1,000, or half of the descriptors that this process may have: mail and its store need some, too.
  static var usualCount: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1_000 }
    return Int(min(1_000, max(limit.rlim_cur / 2, 16)))
  }

  /// Takes a connection in; where that is one too many, the one that has waited longest for a request is closed, and
  /// this one itself where all are at work.
  func enter(_ channel: any Channel) {
    let surplus = open.withLock { open -> (any Channel)? in
      var surplus: (any Channel)?
      if open.count >= count {
        let idlest = open.min {
          ($0.value.idleSince ?? .distantFuture) < ($1.value.idleSince ?? .distantFuture)
        }
        if let idlest, idlest.value.idleSince != nil {
          surplus = idlest.value.channel
          open[idlest.key] = nil
        } else {
          return channel
        }
      }
      open[ObjectIdentifier(channel)] = Open(channel: channel, idleSince: .now())
      return surplus
    }
    surplus?.close(promise: nil)
  }

  /// Takes down whether a connection waits for a request.
  func set(_ channel: any Channel, isIdle: Bool) {
    open.withLock { $0[ObjectIdentifier(channel)]?.idleSince = isIdle ? .now() : nil }
  }

  /// Takes a connection out.
  func leave(_ channel: any Channel) {
    _ = open.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
  }
}
