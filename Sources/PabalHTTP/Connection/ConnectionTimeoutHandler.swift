internal import Glibc
internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes
internal import Synchronization

/// Closes a connection that takes too long over a request or an answer, however busily it trickles.
final class ConnectionTimeoutHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let limits: ConnectionLimits
  // A timer for each request and answer would cost more than one that looks again.
  private var deadline = NIODeadline.distantFuture
  private var deadlineCheck: Scheduled<Void>?
  // Requests of which the answer is not written yet; the newest may still be arriving.
  private var pendingResponses = 0
  private var isReceiving = false
  private var closesAfterResponse = false

  init(_ limits: ConnectionLimits) { self.limits = limits }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { start(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    start(context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadlineCheck?.cancel()
    limits.unregister(context.channel)
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head:
      limits.set(context.channel, isIdle: false)
      pendingResponses += 1
      isReceiving = true
      // Behind another request its time begins once that is answered.
      if pendingResponses == 1 { deadline = .now() + limits.requestTimeout }
    case .body: break
    case .end:
      isReceiving = false
      if pendingResponses == 1 { deadline = .distantFuture }
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(let head):
      closesAfterResponse = head.headerFields[.connection] == "close"
      context.write(data, promise: promise)
    case .body: context.write(data, promise: promise)
    case .end:
      deadline = .now() + limits.responseTimeout
      let written = promise ?? context.eventLoop.makePromise()
      let context = NIOLoopBound(context, eventLoop: context.eventLoop)
      let handler = NIOLoopBound(self, eventLoop: context.value.eventLoop)
      written.futureResult.whenSuccess { handler.value.responseWritten(context.value) }
      context.value.write(data, promise: written)
    }
  }

  private func start(_ context: ChannelHandlerContext) {
    guard deadlineCheck == nil else { return }
    limits.register(context.channel)
    deadline = .now() + limits.requestTimeout
    deadlineCheck(context)
  }

  private func responseWritten(_ context: ChannelHandlerContext) {
    guard !closesAfterResponse else { return context.close(promise: nil) }
    pendingResponses -= 1
    if pendingResponses == 0 {
      limits.set(context.channel, isIdle: true)
      deadline = .now() + limits.idleTimeout
    } else {
      deadline = isReceiving && pendingResponses == 1 ? .now() + limits.requestTimeout : .distantFuture
    }
  }

  /// Closes the connection once its deadline has passed. No deadline that is set meanwhile comes before the next look.
  private func deadlineCheck(_ context: ChannelHandlerContext) {
    guard deadline > .now() else { return context.close(promise: nil) }
    let context = NIOLoopBound(context, eventLoop: context.eventLoop)
    let handler = NIOLoopBound(self, eventLoop: context.value.eventLoop)
    deadlineCheck = context.value.eventLoop.scheduleTask(
      deadline: min(deadline, .now() + limits.shortestTimeout)
    ) {
      handler.value.deadlineCheck(context.value)
    }
  }
}

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
    requestTimeout: TimeAmount = .seconds(15), idleTimeout: TimeAmount = .seconds(60),
    responseTimeout: TimeAmount = .seconds(30),
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
