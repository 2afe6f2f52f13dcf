internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Closes a connection that takes too long to send a request or to read a response, even if bytes keep trickling in, and
/// tells its client how long it may be idle. Gets one request at a time from `PipelinedRequestsHandler`.
final class ConnectionTimeoutHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let table: ConnectionTable
  private var timeouts: ConnectionTimeouts { table.timeouts }
  private var connection: ConnectionTable.Connection?
  // One timer that checks repeatedly, because a timer per request and response would cost more.
  private var deadline = NIODeadline.distantFuture
  private var deadlineCheck: Scheduled<Void>?
  private var isReceiving = false
  private var isAnswering = false
  private var isDraining = false
  private var closesAfterResponse = false
  private var bodySize = 0
  private var responseSize = 0

  init(_ table: ConnectionTable) { self.table = table }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { start(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    start(context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadlineCheck?.cancel()
    if let connection { table.unregister(connection) }
    connection = nil
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      isReceiving = true
      isAnswering = true
      bodySize = 0
      closesAfterResponse = isDraining || head.headerFields[.connection] == "close"
      let now = context.eventLoop.now
      connection?.set(.receiving, since: now)
      deadline = now + timeouts.request
    // The rest of a body that was answered already is discarded.
    case .body(let body) where isAnswering:
      bodySize += body.readableBytes
      if bodySize > bodyLimit { extendDeadline(by: body.readableBytes, at: context.eventLoop.now) }
    case .body: break
    case .end:
      isReceiving = false
      bodySize = 0
      if isAnswering {
        connection?.set(.handling, since: context.eventLoop.now)
        deadline = .distantFuture
      } else {
        setIdle(context)
      }
    }
    context.fireChannelRead(data)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    // Small bodies aren't counted, because the table takes a lock.
    // The memory of larger ones is counted by who reads them, see `MailMemory`.
    if isReceiving, bodySize > 4_096, let connection {
      table.setSize(min(bodySize, bodyLimit), of: connection)
    }
    context.fireChannelReadComplete()
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(var head):
      if isDraining || head.headerFields[.connection] == "close" { closesAfterResponse = true }
      responseSize = 0
      // RFC 9110, 7.6.1: `Connection` names the fields that concern only this connection.
      if !closesAfterResponse {
        head.headerFields.append(timeouts.persistentConnection)
        head.headerFields.append(timeouts.keepAlive)
      } else {
        head.headerFields[.connection] = "close"
      }
      context.write(wrapOutboundOut(.head(head)), promise: promise)
    case .body(let body):
      responseSize += body.readableBytes
      context.write(data, promise: promise)
    case .end:
      let now = context.eventLoop.now
      deadline = now + timeouts.response
      connection?.set(.sending, since: now)
      let written = promise ?? context.eventLoop.makePromise()
      let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      written.futureResult.whenSuccess {
        let (handler, context) = bound.value
        handler.responseWritten(context)
      }
      context.write(data, promise: written)
    }
  }

  func flush(context: ChannelHandlerContext) {
    context.flush()
    // Still unwritten: the system's buffer is full, because the client doesn't read.
    if let connection, connection.phase == .sending { table.setSize(responseSize, of: connection) }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard event is ChannelShouldQuiesceEvent else { return context.fireUserInboundEventTriggered(event) }
    // The next response says that the connection ends. A client that is about to use it, such as a proxy, would lose its
    // request if an idle connection was closed at once.
    isDraining = true
    guard !isAnswering, !isReceiving else { return }
    deadline = min(deadline, context.eventLoop.now + timeouts.drain)
    deadlineCheck?.cancel()
    deadlineCheck(context)
  }

  private func start(_ context: ChannelHandlerContext) {
    guard deadlineCheck == nil else { return }
    guard let registered = table.register(context.channel, at: context.eventLoop.now) else { return }
    connection = registered
    deadline = context.eventLoop.now + timeouts.request
    deadlineCheck(context)
  }

  /// Gives a large body a second more for each 16 KiB. However fast it came, the rest has to follow soon, so that a client
  /// can't hold the memory of a large mail for hours.
  private func extendDeadline(by size: Int, at now: NIODeadline) {
    let earned = TimeAmount.nanoseconds(Int64(size) * 1_000_000_000 / 16_384)
    deadline = min(deadline + earned, max(deadline, now + timeouts.request))
  }

  private func responseWritten(_ context: ChannelHandlerContext) {
    guard !closesAfterResponse else { return context.close(promise: nil) }
    isAnswering = false
    if isReceiving {
      bodySize = 0
      if let connection {
        connection.set(.receiving, since: context.eventLoop.now)
        if connection.size > 0 { table.setSize(0, of: connection) }
      }
      deadline = context.eventLoop.now + timeouts.request
    } else {
      setIdle(context)
    }
  }

  private func setIdle(_ context: ChannelHandlerContext) {
    // The response began before the service was stopped, so it didn't say that the connection ends.
    guard !isDraining else { return context.close(promise: nil) }
    if let connection {
      connection.set(.idle, since: context.eventLoop.now)
      if connection.size > 0 { table.setSize(0, of: connection) }
    }
    // A second more than was announced, for the way of the response.
    deadline = context.eventLoop.now + timeouts.idle + .seconds(1)
  }

  /// Closes the connection if its deadline has passed; otherwise schedules the next check, which is never later than the
  /// earliest deadline that can be set meanwhile.
  private func deadlineCheck(_ context: ChannelHandlerContext) {
    let now = context.eventLoop.now
    guard deadline > now else { return context.close(promise: nil) }
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    deadlineCheck = context.eventLoop.scheduleTask(deadline: min(deadline, now + timeouts.shortest)) {
      let (handler, context) = bound.value
      handler.deadlineCheck(context)
    }
  }
}

/// How long a connection may take.
struct ConnectionTimeouts: Sendable {
  /// How long a request may take to arrive, from the start of the connection or of the request.
  let request: TimeAmount
  /// How long a connection may wait for its next request.
  let idle: TimeAmount
  /// How long the client may take to read a response.
  let response: TimeAmount
  /// How long an idle connection stays open once the service stops.
  let drain: TimeAmount
  let persistentConnection = HTTPField(name: .connection, value: "keep-alive")
  let keepAlive: HTTPField

  init(
    request: TimeAmount = .seconds(15), idle: TimeAmount = .seconds(75), response: TimeAmount = .seconds(30),
    drain: TimeAmount = .seconds(1)
  ) {
    self.request = request
    self.idle = idle
    self.response = response
    self.drain = drain
    keepAlive = HTTPField(name: .keepAlive, value: "timeout=\(max(idle.nanoseconds / 1_000_000_000, 1))")
  }

  /// The shortest of the timeouts that don't reschedule the check.
  var shortest: TimeAmount { min(request, idle, response) }
}
