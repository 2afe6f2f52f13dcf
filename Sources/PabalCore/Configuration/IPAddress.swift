internal import Glibc

/// An IP address. An IPv4-mapped IPv6 address is the IPv4 address (RFC 4291, 2.5.5.2).
package struct IPAddress: Sendable, Hashable, CustomStringConvertible {
  /// Four or sixteen bytes.
  package let bytes: [UInt8]

  /// An address of four or sixteen bytes.
  init(bytes: [UInt8]) { self.bytes = bytes }

  /// Parses `192.0.2.1` or `2001:db8::1`, optionally with a zone, which is dropped; `nil` for anything else.
  package init?(_ text: some StringProtocol) {
    guard text.utf8.count <= 64, !text.utf8.contains(0) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, String(text), &bytes) == 1 {
      self.bytes = Array(bytes[..<4])
      return
    }
    guard inet_pton(AF_INET6, String(text.prefix { $0 != "%" }), &bytes) == 1 else { return nil }
    let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    self.bytes = isMapped ? Array(bytes[12...]) : bytes
  }

  /// Parses one element of `X-Forwarded-For` as proxies write it: an address with or without a port, an IPv6 address with
  /// or without brackets or a zone, in quotes or not, or an element of `Forwarded` (RFC 7239) with `for=`.
  package init?(forwarded text: some StringProtocol) {
    guard text.utf8.count <= 256 else { return nil }
    var rest = String(text).trimmed
    for pair in rest.split(separator: ";") {
      let pair = String(pair).trimmed
      if pair.lowercased().hasPrefix("for=") { rest = String(pair.dropFirst(4)).trimmed }
    }
    if rest.count > 1, rest.first == "\"", rest.last == "\"" {
      rest = String(rest.dropFirst().dropLast()).trimmed
    }
    var address = rest[...]
    if rest.first == "[" {
      guard let end = rest.lastIndex(of: "]") else { return nil }
      address = rest[rest.index(after: rest.startIndex)..<end]
      let port = rest[rest.index(after: end)...]
      guard address.contains(":"), port.isEmpty || IPAddress.isPort(port) else { return nil }
    } else if let colon = rest.lastIndex(of: ":"), rest.contains(".") {
      // Azure and IIS append the port to an IPv4 address.
      let end = rest[colon...]
      if IPAddress.isPort(end), IPAddress(rest[..<colon]) != nil { address = rest[..<colon] }
    }
    self.init(address)
  }

  /// Whether `text` is a colon and a port, which may be obfuscated (RFC 7239, 6.3).
  private static func isPort(_ text: Substring) -> Bool {
    let port = text.dropFirst()
    guard text.first == ":", !port.isEmpty, port.utf8.count <= 32 else { return false }
    if port.first == "_" { return true }
    return port.utf8.count <= 5 && port.utf8.allSatisfy { 0x30...0x39 ~= $0 }
  }

  /// Whether it is an address of this machine (127.0.0.0/8, RFC 1122; ::1, RFC 4291).
  package var isLoopback: Bool {
    bytes.count == 4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
  }

  /// The address in its usual form.
  package var description: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    _ = inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Equal for addresses that usually belong to one client: the IPv4 address, or the first 64 bits of an IPv6 address.
  package var network: String {
    bytes.count == 4
      ? description : bytes[..<8].map { String($0, radix: 16) }.joined(separator: ":") + "/64"
  }
}
