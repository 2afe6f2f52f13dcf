internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Passes requests on one at a time: the next one once the response to the one before it has been handed to the system.
///
/// A client that doesn't read its responses therefore has at most one of them in memory. A request of a client
/// that doesn't wait for its responses also waits for its turn among those of other connections.
final class PipelinedRequestsHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  /// What ends the input after the requests that are held back.
  private enum EndOfInput {
    case closed
    case error(any Error)
  }

  /// The handler of the bytes that aren't parsed yet.
  let bytes: PipelinedBytesHandler?
  private var held = CircularBuffer<HTTPRequestPart>(initialCapacity: 0)
  private var heldEnd: EndOfInput?
  private var isAnswering = false
  private var isReceiving = false
  /// Whether a request is held back until others have been worked on.
  private(set) var isWaitingForTurn = false
  private let turns: PipelineTurns
  private var queue: PipelineQueue?
  private var context: ChannelHandlerContext?

  /// Creates a handler that tells `bytes` when the parser may have more.
  init(_ bytes: PipelinedBytesHandler?, turns: PipelineTurns) {
    self.bytes = bytes
    self.turns = turns
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    queue = turns.queue(on: context.eventLoop)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    endTurn()
    self.context = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let part = unwrapInboundIn(data)
    guard held.isEmpty, canPass(part) else { return held.append(part) }
    if case .head(let head) = part, isFollowed(head), queue?.take(self) == false {
      isWaitingForTurn = true
      held.append(part)
      return updateGate()
    }
    pass(part, data, context)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard held.isEmpty else { return heldEnd = .error(error) }
    context.fireErrorCaught(error)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if !held.isEmpty, case .inputClosed? = event as? ChannelEvent {
      if heldEnd == nil { heldEnd = .closed }
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    endTurn()
    held.removeAll()
    context.fireChannelInactive()
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard case .end = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
    let written = promise ?? context.eventLoop.makePromise()
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    written.futureResult.whenSuccess {
      let (handler, context) = bound.value
      handler.responseWritten(context)
    }
    context.write(data, promise: written)
    // Not once the client has read it, which may take long.
    endTurn()
  }

  private func endTurn() {
    queue?.end(self)
    isWaitingForTurn = false
  }

  /// Whether more than this request has arrived already, so that its client doesn't wait for the response either.
  private func isFollowed(_ head: HTTPRequest) -> Bool {
    guard let bytes, !bytes.isEmpty, head.headerFields[.transferEncoding] == nil else { return false }
    return bytes.size > PipelinedRequestsHandler.bodySize(head)
  }

  private static func bodySize(_ head: HTTPRequest) -> Int {
    head.headerFields[.contentLength].flatMap(Int.init) ?? 0
  }

  private func canPass(_ part: HTTPRequestPart) -> Bool {
    if case .head = part { return !isAnswering && !isWaitingForTurn }
    return true
  }

  private func pass(_ part: HTTPRequestPart, _ data: NIOAny, _ context: ChannelHandlerContext) {
    switch part {
    case .head(let head):
      isAnswering = true
      isReceiving = true
      bytes?.expectedBodySize = PipelinedRequestsHandler.bodySize(head)
    case .body(let body):
      bytes?.expectedBodySize -= body.readableBytes
    case .end:
      isReceiving = false
      bytes?.expectedBodySize = 0
    }
    updateGate()
    context.fireChannelRead(data)
  }

  private func responseWritten(_ context: ChannelHandlerContext) {
    isAnswering = false
    guard context.channel.isActive else { return }
    guard !held.isEmpty || bytes?.isEmpty == false, queue?.take(self) == false else {
      return proceed(context)
    }
    isWaitingForTurn = true
    updateGate()
  }

  /// Passes the request on that has waited for its turn.
  func turnBegan() {
    isWaitingForTurn = false
    guard let context, context.channel.isActive else { return endTurn() }
    proceed(context)
  }

  private func proceed(_ context: ChannelHandlerContext) {
    if !held.isEmpty {
      while let part = held.first, canPass(part) {
        held.removeFirst()
        pass(part, wrapInboundOut(part), context)
      }
      context.fireChannelReadComplete()
      if held.isEmpty, let end = heldEnd {
        heldEnd = nil
        switch end {
        case .closed: context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        case .error(let error): context.fireErrorCaught(error)
        }
      }
    }
    updateGate()
    if bytes?.isOpen == true { bytes?.resume() }
    // It wasn't complete.
    if !isAnswering { endTurn() }
  }

  /// More bytes are needed for the rest of a request, or for the next one once nothing is outstanding.
  private func updateGate() {
    bytes?.isOpen = held.isEmpty && (isReceiving || !(isAnswering || isWaitingForTurn))
  }
}
