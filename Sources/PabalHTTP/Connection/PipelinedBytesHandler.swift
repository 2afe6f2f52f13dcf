internal import NIOCore

/// Holds back received bytes while a response is outstanding, so that pipelined requests take no more memory than the
/// bytes of one read, however many there are.
final class PipelinedBytesHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// The maximum size of a piece that is parsed at once, in bytes: the parser turns all of it into requests, of which the
  /// shortest have 27 bytes and take a kilobyte each.
  static let pieceSize = 1_024

  /// Whether the parser may have more bytes.
  var isOpen = true
  /// How many bytes of a body of declared length are still expected; they may be parsed at once.
  var expectedBodySize = 0

  /// Whether nothing is held back.
  var isEmpty: Bool { held == nil }
  /// How many bytes are held back.
  var size: Int { held?.readableBytes ?? 0 }

  private var held: ByteBuffer?
  private var isFeeding = false
  private var holdsEndOfInput = false
  private var isReadPending = false
  private var context: ChannelHandlerContext?

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    guard held == nil, isOpen, bytes.readableBytes <= PipelinedBytesHandler.pieceSize else {
      if held == nil { held = bytes } else { held?.writeImmutableBuffer(bytes) }
      return feed(context)
    }
    context.fireChannelRead(data)
  }

  func read(context: ChannelHandlerContext) {
    guard held == nil else {
      isReadPending = true
      return
    }
    context.read()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if held != nil, case .inputClosed? = event as? ChannelEvent {
      holdsEndOfInput = true
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    held = nil
    context.fireChannelInactive()
  }

  /// Passes on what was held back, as far as the parser may have it.
  func resume() {
    guard let context, held != nil else { return }
    feed(context)
    context.fireChannelReadComplete()
  }

  private func feed(_ context: ChannelHandlerContext) {
    // The parser's handlers call `resume` if a request in a piece is answered at once.
    guard !isFeeding else { return }
    isFeeding = true
    defer { isFeeding = false }
    while isOpen, var rest = held {
      let size = min(rest.readableBytes, max(PipelinedBytesHandler.pieceSize, expectedBodySize))
      let piece = rest.readSlice(length: size)
      held = rest.readableBytes > 0 ? rest : nil
      if let piece { context.fireChannelRead(wrapInboundOut(piece)) }
    }
    guard held == nil else { return }
    if holdsEndOfInput {
      holdsEndOfInput = false
      context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }
    if isReadPending {
      isReadPending = false
      context.read()
    }
  }
}
