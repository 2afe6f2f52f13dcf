internal import PabalFormats

extension HTTPEndpoint {
  /// The endpoint with the last segment of the path replaced by `name`: Google's `/revoke` beside its
  /// `/token`.
  func sibling(_ name: String) -> HTTPEndpoint? {
    let path = description.prefix { $0 != "?" }
    guard let slash = path.lastIndex(of: "/") else { return nil }
    return try? HTTPEndpoint(path[...slash] + name)
  }

  /// The URL with `query` added.
  func with(_ query: URLEncodedForm) -> String {
    description + (description.contains("?") ? "&" : "?") + query.encoded
  }
}
