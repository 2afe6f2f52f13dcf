internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Closes a connection that takes too long over a request or an answer, however busily it trickles.
final class ConnectionWatch: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let limits: ConnectionLimits
  // A timer for each request and answer would cost more than one that looks again.
  private var deadline = NIODeadline.distantFuture
  private var look: Scheduled<Void>?
  // Requests of which the answer is not written yet; the newest may still be arriving.
  private var unanswered = 0
  private var isArriving = false
  private var isLast = false

  init(_ limits: ConnectionLimits) { self.limits = limits }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { begin(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    look?.cancel()
    limits.leave(context.channel)
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head:
      limits.set(context.channel, isIdle: false)
      unanswered += 1
      isArriving = true
      // Behind another request its time begins once that is answered.
      if unanswered == 1 { deadline = .now() + limits.request }
    case .body: break
    case .end:
      isArriving = false
      if unanswered == 1 { deadline = .distantFuture }
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(let head):
      isLast = head.headerFields[.connection] == "close"
      context.write(data, promise: promise)
    case .body: context.write(data, promise: promise)
    case .end:
      deadline = .now() + limits.answer
      let written = promise ?? context.eventLoop.makePromise()
      let context = NIOLoopBound(context, eventLoop: context.eventLoop)
      let watch = NIOLoopBound(self, eventLoop: context.value.eventLoop)
      written.futureResult.whenSuccess { watch.value.answered(context.value) }
      context.value.write(data, promise: written)
    }
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard look == nil else { return }
    limits.enter(context.channel)
    deadline = .now() + limits.request
    look(context)
  }

  private func answered(_ context: ChannelHandlerContext) {
    guard !isLast else { return context.close(promise: nil) }
    unanswered -= 1
    if unanswered == 0 {
      limits.set(context.channel, isIdle: true)
      deadline = .now() + limits.idle
    } else {
      deadline = isArriving && unanswered == 1 ? .now() + limits.request : .distantFuture
    }
  }

  /// Closes the connection once its deadline has passed. No deadline that is set meanwhile comes before the next look.
  private func look(_ context: ChannelHandlerContext) {
    guard deadline > .now() else { return context.close(promise: nil) }
    let context = NIOLoopBound(context, eventLoop: context.eventLoop)
    let watch = NIOLoopBound(self, eventLoop: context.value.eventLoop)
    look = context.value.eventLoop.scheduleTask(deadline: min(deadline, .now() + limits.shortest)) {
      watch.value.look(context.value)
    }
  }
}
