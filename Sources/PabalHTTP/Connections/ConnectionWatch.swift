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
  private var deadline: Scheduled<Void>?
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
    deadline?.cancel()
    limits.leave(context.channel)
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head:
      limits.set(context.channel, isIdle: false)
      close(context, in: limits.request)
    case .body: break
    case .end: deadline?.cancel()
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
      close(context, in: limits.answer)
      let written = promise ?? context.eventLoop.makePromise()
      let context = NIOLoopBound(context, eventLoop: context.eventLoop)
      let watch = NIOLoopBound(self, eventLoop: context.value.eventLoop)
      written.futureResult.whenSuccess { watch.value.answered(context.value) }
      context.value.write(data, promise: written)
    }
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard deadline == nil else { return }
    limits.enter(context.channel)
    close(context, in: limits.request)
  }

  private func answered(_ context: ChannelHandlerContext) {
    guard !isLast else { return context.close(promise: nil) }
    limits.set(context.channel, isIdle: true)
    close(context, in: limits.idle)
  }

  private func close(_ context: ChannelHandlerContext, in time: TimeAmount) {
    deadline?.cancel()
    let context = NIOLoopBound(context, eventLoop: context.eventLoop)
    deadline = context.value.eventLoop.scheduleTask(in: time) { context.value.close(promise: nil) }
  }
}
