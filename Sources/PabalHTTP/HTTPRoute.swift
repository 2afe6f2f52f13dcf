internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// One row of the route table: a method and a path, who may call it, and the handler that answers.
struct HTTPRoute: Sendable {
  /// Who may call a route.
  enum Access: Sendable, Hashable {
    /// Anyone.
    case open
    /// A client whose key has this scope; any caller if the service is keyless.
    case client(APIScope)
    /// Anyone, on a service that has the demo page.
    case demo
  }

  /// The method; a GET route answers HEAD as well.
  let method: HTTPRequest.Method
  /// The path, with at most one parameter in braces that stands for a whole segment, as in `/v1/mails/{id}`. It is also
  /// the value of the `route` label in metrics and of the `route` field in the log.
  let path: String
  let access: Access
  let handler: @Sendable (HTTPCall) async throws(ProblemDetails) -> Response

  /// A route that is handled by a method of a `Handlers` that is created for each request.
  init<Handlers: RequestHandlers>(
    _ method: HTTPRequest.Method, _ path: String, access: Access,
    _ handler: @escaping @Sendable (Handlers) -> () async throws(ProblemDetails) -> Response
  ) {
    self.method = method
    self.path = path
    self.access = access
    self.handler = { call throws(ProblemDetails) in
      let handlers = try Handlers(call)
      return try await handler(handlers)()
    }
  }
}

/// The handlers of related routes, for one request; each is a method that returns the response.
protocol RequestHandlers: Sendable {
  init(_ call: HTTPCall) throws(ProblemDetails)
}

extension HTTPRoute {
  /// The routes of the service. The router, the metrics, the log and the test of `openapi.json` read this table.
  static let all = [
    HTTPRoute(.post, "/v1/verifications", access: .client(.verify), VerificationHandlers.start),
    HTTPRoute(.get, "/v1/verifications", access: .client(.verify), VerificationHandlers.find),
    HTTPRoute(.post, "/v1/verifications/{id}/check", access: .client(.verify), VerificationHandlers.check),
    HTTPRoute(.get, "/v1/verifications/{id}", access: .client(.verify), VerificationHandlers.show),
    HTTPRoute(.post, "/v1/verifications/{id}/resend", access: .client(.verify), VerificationHandlers.resend),
    HTTPRoute(.post, "/v1/verifications/{id}/cancel", access: .client(.verify), VerificationHandlers.cancel),
    HTTPRoute(.post, "/v1/proofs/redeem", access: .client(.verify), VerificationHandlers.redeem),
    HTTPRoute(.post, MailHandlers.path, access: .client(.mail), MailHandlers.add),
    HTTPRoute(.get, MailHandlers.path, access: .client(.mail), HistoryHandlers.find),
    // Before the ids, which it isn't one of.
    HTTPRoute(.post, HistoryHandlers.searchPath, access: .client(.mail), HistoryHandlers.search),
    HTTPRoute(.get, "/v1/mails/{id}", access: .client(.mail), MailHandlers.show),
    HTTPRoute(.post, "/v1/messages/{name}/render", access: .client(.mail), MailHandlers.render),
    HTTPRoute(.get, "/healthz", access: .open, ServiceHandlers.health),
    HTTPRoute(.get, "/readyz", access: .open, ServiceHandlers.readiness),
    HTTPRoute(.get, "/metrics", access: .client(.metrics), ServiceHandlers.metrics),
    HTTPRoute(.get, "/openapi.json", access: .open, ServiceHandlers.document),

    HTTPRoute(.get, "/", access: .demo, DemoHandlers.page),
    HTTPRoute(.get, "/demo/verify.css", access: .demo, DemoHandlers.style),
    HTTPRoute(.get, "/demo/verify.js", access: .demo, DemoHandlers.script),
    HTTPRoute(.get, "/demo/mail/{id}", access: .demo, DemoHandlers.mail),
    HTTPRoute(.post, "/demo/start", access: .demo, DemoHandlers.start),
    HTTPRoute(.post, "/demo/check", access: .demo, DemoHandlers.check),
    HTTPRoute(.post, "/demo/resend", access: .demo, DemoHandlers.resend),
    HTTPRoute(.post, "/demo/cancel", access: .demo, DemoHandlers.cancel),
    HTTPRoute(.post, "/demo/show", access: .demo, DemoHandlers.show),
    // A browser sends GET when the page that a form led to is reloaded.
    HTTPRoute(.get, "/demo/start", access: .demo, DemoHandlers.redirectToStart),
    HTTPRoute(.get, "/demo/check", access: .demo, DemoHandlers.redirectToStart),
    HTTPRoute(.get, "/demo/resend", access: .demo, DemoHandlers.redirectToStart),
    HTTPRoute(.get, "/demo/cancel", access: .demo, DemoHandlers.redirectToStart),
    HTTPRoute(.get, "/demo/show", access: .demo, DemoHandlers.redirectToStart),
  ]
}

