internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

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
    deadlineCheck = context.value.eventLoop.scheduleTask(deadline: min(deadline, .now() + limits.shortestTimeout)) {
      handler.value.deadlineCheck(context.value)
    }
  }
}
