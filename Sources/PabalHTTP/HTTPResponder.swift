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
struct Responder: HTTPResponder {
  let endpoints: Endpoints
  let report: @Sendable (HTTPEvent) -> Void

  func respond(to request: Request, context: HTTPContext) async throws -> Response {
    let began = ContinuousClock.now
    let path = request.uri.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(
      String.init)
    var place = Endpoint(path)
    if case .demo = place, endpoints.parts().demo == nil { place = nil }
    var caller: Caller?
    var response: Response
    do throws(HTTPProblem) {
      if let broken = BrokenRequest(request.head) { throw broken.problem }
      guard let place else { throw .noSuchPath }
      guard place.methods.contains(request.method) else { throw .noSuchMethod(place.methods) }
      if place.needsCaller {
        let access = endpoints.parts().access
        caller = try Caller(request.headers, peer: context.peer, access)
        if caller?.name == nil { try refuseForeignHost(request, access) }
      } else if case .demo = place, case let access = endpoints.parts().access, access.isKeyless {
        try refuseForeignHost(request, access)
      }
      response = try await endpoints.answer(place, request, caller, peer: context.peer)
    } catch {
      response = error.response
    }
    if request.method == .head { response = response.createHeadResponse() }
    report(
      .answered(
        route: place?.route ?? "-", method: request.method.rawValue, status: response.status.code,
        client: caller?.name, took: .now - began))
    return response
  }

  /// A page of somebody else's that a browser here was led to may not call under a name that leads to this machine.
  private func refuseForeignHost(_ request: Request, _ access: ServeConfiguration) throws(HTTPProblem) {
    guard access.proxies.isEmpty, let authority = request.head.authority else { return }
    guard authority.isHere else {
      throw HTTPProblem(
        "misdirected", .misdirectedRequest, "The request names another host",
        detail: "a service without keys answers to localhost and IP addresses alone")
    }
  }
}

extension String {
  /// Whether an authority is `localhost` or an IP address.
  fileprivate var isHere: Bool {
    // RFC 9110, 4.2.3: a host is the same in capitals.
    let name = lowercased()
    return ListenAddress(name) != nil || ListenAddress("\(name):80") != nil
  }
}
