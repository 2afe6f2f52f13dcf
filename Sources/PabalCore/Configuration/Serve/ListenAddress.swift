internal import Glibc

/// Where a service takes connections.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// The IP address, without brackets.
  public let host: String
  /// The port; 0 lets the system choose one.
  public let port: Int
  /// Whether only this machine reaches it (127.0.0.0/8, RFC 1122; ::1, RFC 4291).
  public let isLoopback: Bool

  /// Reads `127.0.0.1:8025`, `[::1]:8025` or `localhost:8025`; `nil` for anything else.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      0...65_535 ~= port, text.utf8.count <= 64, !text.utf8.contains(0)
    else { return nil }
    let name = text[..<colon]
    var host = name == "localhost" ? "127.0.0.1" : String(name)
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    var octets = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, host, &octets) == 1 {
      guard !name.hasPrefix("[") else { return nil }
      isLoopback = octets[0] == 127
    } else if name.hasPrefix("["), inet_pton(AF_INET6, host, &octets) == 1 {
      isLoopback = octets.dropLast().allSatisfy { $0 == 0 } && octets[15] == 1
    } else {
      return nil
    }
    self.host = host
    self.port = port
  }

  /// As it is written in `config.json`.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  static func read(_ value: FieldDecoder) -> ListenAddress? {
    guard let text = value.text() else { return nil }
    guard let address = ListenAddress(text) else {
      value.report(
        "\(quoted(text)) is no address to listen on",
        remedy: "write an IP address and a port as in \"127.0.0.1:8025\" or \"[::1]:8025\"")
      return nil
    }
    return address
  }
}
