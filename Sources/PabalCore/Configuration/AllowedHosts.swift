/// `serve.hosts`: the host names by which callers without a key may address the service.
public struct AllowedHosts: Sendable, Hashable {
  private let names: Set<String>

  /// Any name.
  public init() { names = [] }

  private init(_ names: Set<String>) { self.names = names }

  /// Whether no names are listed.
  public var isEmpty: Bool { names.isEmpty }

  /// Whether the host of an authority, which may have a port, is listed.
  public func contains(_ authority: String) -> Bool {
    var host = authority[...]
    if let colon = host.lastIndex(of: ":"), host[host.index(after: colon)...].allSatisfy({ "0"..."9" ~= $0 })
    {
      host = host[..<colon]
    }
    if host.last == "." { host = host.dropLast() }
    // RFC 9110, 4.2.3: hosts are case-insensitive.
    return names.contains(host.lowercased())
  }

  static func read(_ value: FieldDecoder) -> AllowedHosts? {
    guard let elements = value.elements() else { return nil }
    return AllowedHosts(Set(elements.compactMap(name)))
  }

  private static func name(_ value: FieldDecoder) -> String? {
    guard let text = value.text() else { return nil }
    let name = (text.last == "." ? String(text.dropLast()) : text).lowercased()
    guard isName(name) else {
      value.report(
        "\(quoted(text)) is not a host name",
        remedy: "write it as browsers send it, without a scheme or a port, like \"shop.example.com\"")
      return nil
    }
    return name
  }

  /// Whether a text in lower case is a host name.
  static func isName(_ name: String) -> Bool {
    name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
      1...63 ~= label.utf8.count && label.first != "-" && label.last != "-"
        && label.utf8.allSatisfy {
          0x61...0x7A ~= $0 || 0x30...0x39 ~= $0 || $0 == 0x2D || $0 == 0x5F
        }
    } && name.utf8.count <= 253
  }
}
