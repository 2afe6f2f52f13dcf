internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// A connection as far as a request needs to know it.
struct HTTPContext: InitializableFromSource {
  /// The IP address at the other end.
  let peer: String?

  init(source: ApplicationRequestContextSource) { peer = source.channel.remoteAddress?.ipAddress }
}

/// Leads each request to its endpoint, and makes an answer of whatever it comes to.
struct HTTPRouter: HTTPResponder {
  let handlers: RequestHandlers
  let report: @Sendable (HTTPEvent) -> Void

  func respond(to request: Request, context: HTTPContext) async throws -> Response {
    let began = ContinuousClock.now
    let path = request.uri.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(
      String.init)
    var endpoint = APIEndpoint(path)
    if case .demo = endpoint, handlers.dependencies().demo == nil { endpoint = nil }
    var caller: AuthenticatedCaller?
    var response: Response
    do throws(ProblemDetails) {
      if let malformedRequest = MalformedRequest(request.head) { throw malformedRequest.problem }
      guard let endpoint else { throw .pathNotFound }
      guard endpoint.methods.contains(request.method) else { throw .methodNotAllowed(endpoint.methods) }
      if endpoint.needsCaller {
        let access = handlers.dependencies().access
        caller = try AuthenticatedCaller(request.headers, peer: context.peer, access)
        if caller?.name == nil { try rejectForeignHost(request, access) }
      } else if case .demo = endpoint, case let access = handlers.dependencies().access, access.isKeyless {
        try rejectForeignHost(request, access)
      }
      response = try await handlers.response(endpoint, request, caller, peer: context.peer)
    } catch {
      response = error.response
    }
    if request.method == .head { response = response.createHeadResponse() }
    report(
      .answered(
        route: endpoint?.route ?? "-", method: request.method.rawValue, status: response.status.code,
        client: caller?.name, took: .now - began))
    return response
  }

  /// A page of somebody else's that a browser here was led to may not call under a name that leads to this machine.
  private func rejectForeignHost(_ request: Request, _ access: ServeConfiguration) throws(ProblemDetails) {
    guard access.proxies.isEmpty, let authority = request.head.authority else { return }
    guard authority.isLocalAuthority else {
      throw ProblemDetails(
        "misdirected", .misdirectedRequest, "The request names another host",
        detail: "a service without keys answers to localhost and IP addresses alone")
    }
  }
}

extension String {
  /// Whether an authority is `localhost` or an IP address.
  fileprivate var isLocalAuthority: Bool {
    // RFC 9110, 4.2.3: a host is the same in capitals.
    let name = lowercased()
    return ListenAddress(name) != nil || ListenAddress("\(name):80") != nil
  }
}

/// What a path leads to.
enum APIEndpoint: Sendable, Hashable {
  case start
  case verification(String)
  case resend(String)
  case check(String)
  case cancel(String)
  case redeem
  case addMail
  case mail(String)
  case render(String)
  case health
  case readiness
  case metrics
  case document
  case demo(DemoEndpoint)

  /// The endpoint at a path, given by its segments.
  init?(_ path: [String]) {
    switch (path.first, path.dropFirst().first, path.count) {
    case ("v1", "verifications", 2): self = .start
    case ("v1", "verifications", 3) where !path[2].isEmpty: self = .verification(path[2])
    case ("v1", "verifications", 4) where !path[2].isEmpty:
      switch path[3] {
      case "resend": self = .resend(path[2])
      case "check": self = .check(path[2])
      case "cancel": self = .cancel(path[2])
      default: return nil
      }
    case ("v1", "proofs", 3) where path[2] == "redeem": self = .redeem
    case ("v1", "mails", 2): self = .addMail
    case ("v1", "mails", 3) where !path[2].isEmpty: self = .mail(path[2])
    case ("v1", "messages", 4) where !path[2].isEmpty && path[3] == "render": self = .render(path[2])
    case ("healthz", nil, 1): self = .health
    case ("readyz", nil, 1): self = .readiness
    case ("metrics", nil, 1): self = .metrics
    case ("openapi.json", nil, 1): self = .document
    default:
      guard let demo = DemoEndpoint(path) else { return nil }
      self = .demo(demo)
    }
  }

  /// The method it takes.
  var method: HTTPRequest.Method {
    switch self {
    case .start, .resend, .check, .cancel, .redeem, .addMail, .render: .post
    case .verification, .mail, .health, .readiness, .metrics, .document, .demo: .get
    }
  }

  /// The methods it takes, HEAD among them.
  var methods: [HTTPRequest.Method] {
    // A person may reload what a form led to.
    if case .demo(.action) = self { return [.get, .head, .post] }
    return method == .get ? [.get, .head] : [method]
  }

  /// Whether whoever calls must be known.
  var needsCaller: Bool {
    switch self {
    case .health, .readiness, .document, .demo: false
    default: true
    }
  }

  /// The path with names for its variable parts.
  var route: String {
    switch self {
    case .start: "/v1/verifications"
    case .verification: "/v1/verifications/{id}"
    case .resend: "/v1/verifications/{id}/resend"
    case .check: "/v1/verifications/{id}/check"
    case .cancel: "/v1/verifications/{id}/cancel"
    case .redeem: "/v1/proofs/redeem"
    case .addMail: "/v1/mails"
    case .mail: "/v1/mails/{id}"
    case .render: "/v1/messages/{name}/render"
    case .health: "/healthz"
    case .readiness: "/readyz"
    case .metrics: "/metrics"
    case .document: "/openapi.json"
    case .demo(let demo): demo.route
    }
  }
}
