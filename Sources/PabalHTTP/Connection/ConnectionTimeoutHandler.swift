internal import Glibc
internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes
internal import Synchronization

/// Closes a connection that takes too long to send a request or to read a response, even if bytes keep trickling in.
final class ConnectionTimeoutHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let limits: ConnectionLimits
  // One timer that checks repeatedly, because a timer per request and response would cost more.
  private var deadline = NIODeadline.distantFuture
  private var deadlineCheck: Scheduled<Void>?
  // Requests whose response hasn't been written yet; the newest may still be arriving.
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
      // The time of a pipelined request starts once the request before it is answered.
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

  /// Closes the connection if its deadline has passed; otherwise schedules the next check, which is never later than the
  /// earliest deadline that can be set meanwhile.
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

/// The open connections, with the limits on their time and number.
final class ConnectionLimits: Sendable {
  /// How long a request may take to arrive, from the start of the connection or of the request.
  let requestTimeout: TimeAmount
  /// How long a connection may wait for its next request.
  let idleTimeout: TimeAmount
  /// How long the client may take to read a response.
  let responseTimeout: TimeAmount
  /// The maximum number of open connections.
  let maxConnections: Int

  /// The shortest of the timeouts.
  var shortestTimeout: TimeAmount { min(requestTimeout, idleTimeout, responseTimeout) }

  private struct Open {
    let channel: any Channel
    var idleSince: NIODeadline?
  }

  private let open = Mutex<[ObjectIdentifier: Open]>([:])

  init(
    requestTimeout: TimeAmount = .seconds(15), idleTimeout: TimeAmount = .seconds(60),
    responseTimeout: TimeAmount = .seconds(30),
    maxConnections: Int = ConnectionLimits.defaultMaxConnections
  ) {
    self.requestTimeout = requestTimeout
    self.idleTimeout = idleTimeout
    self.responseTimeout = responseTimeout
    self.maxConnections = maxConnections
  }

  /// 1,000, or half of the descriptors that this process may open if those are fewer, because transports and the store
  /// need some as well.
  static var defaultMaxConnections: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1_000 }
    return Int(min(1_000, max(limit.rlim_cur / 2, 16)))
  }

  /// Registers a connection. If there are too many, the one that has been idle longest is closed, or the new one itself
  /// if none is idle.
  func register(_ channel: any Channel) {
    let evicted = open.withLock { open -> (any Channel)? in
      var evicted: (any Channel)?
      if open.count >= maxConnections {
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

  /// Records whether a connection is waiting for a request.
  func set(_ channel: any Channel, isIdle: Bool) {
    open.withLock { $0[ObjectIdentifier(channel)]?.idleSince = isIdle ? .now() : nil }
  }

  /// Removes a connection.
  func unregister(_ channel: any Channel) {
    _ = open.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
  }
}
