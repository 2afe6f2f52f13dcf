internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes
internal import NIOHTTPTypesHTTP1

/// A request that can't be made out, as the connection's handlers and the responder pass it on.
struct MalformedRequest: Error {
  /// What is wrong with it.
  enum Reason: String {
    case head = "head"
    case method = "method"
    case version = "version"
    case size = "size"
    case host = "host"
    case target = "target"
  }

  let reason: Reason
  /// The request's own; `-` where it isn't known.
  let method: HTTPRequest.Method

  init(_ reason: Reason, method: HTTPRequest.Method = MalformedRequest.unknownMethod) {
    self.reason = reason
    self.method = method
  }

  /// What a handler's error says of the request; `nil`: it is about the connection.
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
    guard let method = HTTPRequest.Method("-") else { preconditionFailure("it is a token") }
    return method
  }()

  // What comes over the wire has the scheme http.
  private static let scheme = "broken"

  /// It in the shape of a request, so that it is answered, counted and told of in its turn.
  var request: HTTPRequest {
    HTTPRequest(
      method: method, scheme: MalformedRequest.scheme, authority: nil, path: reason.rawValue,
      headerFields: [.connection: "close"])
  }

  /// It from that shape.
  init?(_ request: HTTPRequest) {
    guard request.scheme == MalformedRequest.scheme, let reason = Reason(rawValue: request.path ?? "") else {
      return nil
    }
    self.init(reason, method: request.method)
  }

  /// How it is answered.
  var problem: ProblemDetails {
    var problem =
      switch reason {
      case .size:
        ProblemDetails(
          "header-too-large", .requestHeaderFieldsTooLarge, "The header is too large",
          detail: "it may have 16384 octets in 100 fields of 8192")
      // Not 501 and 505: what others send at random is no fault of the service's, and wakes nobody.
      case .head: MalformedRequest.malformed("it can't be read as HTTP/1.1")
      case .method: MalformedRequest.malformed("the method is not known")
      case .version: MalformedRequest.malformed("the version is not HTTP/1.1")
      case .host: MalformedRequest.malformed("it needs one Host field")
      case .target: MalformedRequest.malformed("its target is no http URI with a host and without a user")
      }
    problem.headers[.connection] = "close"
    return problem
  }

  private static func malformed(_ detail: String) -> ProblemDetails {
    ProblemDetails("malformed-request", .badRequest, "The request is no request of HTTP/1.1", detail: detail)
  }
}

/// Hands a request that can't be made out on as one, behind those that came before it, and nothing after it.
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
    // Of a request whose head came the answer may be on its way: whoever reads its body learns of it.
    guard !isReceiving, context.channel.isActive else { return context.fireErrorCaught(malformedRequest) }
    context.fireChannelRead(wrapInboundOut(.head(malformedRequest.request)))
    context.fireChannelRead(wrapInboundOut(.end(nil)))
    context.fireChannelReadComplete()
  }
}
