internal import HTTPTypes
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypesHTTP1

/// An HTTP/1.1 channel with an `HTTP1ComplianceHandler` in its pipeline.
struct HTTP1ComplianceChannel: ServerChildChannel {
  let http: HTTP1Channel
  let accepted: AcceptedConnections
  /// Returns the maximum size of a body at a path.
  let bodyLimit: @Sendable (String) -> Int

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
    accepted.setUp()
    let setup = http.setup(channel: channel, logger: logger).flatMapThrowing { value in
      let pipeline = channel.pipeline.syncOperations
      // One read of at most 16 KiB at a time, which is as much as is held back while a response is outstanding.
      try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
      try channel.syncOptions?.setOption(
        .recvAllocator,
        value: AdaptiveRecvByteBufferAllocator(minimum: 1_024, initial: 2_048, maximum: 16_384))
      let requests = try pipeline.handler(type: PipelinedRequestsHandler.self)
      if let bytes = requests.bytes { try pipeline.addHandler(bytes, position: .first) }
      let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
      try pipeline.addHandler(HTTP1ComplianceHandler(bodyLimit), position: .before(codec))
      return value
    }
    // It isn't handed to `handle` then.
    setup.whenFailure { [accepted] _ in accepted.handle() }
    return setup
  }

  func handle(value: HTTP1Channel.Value, logger: Logger) async {
    accepted.handle()
    await http.handle(value: value, logger: logger)
  }
}

/// Implements what RFC 9110 and 9112 require of a server before it answers: exactly one Host field (9112, 3.2), which the
/// host of an absolute target replaces (3.2.2); no transfer coding but chunked (9112, 6.1); 100 Continue for a client that waits for it (9110, 10.1.1); and closing
/// the connection of an HTTP/1.0 client (9112, 9.3).
final class HTTP1ComplianceHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let bodyLimit: @Sendable (String) -> Int

  /// Creates a handler; `bodyLimit` returns the maximum size of a body at a path.
  init(_ bodyLimit: @escaping @Sendable (String) -> Int = { _ in PabalHTTP.bodyLimit }) {
    self.bodyLimit = bodyLimit
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
    guard head.version != .http1_1 || head.headers["host"].count == 1 else {
      return reject(head, .host, context)
    }
    guard head.uri.hasPrefix("/") || head.uri == "*" || head.method == .CONNECT || head.moveAuthorityToHost()
    else {
      return reject(head, .target, context)
    }
    // RFC 9112, 6.1: other codings are unknown here, and a proxy may see another end of the body than this parser.
    let codings = head.headers["transfer-encoding"]
    guard codings.isEmpty || (codings.count == 1 && codings[0].lowercased() == "chunked") else {
      return reject(head, .coding, context)
    }
    // RFC 9112, 6.1: HTTP/1.0 has no transfer codings, so the framing of such a message is faulty.
    guard codings.isEmpty || head.version == .http1_1 else { return reject(head, .head, context) }
    let options = head.headers[canonicalForm: "connection"]
    if head.version != .http1_1 || options.contains(where: { $0.lowercased() == "close" }) {
      // Hummingbird recognizes only this exact value.
      head.headers.replaceOrAdd(name: "connection", value: "close")
    }
    let expectsContinue = head.headers["expect"].contains { $0.lowercased() == "100-continue" }
    let length = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
    // A body that is too long gets its final response at once instead.
    let path = head.uri.prefix { $0 != "?" }
    if expectsContinue, head.version == .http1_1, length <= bodyLimit(String(path)) {
      let interim = HTTPResponseHead(version: head.version, status: .continue)
      context.writeAndFlush(wrapOutboundOut(.head(interim)), promise: nil)
    }
    context.fireChannelRead(wrapInboundOut(.head(head)))
  }

  private func reject(
    _ head: HTTPRequestHead, _ reason: MalformedRequest.Reason, _ context: ChannelHandlerContext
  ) {
    let malformedRequest = HTTPRequest.Method(head.method.rawValue).map {
      MalformedRequest(reason, method: $0)
    }
    context.fireErrorCaught(malformedRequest ?? MalformedRequest(.method))
  }
}

extension HTTPRequestHead {
  /// Moves the authority of a target in absolute form to the Host field and leaves the path as the target; returns
  /// `false` if the target isn't a valid `http` or `https` URI.
  ///
  /// `https` is accepted because a proxy that terminates TLS may pass the target on unchanged. User information before
  /// the host is an error (RFC 9110, 4.2.4).
  fileprivate mutating func moveAuthorityToHost() -> Bool {
    guard let separator = uri.firstRange(of: "://"),
      ["http", "https"].contains(uri[..<separator.lowerBound].lowercased())
    else { return false }
    let rest = uri[separator.upperBound...]
    let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
    let authority = String(rest[..<end])
    guard !authority.isEmpty, !authority.hasPrefix(":"), !authority.contains("@") else { return false }
    headers.replaceOrAdd(name: "host", value: authority)
    uri = rest[end...].hasPrefix("/") ? String(rest[end...]) : "/\(rest[end...])"
    return true
  }
}
