internal import PabalCore

/// A URL that secrets may go to: HTTPS, or plain HTTP to this machine.
struct OAuthEndpoint: Sendable, Hashable, CustomStringConvertible {
  let description: String
  /// The host, lower-cased, without its port.
  let host: String

  /// The URL, or `nil` if secrets may not go there.
  init?(_ text: String) {
    guard let end = text.range(of: "://"), text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else { return nil }
    let scheme = text[..<end.lowerBound].lowercased()
    let rest = text[end.upperBound...]
    let authority = rest.prefix { !"/?#".contains($0) }
    guard !authority.isEmpty, !authority.contains("@"), !rest.contains("#") else { return nil }
    let host: Substring =
      if authority.hasPrefix("[") {
        authority.prefix { $0 != "]" } + (authority.contains("]") ? "]" : "")
      } else {
        authority.prefix { $0 != ":" }
      }
    self.host = host.lowercased()
    guard scheme == "https" || scheme == "http" && Self.isLoopback(self.host) else { return nil }
    description = text
  }

  private static func isLoopback(_ host: String) -> Bool {
    if host == "localhost" || host == "[::1]" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }

  /// The endpoint whose path ends in `name` where this one's ends in another word: Google's `/revoke`
  /// beside its `/token`.
  func sibling(_ name: String) -> OAuthEndpoint? {
    let path = description.prefix { $0 != "?" }
    guard let slash = path.lastIndex(of: "/") else { return nil }
    return OAuthEndpoint(path[...slash] + name)
  }

  /// The URL with `query` behind it.
  func with(_ query: URLEncodedForm) -> String {
    description + (description.contains("?") ? "&" : "?") + query.encoded
  }
}

extension String {
  fileprivate func range(of other: String) -> Range<String.Index>? {
    ranges(of: other).first
  }
}
