internal import HTTPTypes
internal import Hummingbird
internal import PabalCore
internal import Synchronization

extension SharedState {
  /// Returns the caller of the API. Throws if it has no valid key and the service requires one, or if a request without a
  /// key came by a way on which its sender isn't known.
  func caller(of request: Request, peer: String?) throws(ProblemDetails) -> AuthenticatedCaller {
    let configuration = dependencies().access
    let caller = try AuthenticatedCaller(request.headers, peer: peer, configuration)
    if caller.name == nil { try rejectUnexpectedRoute(of: request, peer: peer, configuration) }
    return caller
  }

  /// Throws if a request without a key names a host that isn't the service's, or passed a proxy that isn't listed.
  func rejectUnexpectedRoute(
    of request: Request, peer: String?, _ configuration: ServeConfiguration
  ) throws(ProblemDetails) {
    try rejectForeignHost(request, configuration)
    try rejectUnlistedProxy(request, peer: peer, configuration)
  }

  /// Otherwise a website could call a keyless service through its visitor's browser, by resolving its own name to
  /// 127.0.0.1 (DNS rebinding).
  private func rejectForeignHost(
    _ request: Request, _ configuration: ServeConfiguration
  ) throws(ProblemDetails) {
    let hosts = configuration.hosts
    guard configuration.isKeyless && configuration.proxies.isEmpty || !hosts.isEmpty,
      let authority = request.head.authority
    else { return }
    guard authority.isLocalAuthority || hosts.contains(authority) else {
      throw ProblemDetails(
        "misdirected", .misdirectedRequest, "The request names another host",
        detail: hosts.isEmpty
          ? "a service without keys answers only to localhost and IP addresses, and to the names in serve.hosts"
          : "the host isn't listed in serve.hosts")
    }
  }

  /// Otherwise a reverse proxy on this machine would open a keyless service to everyone who can reach the proxy, and all of
  /// them would count as one client.
  private func rejectUnlistedProxy(
    _ request: Request, peer: String?, _ configuration: ServeConfiguration
  ) throws(ProblemDetails) {
    guard configuration.isKeyless, let field = request.headers.forwardingField,
      !(peer.map(configuration.proxies.trusts) ?? false)
    else { return }
    warnings.report(.unlistedProxy(field: field))
    throw ProblemDetails(
      "unlisted-proxy", .forbidden, "The request passed a proxy that isn't listed",
      detail:
        "it has the header field \(field); if the service may be called through this proxy without a key, add"
        + " the proxy's address to serve.proxies, like \"proxies\": [\"127.0.0.1\"]; otherwise remove"
        + " serve.keyless and give each caller a key")
  }
}

extension HTTPFields {
  /// Fields that only proxies and content delivery networks add, besides those that begin with `X-Forwarded`.
  private static let forwardingFields: Set<String> = [
    "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for",
    "x-envoy-external-address", "x-arr-log-id", "x-azure-clientip", "cf-connecting-ip", "true-client-ip",
    "fastly-client-ip", "cdn-loop",
  ]

  /// The name of the first field that shows that the request passed a proxy; `nil` if there is none.
  var forwardingField: String? {
    first {
      let name = $0.name.canonicalName
      return name.hasPrefix("x-forwarded") || HTTPFields.forwardingFields.contains(name)
    }?.name.rawName
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

/// What is likely wrong in the set-up of a proxy; each kind is reported once.
final class ProxyWarnings: Sendable {
  enum Warning: Sendable, Hashable {
    case unlistedProxy(field: String)
    case forwarding(TrustedProxies.Client.Problem, peer: String?)

    fileprivate var kind: String {
      switch self {
      case .unlistedProxy: "unlisted"
      case .forwarding(.missing, _): "missing"
      case .forwarding(.unreadable, _): "unreadable"
      }
    }

    fileprivate var text: String {
      switch self {
      case .unlistedProxy(let field):
        "refused a request with the header field \(field): it passed a proxy that serve.proxies doesn't list;"
          + " add the proxy's address there, or give each caller a key"
      case .forwarding(.missing, let peer):
        "requests from the proxy \(peer ?? "") have no X-Forwarded-For, so all its clients count as one;"
          + " have the proxy send their addresses in X-Forwarded-For"
      case .forwarding(.unreadable, let peer):
        "X-Forwarded-For from the proxy \(peer ?? "") has an element that isn't an IP address, so such clients count as"
          + " one; have the proxy append the address of its peer"
      }
    }
  }

  private let reported = Mutex<Set<String>>([])
  private let out: @Sendable (HTTPEvent) -> Void

  init(_ out: @escaping @Sendable (HTTPEvent) -> Void) { self.out = out }

  func report(_ warning: Warning) {
    guard reported.withLock({ $0.insert(warning.kind).inserted }) else { return }
    out(.warning(warning.text))
  }
}
