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
