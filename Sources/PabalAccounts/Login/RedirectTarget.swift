internal import PabalCore

/// The address that the browser comes back to.
struct RedirectTarget {
  let host: String
  let path: String
  /// `nil`: any free one.
  let port: UInt16?

  /// For an installed client the one wanted; for a web client one of those that it has registered.
  init(_ client: OAuthClient, host: String, port: UInt16?) throws(TokenError) {
    guard let registered = client.redirects else {
      (self.host, path, self.port) = (host, "", port)
      return
    }
    let targets = registered.compactMap(RedirectTarget.init(registered:))
    // Ports below are root's.
    guard let first = targets.first(where: { $0.port ?? 0 > 1023 }) ?? targets.first else {
      throw TokenError(
        .setUp,
        "the OAuth client is one for web servers, and no address of this machine is registered for it",
        remedy: "make a desktop client, or register http://127.0.0.1:8765 and name it with --port",
        step: .client)
    }
    guard let port else {
      self = first
      return
    }
    guard let match = targets.first(where: { $0.port == port }) else {
      throw TokenError(
        .setUp, "the OAuth client is one for web servers, and port \(port) isn't registered for it",
        remedy: "use --port \(first.port ?? 80), or make a desktop client", step: .client, errorKind: .usage)
    }
    self = match
  }

  /// What to do where a web client's users can't come back to port `excluding`; `nil` for an installed client, which
  /// may choose any.
  static func advice(_ client: OAuthClient, excluding: UInt16) -> String? {
    guard let registered = client.redirects else { return nil }
    let ports = registered.compactMap(RedirectTarget.init(registered:)).compactMap(\.port)
    if let other = ports.first(where: { $0 != excluding && $0 > 1023 }) {
      return "use --port \(other), which is registered too, or make a desktop client"
    }
    let free = excluding == 8765 ? 8766 : 8765
    return (excluding > 1023 ? "end that program, or " : "")
      + "register http://127.0.0.1:\(free) for the client and name it with --port \(free), or make a desktop client"
  }

  private init?(registered address: String) {
    guard let endpoint = OAuthEndpoint(address), address.hasPrefix("http://") else { return nil }
    let rest = address.dropFirst(7)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let number = authority.split(separator: ":").last.flatMap { UInt16($0) }
    (host, path, port) = (endpoint.host, String(rest.dropFirst(authority.count)), number ?? 80)
  }

  func address(port bound: UInt16) -> String {
    // Byte for byte what is registered: port 80 goes without saying.
    bound == 80 ? "http://\(host)\(path)" : "http://\(host):\(bound)\(path)"
  }
}
