internal import Glibc

/// Addresses of networks that aren't part of the Internet.
enum PrivateAddress {
  /// Whether `text` is an address of this machine, of a private network (RFC 1918, RFC 4193) or of a link.
  static func matches(_ text: String) -> Bool {
    var v4 = in_addr()
    if inet_pton(AF_INET, text, &v4) == 1 { return isPrivate(UInt32(bigEndian: v4.s_addr)) }
    var v6 = in6_addr()
    // Without the zone of a link-local address.
    let address = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
    guard inet_pton(AF_INET6, String(address), &v6) == 1 else { return false }
    let bytes = withUnsafeBytes(of: v6) { Array($0) }
    // IPv4 in IPv6 (RFC 4291, 2.5.5.2).
    if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF {
      return isPrivate(bytes[12...].reduce(0) { $0 << 8 | UInt32($1) })
    }
    let isLoopback = bytes[..<15].allSatisfy { $0 == 0 } && bytes[15] == 1
    return isLoopback || bytes[0] & 0xFE == 0xFC || bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80
  }

  private static func isPrivate(_ address: UInt32) -> Bool {
    switch address >> 24 {
    case 10, 127: true
    case 172: (address >> 20) & 0xF == 1
    case 192: (address >> 16) & 0xFF == 168
    case 169: (address >> 16) & 0xFF == 254
    default: false
    }
  }
}
