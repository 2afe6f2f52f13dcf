internal import HTTPTypes
internal import PabalCore

/// The sender of a request.
struct AuthenticatedCaller: Sendable {
  /// The name of the client whose key came with the request; `nil` if it came without a key.
  let name: String?
  /// The IP address of a caller without a key; `nil` for an app on this machine, whose address says nothing about the
  /// people it acts for.
  let address: String?
  /// What it may do.
  let scopes: Set<APIScope>
  /// How many mails it may queue; empty: any number.
  let rate: [RateLimit]

  private init(address: String?) {
    name = nil
    self.address = address
    scopes = Set(APIScope.allCases)
    rate = []
  }

  private init(_ client: APIClient) {
    name = client.name
    address = nil
    scopes = client.scopes
    rate = client.rate
  }

  /// The owner of the records that it makes.
  var owner: Caller { name.map(Caller.client) ?? .keyless }

  /// The caller of a route that anyone may call and that doesn't need to know its address.
  static let unidentified = AuthenticatedCaller(address: nil)

  /// The caller of a route that anyone may call, known by its address.
  init(anonymous peer: String?, _ headers: HTTPFields, _ access: ServeConfiguration) {
    self.init(address: AuthenticatedCaller.address(peer, headers, access))
  }

  /// Identifies the caller by its key. Throws 401 if the key is unknown, or missing on a service that requires one.
  init(_ headers: HTTPFields, peer: String?, _ access: ServeConfiguration) throws(ProblemDetails) {
    if let authorization = headers[.authorization] {
      guard let client = AuthenticatedCaller.key(authorization).flatMap(access.clients.client) else {
        throw AuthenticatedCaller.unauthorizedError("unknown key")
      }
      self.init(client)
    } else if access.isKeyless {
      // A caller without a key on this machine is an app, unless a proxy passed the request on.
      let isApp = peer.map { ClientAddress($0)?.isLoopback ?? false } ?? true
      if isApp, !AuthenticatedCaller.isForwarded(headers) {
        self.init(address: nil)
      } else {
        self.init(anonymous: peer, headers, access)
      }
    } else {
      throw AuthenticatedCaller.unauthorizedError("send the key as Authorization: Bearer pabal_…")
    }
  }

  /// Returns what the limits per client count by: the address of a person whose request reached the service without a
  /// key, and otherwise the `client.ip` that the app passes, if it passes one.
  func client(_ claimedClient: String?) -> String? { address ?? claimedClient }

  /// Whether a proxy passed the request on.
  private static func isForwarded(_ headers: HTTPFields) -> Bool {
    [.forwardedFor, .forwarded, .via, .realAddress].contains { headers.contains($0) }
  }

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
