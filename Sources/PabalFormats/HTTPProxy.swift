internal import Glibc

/// Why a text is not the address of an HTTP proxy. No case holds a part of the text, which may have a password.
public enum HTTPProxyError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A scheme other than `http`, or none.
  case unsupportedScheme
  /// A space, a control character, a backslash or something outside ASCII, or a `%` without two hexadecimal digits.
  case invalidCharacter
  /// No host, or no port from 1 to 65535.
  case missingHostOrPort
  /// A path, a query or a fragment.
  case unexpectedComponent

  /// What is wrong, without a subject, and what to do.
  public var description: String {
    switch self {
    case .unsupportedScheme:
      "is not an HTTP proxy; write it like http://proxy.example.com:3128, with http:// also for proxies of https"
    case .invalidCharacter:
      "holds a character that no URL has; write special characters of the user and the password as %40 for @, %3A for : and so on"
    case .missingHostOrPort: "needs a host and a port; write it like http://proxy.example.com:3128"
    case .unexpectedComponent: "has something after the port; write it like http://proxy.example.com:3128"
    }
  }
}

/// An HTTP proxy that opens connections to servers by CONNECT (RFC 9110, section 9.3.6).
///
/// Its text is `http://[user:password@]host:port`. The description leaves out the user and the password.
public struct HTTPProxy: Sendable, Hashable, CustomStringConvertible {
  /// The host, without the brackets of an IPv6 address.
  public let host: String
  /// The port.
  public let port: UInt16
  /// The user for the proxy, if there is one.
  public let user: String?
  /// The password for the proxy, if there is one.
  public let password: String?

  /// Reads the text of a setting `proxy`. A slash at its end is allowed, because environment variables often have one.
  public init(_ text: String) throws(HTTPProxyError) {
    guard text.utf8.allSatisfy({ 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "\\") }) else {
      throw .invalidCharacter
    }
    guard text.prefix(7).lowercased() == "http://" else { throw .unsupportedScheme }
    var rest = text.dropFirst(7)
    var login: Substring?
    // The last @, because a password may contain one that isn't encoded.
    if let at = rest.lastIndex(of: "@") {
      login = rest[..<at]
      rest = rest[rest.index(after: at)...]
    }
    if rest.last == "/" { rest.removeLast() }
    guard !rest.contains(where: { "/?#".contains($0) }) else { throw .unexpectedComponent }
    guard let endpoint = try? HTTPEndpoint("https://\(rest)/"), let port = endpoint.port else {
      throw .missingHostOrPort
    }
    host = endpoint.host
    self.port = port
    guard let login, !login.isEmpty else {
      (user, password) = (nil, nil)
      return
    }
    let parts = login.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    user = try Self.decoded(parts[0])
    password = parts.count > 1 ? try Self.decoded(parts[1]) : nil
  }

  private static func decoded(_ text: Substring) throws(HTTPProxyError) -> String {
    let encoded = Array(text.utf8)
    guard let bytes = try? PercentEncoding.decode(encoded.span), !bytes.contains(where: { $0 < 0x20 }),
      let decoded = String(validating: bytes, as: UTF8.self)
    else { throw .invalidCharacter }
    return decoded
  }

  /// `http://host:port`.
  public var description: String { "http://\(bracketedHost):\(port)" }

  /// The host as a URL has it: an IPv6 address in brackets.
  public var bracketedHost: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host }

  /// Whether connections to `host` go through the proxy: all but those to this machine, because the proxy's loopback
  /// interface is another one.
  public func applies(to host: String) -> Bool { !LoopbackHost.matches(host) }
}

/// The variables by which other programs are given a proxy. Pabal never uses their values.
public enum ProxyEnvironment {
  /// The variables, in the order in which a hint names the first that is set.
  public static let names = [
    "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY",
  ]

  /// Returns a clause for the error of a failed connection to `host` without a proxy, if one of the variables is set:
  /// the setting to use, `setting`, instead of the variable. `nil` if none is set, or if `host` is this machine.
  public static func hint(connectingTo host: String, setting: String) -> String? {
    hint(connectingTo: host, setting: setting) { getenv($0).map { String(cString: $0) } }
  }

  static func hint(
    connectingTo host: String, setting: String, environment: (String) -> String?
  ) -> String? {
    guard !LoopbackHost.matches(host),
      let name = names.first(where: { environment($0)?.isEmpty == false })
    else { return nil }
    return "\(name) is set, but Pabal uses only the proxy in its configuration: set \(setting)"
  }
}
