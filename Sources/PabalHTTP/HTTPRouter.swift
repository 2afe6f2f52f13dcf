internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// What a request needs to know of its connection.
struct HTTPContext: InitializableFromSource {
  /// The IP address at the other end.
  let peer: String?

  init(peer: String?) { self.peer = peer }

  init(source: ApplicationRequestContextSource) { peer = source.channel.remoteAddress?.ipAddress }
}

/// Dispatches each request to the handler of its route, and turns errors into responses.
struct HTTPRouter: HTTPResponder {
  let shared: SharedState
  let report: @Sendable (HTTPEvent) -> Void
  let table = HTTPRouteTable(HTTPRoute.all)

  func respond(to request: Request, context: HTTPContext) async throws -> Response {
    let start = ContinuousClock.now
    var match = table.match(request.uri.path)
    if match?.endpoint.access == .demo, shared.dependencies().demo == nil { match = nil }
    var client: String?
    var response: Response
    do throws(ProblemDetails) {
      if let malformedRequest = MalformedRequest(request.head) { throw malformedRequest.problem }
      guard let match else { throw .pathNotFound }
      guard let route = match.endpoint.route(for: request.method) else {
        throw .methodNotAllowed(match.endpoint.methods)
      }
      let caller = try caller(of: request, access: route.access, peer: context.peer)
      client = caller.name
      response = try await route.handler(
        HTTPCall(
          shared: shared, request: request, parameter: match.parameter, caller: caller, peer: context.peer
        ))
    } catch {
      response = error.response
    }
    if request.method == .head { response = response.createHeadResponse() }
    report(
      .answered(
        route: match?.endpoint.path ?? "-", method: request.method.rawValue, status: response.status.code,
        client: client, took: .now - start))
    return response
  }

  /// Returns the caller, or throws if the route's access doesn't admit it.
  private func caller(
    of request: Request, access: HTTPRoute.Access, peer: String?
  ) throws(ProblemDetails) -> AuthenticatedCaller {
    switch access {
    case .open: return .unidentified
    case .client(let scope):
      let configuration = shared.dependencies().access
      let caller = try AuthenticatedCaller(request.headers, peer: peer, configuration)
      if caller.name == nil { try rejectForeignHost(request, configuration) }
      guard caller.scopes.contains(scope) else { throw .scopeMissing(scope) }
      return caller
    case .demo:
      let configuration = shared.dependencies().access
      if configuration.isKeyless { try rejectForeignHost(request, configuration) }
      return AuthenticatedCaller(anonymous: peer, request.headers, configuration)
    }
  }

  /// Throws if a request without a key names a host other than this machine.
  ///
  /// Otherwise a website could call a keyless service through its visitor's browser, by resolving its own name to
  /// 127.0.0.1 (DNS rebinding).
  private func rejectForeignHost(
    _ request: Request, _ configuration: ServeConfiguration
  ) throws(ProblemDetails) {
    guard configuration.proxies.isEmpty, let authority = request.head.authority else { return }
    guard authority.isLocalAuthority else {
      throw ProblemDetails(
        "misdirected", .misdirectedRequest, "The request names another host",
        detail: "a service without keys answers only to localhost and IP addresses")
    }
  }
}

extension String {
  /// Whether an authority is `localhost` or an IP address.
  fileprivate var isLocalAuthority: Bool {
    // RFC 9110, 4.2.3: hosts are case-insensitive.
    let name = lowercased()
    return ListenAddress(name) != nil || ListenAddress("\(name):80") != nil
  }
}
