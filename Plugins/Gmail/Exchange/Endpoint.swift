/// The beginning of every URL: scheme, host, port and perhaps a path.
struct GmailEndpoint: Sendable, Equatable {
  /// Why a text is no endpoint.
  struct ParsingError: Error, Equatable { let message: String }

  /// Scheme, host and port.
  let url: String
  /// What comes before the API's own paths; empty, or beginning with a slash.
  let path: String
  /// `host:port` as written.
  let name: String
  let isSecure: Bool

  init(_ text: String) throws(ParsingError) {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
      throw ParsingError(message: "holds a blank or a character that no URL has")
    }
    let scheme = text.prefix { $0 != ":" }.lowercased()
    guard scheme == "https" || scheme == "http", text.dropFirst(scheme.count).hasPrefix("://") else {
      throw ParsingError(message: "begins with neither https:// nor http://")
    }
    let rest = text.dropFirst(scheme.count + 3)
    guard !rest.contains(where: { "?#@".contains($0) }) else {
      throw ParsingError(message: "holds a user, a query or a fragment; give scheme, host and port only")
    }
    let authority = rest.prefix { $0 != "/" }
    let host = try Self.host(of: authority)
    isSecure = scheme == "https"
    // A token would cross the network readable for anybody.
    guard isSecure || Self.isLoopback(host) else {
      throw ParsingError(message: "is http, which is only for this machine; use https")
    }
    var path = rest.dropFirst(authority.count)
    while path.last == "/" { path.removeLast() }
    url = "\(scheme)://\(authority)/"
    self.path = String(path)
    name = String(authority)
  }

  private static func host(of authority: Substring) throws(ParsingError) -> String {
    var host = authority
    var port: Substring?
    if host.first == "[", let end = host.firstIndex(of: "]") {
      let after = host[host.index(after: end)...]
      guard after.isEmpty || after.first == ":" else { throw ParsingError(message: "has no host") }
      if !after.isEmpty { port = after.dropFirst() }
      host = host[host.index(after: host.startIndex)..<end]
    } else if let colon = host.firstIndex(of: ":") {
      port = host[host.index(after: colon)...]
      host = host[..<colon]
    }
    guard !host.isEmpty else { throw ParsingError(message: "has no host") }
    if let port {
      guard let number = UInt16(port), number > 0, port.first != "+" else {
        throw ParsingError(message: "has no port after the colon")
      }
    }
    return String(host)
  }

  /// Whether the host is this machine by its very name: libcurl gives `localhost` no other address.
  private static func isLoopback(_ host: String) -> Bool {
    let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
    let isFour = numbers.count == 4 && numbers.allSatisfy(isOctet) && numbers[0] == "127"
    return isFour || host == "::1" || host.lowercased() == "localhost"
  }

  // UInt8 would also read a sign, and libcurl a number that begins with 0 as octal or as a name.
  private static func isOctet(_ text: Substring) -> Bool {
    UInt8(text) != nil && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
      && (text.utf8.count == 1 || text.first != "0")
  }
}