/// A request on its way to a handler.
struct HTTPCall: Sendable {
  let shared: SharedState
  let request: Request
  /// The value of the path's parameter as it was sent, percent-encoding included; empty if the path has none.
  let parameter: String
  /// The caller; of a route that isn't `.client`, only the address may be known.
  let caller: AuthenticatedCaller
  /// The IP address at the other end of the connection.
  let peer: String?
}

/// The routes grouped by path, for looking up a request.
struct HTTPRouteTable: Sendable {
  /// The routes of one path.
  final class Endpoint: Sendable {
    let path: String
    let access: HTTPRoute.Access
    let routes: [HTTPRoute]
    /// The methods for `Allow`: those of the routes, and HEAD if there is GET.
    let methods: [HTTPRequest.Method]
    fileprivate let pattern: PathPattern

    fileprivate init(_ path: String, _ routes: [HTTPRoute]) {
      precondition(Set(routes.map(\.access)).count == 1, "\(path) needs one kind of access")
      precondition(Set(routes.map(\.method)).count == routes.count, "\(path) has a method twice")
      self.path = path
      self.routes = routes
      access = routes[0].access
      let others = routes.map(\.method).filter { $0 != .get }
      methods = others.count < routes.count ? [.get, .head] + others : others
      pattern = PathPattern(path)
    }

    /// Returns the route for a method, or `nil` if the path doesn't support it.
    func route(for method: HTTPRequest.Method) -> HTTPRoute? {
      let method = method == .head ? .get : method
      return routes.first { $0.method == method }
    }
  }

  /// An endpoint and the value of its path's parameter, which is empty if the path has none.
  typealias Match = (endpoint: Endpoint, parameter: String)

  /// The endpoints, in the order of their first routes.
  let endpoints: [Endpoint]

  init(_ routes: [HTTPRoute]) {
    var paths: [String] = []
    for route in routes where !paths.contains(route.path) { paths.append(route.path) }
    endpoints = paths.map { path in Endpoint(path, routes.filter { $0.path == path }) }
  }

  /// Returns the endpoint at a path (without a query), or `nil` if there is none.
  func match(_ path: String) -> Match? {
    var path = path
    return path.withUTF8 { path in
      for endpoint in endpoints {
        if let parameter = endpoint.pattern.parameter(in: path) {
          return (endpoint, String(decoding: path[parameter], as: UTF8.self))
        }
      }
      return nil
    }
  }
}

/// A path that is compared byte by byte: percent-encoding isn't decoded, and case counts.
private struct PathPattern: Sendable {
  /// What comes before the parameter; the whole path if there is none.
  private let prefix: [UInt8]
  private let suffix: [UInt8]
  private let hasParameter: Bool

  init(_ path: String) {
    let start = path.firstIndex(of: "{") ?? path.endIndex
    let end = path.firstIndex(of: "}").map(path.index(after:)) ?? path.endIndex
    prefix = Array(path[..<start].utf8)
    suffix = Array(path[end...].utf8)
    hasParameter = start != end
    precondition(!suffix.contains(UInt8(ascii: "{")), "\(path) has more than one parameter")
  }

  /// Returns where the parameter is in `path`, an empty range if the pattern has none, or `nil` if `path` doesn't match.
  /// A parameter is neither empty nor longer than its segment.
  func parameter(in path: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
    let end = path.count - suffix.count
    guard hasParameter ? end > prefix.count : end == prefix.count, path.starts(with: prefix) else {
      return nil
    }
    guard hasParameter else { return end..<end }
    guard path[end...].elementsEqual(suffix), !path[prefix.count..<end].contains(UInt8(ascii: "/")) else {
      return nil
    }
    return prefix.count..<end
  }
}
