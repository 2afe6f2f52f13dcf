internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes
internal import NIOHTTPTypesHTTP1

/// A request that can't be parsed, which the connection's handlers pass on to the router so that it is answered there.
struct MalformedRequest: Error {
  /// What is wrong with it.
  enum Reason: String {
    case head = "head"
    case method = "method"
    case version = "version"
    case size = "size"
    case host = "host"
    case target = "target"
    case coding = "coding"
  }

  let reason: Reason
  /// The method of the request; `-` if it isn't known.
  let method: HTTPRequest.Method

  init(_ reason: Reason, method: HTTPRequest.Method = MalformedRequest.unknownMethod) {
    self.reason = reason
    self.method = method
  }

  /// Converts an error of a channel handler; `nil` if the error isn't about a request.
  init?(_ error: any Error) {
    switch error {
    case let malformedRequest as MalformedRequest: self = malformedRequest
    case HTTPParserError.headerOverflow: self.init(.size)
    case HTTPParserError.invalidMethod: self.init(.method)
    case HTTPParserError.invalidVersion: self.init(.version)
    case is HTTPParserError, is HTTP1TypeConversionError: self.init(.head)
    default: return nil
    }
  }

  private static let unknownMethod: HTTPRequest.Method = {
    guard let method = HTTPRequest.Method("-") else { preconditionFailure("- isn't a token") }
    return method
  }()

  // A scheme that requests from the network, which have `http`, can't have.
  private static let scheme = "broken"

  /// The error in the form of a request, so that it is answered, counted and logged in order.
  var request: HTTPRequest {
    HTTPRequest(
      method: method, scheme: MalformedRequest.scheme, authority: nil, path: reason.rawValue,
      headerFields: [.connection: "close"])
  }

  /// Reads the error from that form; `nil` for an ordinary request.
  init?(_ request: HTTPRequest) {
    guard request.scheme == MalformedRequest.scheme, let reason = Reason(rawValue: request.path ?? "") else {
      return nil
    }
    self.init(reason, method: request.method)
  }

  /// The response, which closes the connection.
  var problem: ProblemDetails {
    var problem =
      switch reason {
      case .size:
        ProblemDetails(
          "header-too-large", .requestHeaderFieldsTooLarge, "The header is too large",
          detail: "it may have 16384 bytes, in at most 100 fields of at most 8192")
      case .coding:
        ProblemDetails(
          "unknown-transfer-coding", .notImplemented, "Unknown transfer coding",
          detail: "send Transfer-Encoding: chunked, or Content-Length")
      // Not 501 and 505, because random input from the network must not look like a fault of the service in alerts.
      case .head: MalformedRequest.malformed("the header can't be parsed")
      case .method: MalformedRequest.malformed("unknown method")
      case .version: MalformedRequest.malformed("unsupported version; use HTTP/1.1")
      case .host: MalformedRequest.malformed("expected exactly one Host field")
      case .target:
        MalformedRequest.malformed(
          "the target isn't a path, or an http URI with a host and without user information")
      }
    problem.headers[.connection] = "close"
    return problem
  }

  private static func malformed(_ detail: String) -> ProblemDetails {
    ProblemDetails("malformed-request", .badRequest, "Malformed HTTP/1.1 request", detail: detail)
  }
}

/// Turns a parser error into a request for the router, after the requests that came before it, and drops everything
/// after it.
final class MalformedRequestHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart

  private var isReceiving = false
  private var isFinished = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isFinished else { return }
    switch unwrapInboundIn(data) {
    case .head: isReceiving = true
    case .body: break
    case .end: isReceiving = false
    }
    context.fireChannelRead(data)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard !isFinished, let malformedRequest = MalformedRequest(error) else {
      return context.fireErrorCaught(error)
    }
    isFinished = true
    // The head of this request has been passed on, so a response may be on its way: the reader of its body gets the error.
    guard !isReceiving, context.channel.isActive else { return context.fireErrorCaught(malformedRequest) }
    context.fireChannelRead(wrapInboundOut(.head(malformedRequest.request)))
    context.fireChannelRead(wrapInboundOut(.end(nil)))
    context.fireChannelReadComplete()
  }
}
