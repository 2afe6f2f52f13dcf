internal import HTTPTypes
internal import PabalCore

/// Whoever sent a request.
struct AuthenticatedCaller: Sendable {
  /// The client whose key came with it; `nil` on a service that takes callers without one.
  let name: String?
  /// Where a caller without a key calls from.
  let address: String?

  /// The caller of a request that came from `peer`, or a refusal.
  init(_ headers: HTTPFields, peer: String?, _ access: ServeConfiguration) throws(ProblemDetails) {
    if let authorization = headers[.authorization] {
      guard let name = AuthenticatedCaller.key(authorization).flatMap(access.clients.name) else {
        throw AuthenticatedCaller.unauthorizedError("the key is not known here")
      }
      self.name = name
      address = nil
    } else if access.isKeyless {
      name = nil
      address = AuthenticatedCaller.address(peer, headers, access)
    } else {
      throw AuthenticatedCaller.unauthorizedError("send the key as Authorization: Bearer pabal_…")
    }
  }

  /// Where a request came from that `peer` handed over.
  static func address(_ peer: String?, _ headers: HTTPFields, _ access: ServeConfiguration) -> String? {
    peer.map { access.proxies.client($0, forwarded: headers[values: .forwardedFor]) }
  }

  /// What limits by client count: what a caller with a key says, and else where the request came from.
  func client(_ claimedClient: String?) -> String? { name == nil ? address : claimedClient }

  private static func key(_ authorization: String) -> String? {
    let components = authorization.split(separator: " ", maxSplits: 1)
    guard components.count == 2, components[0].lowercased() == "bearer" else { return nil }
    return String(components[1]).trimmed
  }

  private static func unauthorizedError(_ detail: String) -> ProblemDetails {
    var problem = ProblemDetails(
      "unauthorized", .unauthorized, "The request has no valid key", detail: detail)
    problem.headers[.wwwAuthenticate] = "Bearer realm=\"pabal\""
    return problem
  }
}
