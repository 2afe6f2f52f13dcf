internal import HTTPTypes
internal import PabalCore

/// The sender of a request.
struct AuthenticatedCaller: Sendable {
  /// The name of the client whose key came with the request; `nil` if it came without a key.
  let name: String?
  /// The IP address of a caller without a key; `nil` for an app on this machine, whose address says nothing about the
  /// people it acts for.
  let address: String?
  /// Why `address` is that of a proxy and not that of the caller.
  let proxyProblem: TrustedProxies.Client.Problem?
  /// What it may do.
  let scopes: Set<APIScope>
  /// How many mails it may queue; empty: any number.
  let rate: [RateLimit]
  /// What finished mails it may queue.
  let senderRules: SenderRules

  private init(address: String?, proxyProblem: TrustedProxies.Client.Problem? = nil) {
    name = nil
    self.address = address
    self.proxyProblem = proxyProblem
    // A request that a proxy passed on without a key comes from anyone: it may verify an address, not send other mail.
    scopes = address == nil ? APIScope.standard : [.verify]
    rate = []
    senderRules = SenderRules()
  }

  private init(_ client: APIClient) {
    name = client.name
    address = nil
    proxyProblem = nil
    scopes = client.scopes
    rate = client.rate
    senderRules = client.senderRules
  }

  /// Whether it finds the mail of all submitters, not only its own.
  var seesAllMail: Bool { scopes.contains(.history) }

  /// The owner of the records that it makes.
  var owner: Caller { name.map(Caller.client) ?? .keyless }

  /// The caller of a route that anyone may call and that doesn't need to know its address.
  static let unidentified = AuthenticatedCaller(address: nil)

  /// The caller of a route that anyone may call, known by its address.
  init(anonymous peer: String?, _ headers: HTTPFields, _ access: ServeConfiguration) {
    let client = peer.map { access.proxies.client($0, forwarded: headers[values: .forwardedFor]) }
    self.init(address: client?.address, proxyProblem: client?.problem)
  }

  /// Identifies the caller by its key. Throws 401 if the key is unknown, or missing on a service that requires one.
  init(_ headers: HTTPFields, peer: String?, _ access: ServeConfiguration) throws(ProblemDetails) {
    if let authorization = headers[.authorization] {
      guard let key = AuthenticatedCaller.key(authorization) else {
        throw AuthenticatedCaller.unauthorizedError(AuthenticatedCaller.schemeProblem(authorization))
      }
      guard let client = access.clients.client(withKey: key) else {
        throw AuthenticatedCaller.unauthorizedError("unknown key")
      }
      self.init(client)
    } else if access.isKeyless {
      // A caller without a key on this machine is an app, unless a proxy passed the request on.
      let isApp = peer.map { ClientAddress($0)?.isLoopback ?? false } ?? true
      if isApp, headers.forwardingField == nil {
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

  private static func key(_ authorization: String) -> String? {
    let components = authorization.split(separator: " ", maxSplits: 1)
    guard components.count == 2, components[0].lowercased() == "bearer" else { return nil }
    return String(components[1]).trimmed
  }

  /// Returns what is wrong with a value of `Authorization` that isn't a bearer token.
  private static func schemeProblem(_ authorization: String) -> String {
    let scheme = authorization.prefix { $0 != " " }
    return scheme.lowercased() == "bearer" || authorization.trimmed.isEmpty
      ? "Authorization has no key; send Authorization: Bearer pabal_…"
      : "Authorization has no scheme \"Bearer\" before the key; send Authorization: Bearer pabal_…"
  }

  private static func unauthorizedError(_ detail: String) -> ProblemDetails {
    var problem = ProblemDetails("unauthorized", .unauthorized, "No valid key", detail: detail)
    problem.headers[.wwwAuthenticate] = "Bearer realm=\"pabal\""
    return problem
  }
}
