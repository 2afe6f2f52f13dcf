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
  private var table: HTTPRouteTable { shared.table }

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
    let caller: AuthenticatedCaller
    switch access {
    case .open: return .unidentified
    case .client(let scope):
      caller = try shared.caller(of: request, peer: peer)
      guard caller.scopes.contains(scope) else {
        throw caller.address == nil ? .scopeMissing(scope) : .keyNeeded
      }
    case .demo:
      let configuration = shared.dependencies().access
      try shared.rejectUnexpectedRoute(of: request, peer: peer, configuration)
      caller = AuthenticatedCaller(anonymous: peer, request.headers, configuration)
    }
    if let problem = caller.proxyProblem { shared.warnings.report(.forwarding(problem, peer: peer)) }
    return caller
  }
}
