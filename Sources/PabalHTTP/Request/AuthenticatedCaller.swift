internal import HTTPTypes
internal import PabalCore

/// The sender of a request.
struct AuthenticatedCaller: Sendable {
  /// The name of the client whose key came with the request; `nil` if it came without a key.
  let name: String?
  /// The IP address of a caller without a key.
  let address: String?

  private init(name: String?, address: String?) {
    self.name = name
    self.address = address
  }

  /// The caller of a route that anyone may call and that doesn't need to know its address.
  static let unidentified = AuthenticatedCaller(name: nil, address: nil)

  /// The caller of a route that anyone may call, known by its address.
  init(anonymous peer: String?, _ headers: HTTPFields, _ access: ServeConfiguration) {
    self.init(name: nil, address: AuthenticatedCaller.address(peer, headers, access))
  }

  /// Identifies the caller by its key. Throws 401 if the key is unknown, or missing on a service that requires one.
  init(_ headers: HTTPFields, peer: String?, _ access: ServeConfiguration) throws(ProblemDetails) {
    if let authorization = headers[.authorization] {
      guard let name = AuthenticatedCaller.key(authorization).flatMap(access.clients.name) else {
        throw AuthenticatedCaller.unauthorizedError("unknown key")
      }
      self.init(name: name, address: nil)
    } else if access.isKeyless {
      self.init(anonymous: peer, headers, access)
    } else {
      throw AuthenticatedCaller.unauthorizedError("send the key as Authorization: Bearer pabal_…")
    }
  }

  /// Returns what the limits per client count by: the `client.ip` that a client with a key claims, otherwise the
  /// caller's own address.
  func client(_ claimedClient: String?) -> String? { name == nil ? address : claimedClient }

  /// Returns the address of the client, which isn't `peer` if that is a trusted proxy.
  private static func address(
    _ peer: String?, _ headers: HTTPFields, _ access: ServeConfiguration
  ) -> String? {
    peer.map { access.proxies.client($0, forwarded: headers[values: .forwardedFor]) }
  }

  private static func key(_ authorization: String) -> String? {
    let components = authorization.split(separator: " ", maxSplits: 1)
    guard components.count == 2, components[0].lowercased() == "bearer" else { return nil }
    return String(components[1]).trimmed
  }

  private static func unauthorizedError(_ detail: String) -> ProblemDetails {
    var problem = ProblemDetails("unauthorized", .unauthorized, "No valid key", detail: detail)
    problem.headers[.wwwAuthenticate] = "Bearer realm=\"pabal\""
    return problem
  }
}
