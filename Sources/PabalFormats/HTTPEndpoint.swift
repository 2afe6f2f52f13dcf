/// Why a text is not the URL of an endpoint that secrets may be sent to.
public enum HTTPEndpointError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A space, a control character, a backslash or something outside ASCII.
  case invalidCharacter
  /// A scheme other than `https` and `http`, or none.
  case unsupportedScheme
  /// A user, a fragment, or a query where none is accepted.
  case unexpectedComponent
  /// No host, or brackets that are not closed or hold something other than an IPv6 address.
  case missingHost
  /// Something after the colon that is not a port, 1 to 65535.
  case invalidPort
  /// `http` to another machine.
  case notEncrypted

  /// What is wrong, without a subject: `is http, which is only for this machine; use https`.
  public var description: String {
    switch self {
    case .invalidCharacter: "holds a blank or a character that no URL has"
    case .unsupportedScheme: "begins with neither https:// nor http://"
    case .unexpectedComponent: "holds a user, a query or a fragment; give scheme, host and port only"
    case .missingHost: "has no host"
    case .invalidPort: "has no port after the colon"
    case .notEncrypted: "is http, which is only for this machine; use https"
    }
  }
}

/// The URL of an HTTP service that secrets may be sent to: `https`, or `http` to this machine (RFC 3986).
///
/// It has no user and no fragment. Characters are those of ASCII from `!` to `~`, without the backslash,
/// which some readers of URLs take for a slash.
public struct HTTPEndpoint: Sendable, Hashable, CustomStringConvertible {
  /// How the connection is made.
  public enum Scheme: String, Sendable, Hashable {
    case https
    case http
  }

  /// Whether a URL may have a query.
  public enum Query: Sendable, Hashable {
    /// It may.
    case accepted
    /// It may not, nor an `@` anywhere, because paths are appended to it.
    case refused
  }

  /// The URL as written.
  public let description: String
  /// The scheme.
  public let scheme: Scheme
  /// The host and perhaps a port, as written.
  public let authority: String
  /// The host in lower case, without a port; an IPv6 address without its brackets.
  public let host: String
  /// The port if one is written, 1 to 65535.
  public let port: UInt16?
  /// The path as written, from its first slash; may be empty.
  public let path: String
  /// The query without its question mark, if there is one.
  public let query: String?

  /// Reads a URL.
  public init(_ text: String, query: Query = .accepted) throws(HTTPEndpointError) {
    guard text.utf8.allSatisfy({ 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "\\") }) else {
      throw .invalidCharacter
    }
    let (name, rest) = split(text[...], before: ":")
    guard let scheme = Scheme(rawValue: name.lowercased()), rest.hasPrefix("://") else {
      throw .unsupportedScheme
    }
    let hierarchy = rest.dropFirst(3)
    let (authority, target) = split(hierarchy, before: "/", "?", "#")
    guard !authority.utf8.contains(UInt8(ascii: "@")), !hierarchy.utf8.contains(UInt8(ascii: "#")) else {
      throw .unexpectedComponent
    }
    if query == .refused, target.utf8.contains(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "@") })
    {
      throw .unexpectedComponent
    }
    let (host, port) = try splitPort(authority)
    guard scheme == .https || LoopbackHost.matches(host) else { throw .notEncrypted }
    let (path, question) = split(target, before: "?")
    description = text
    self.scheme = scheme
    self.authority = String(authority)
    self.host = host.lowercased()
    self.port = port
    self.path = String(path)
    self.query = question.isEmpty ? nil : String(question.dropFirst())
  }

  /// Whether the connection is encrypted.
  public var isEncrypted: Bool { scheme == .https }

  /// The host as a URL or a `Host` field has it: an IPv6 address in brackets.
  public var bracketedHost: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host }

  /// Scheme and authority with a slash: `https://example.com:8443/`.
  public var origin: String { "\(scheme.rawValue)://\(authority)/" }

  /// Path and query as written; may be empty.
  public var pathAndQuery: String { path + (query.map { "?" + $0 } ?? "") }
}

/// Names and addresses of this machine's loopback interface.
///
/// Names are never resolved, because a resolver's answer can change after the check: `localhost` is the only
/// name of this machine. libcurl gives it no other address, as RFC 6761, section 6.3, advises.
public enum LoopbackHost {
  /// Whether a host is `localhost`, `::1`, or four decimal numbers of which the first is 127 (RFC 1122,
  /// section 3.2.1.3).
  ///
  /// Every other form is refused, since not all programs read it alike: fewer numbers, signs, leading zeros
  /// (octal to some), hexadecimal, IPv4 in IPv6, other spellings of `::1`, zones, a dot at the end.
  public static func matches(_ host: String) -> Bool {
    matches(host[...])
  }

  /// Whether a host, a host and port, or a URL of any scheme leads to this machine.
  ///
  /// An IPv6 address may be in brackets, and must be before a port. A URL with a user or a backslash does not
  /// match, because programs disagree about where its host begins.
  public static func matches(destination: String) -> Bool {
    var authority = destination[...]
    if let colon = destination.firstRange(of: "://") {
      let scheme = destination[..<colon.lowerBound]
      guard let first = scheme.utf8.first, first.isASCIILetter,
        scheme.utf8.allSatisfy({ $0.isASCIILetter || $0.isASCIIDigit || "+-.".utf8.contains($0) })
      else { return false }
      authority = split(destination[colon.upperBound...], before: "/", "?", "#").0
    }
    if matches(authority) { return true }
    guard let (host, _) = try? splitPort(authority) else { return false }
    return matches(host)
  }

  fileprivate static func matches(_ host: Substring) -> Bool {
    if host.utf8.elementsEqual("::1".utf8) { return true }
    if host.utf8.elementsEqual("localhost".utf8, by: { $0 | ($0.isASCIILetter ? 0x20 : 0) == $1 }) {
      return true
    }
    let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
    return numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy(isByte)
  }

  /// Whether `text` is 0 to 255 in decimal digits without a leading zero. `UInt8(_:)` would accept a sign.
  private static func isByte(_ text: Substring) -> Bool {
    let digits = text.utf8
    return 1...3 ~= digits.count && digits.allSatisfy(\.isASCIIDigit) && UInt8(text) != nil
      && (digits.count == 1 || digits.first != UInt8(ascii: "0"))
  }
}

/// The text before the first of some ASCII characters, and the rest from it on.
private func split(_ text: Substring, before ends: Unicode.Scalar...) -> (Substring, Substring) {
  let end =
    text.utf8.firstIndex { byte in ends.contains { UInt8(ascii: $0) == byte } } ?? text.endIndex
  return (text[..<end], text[end...])
}

/// The host without its brackets, and the port; neither is empty.
private func splitPort(_ authority: Substring) throws(HTTPEndpointError) -> (Substring, UInt16?) {
  var (host, rest) = split(authority, before: ":")
  if authority.utf8.first == UInt8(ascii: "[") {
    (host, rest) = split(authority.dropFirst(), before: "]")
    guard !rest.isEmpty, isIPv6Address(host) else { throw .missingHost }
    rest = rest.dropFirst()
    guard rest.isEmpty || rest.utf8.first == UInt8(ascii: ":") else { throw .missingHost }
  }
  guard !host.isEmpty else { throw .missingHost }
  guard !rest.isEmpty else { return (host, nil) }
  let digits = rest.dropFirst()
  guard digits.utf8.allSatisfy(\.isASCIIDigit), let port = UInt16(digits), port > 0 else {
    throw .invalidPort
  }
  return (host, port)
}

/// Whether `text` has the characters of an IPv6 address, perhaps with a zone. Nothing else may be in brackets
/// (RFC 3986, section 3.2.2).
private func isIPv6Address(_ text: Substring) -> Bool {
  let address = split(text, before: "%").0
  return address.utf8.contains(UInt8(ascii: ":"))
    && address.utf8.allSatisfy {
      Hexadecimal.value(ofDigit: $0) != nil || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".")
    }
}

extension UInt8 {
  fileprivate var isASCIIDigit: Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= self }
  fileprivate var isASCIILetter: Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= self | 0x20 }
}
