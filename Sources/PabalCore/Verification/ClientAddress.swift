internal import Glibc

/// A client's address as far as limits tell clients apart: IPv4 whole, IPv6 by its network of 64 bits.
package struct ClientAddress: Sendable, Hashable {
  /// The same for all addresses that count as one.
  let bucket: String

  /// Reads `192.0.2.1` or `2001:db8::1`, perhaps with a zone; `nil` for anything else.
  package init?(_ text: String) {
    guard text.utf8.count <= 64, !text.utf8.contains(0) else { return nil }
    let text = String(text.prefix { $0 != "%" })
    var octets = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &octets) == 1 {
      bucket = ClientAddress.version4(octets[..<4])
    } else if inet_pton(AF_INET6, text, &octets) == 1 {
      // IPv4-mapped (RFC 4291, 2.5.5.2) and translated (RFC 6052, 2.1) addresses are those of an IPv4 client;
      // by 64 bits all of them would be one.
      let mapped = octets[..<10].allSatisfy { $0 == 0 } && octets[10] == 0xFF && octets[11] == 0xFF
      let translated = octets[..<12].elementsEqual([0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0])
      bucket =
        mapped || translated
        ? ClientAddress.version4(octets[12...])
        : octets[..<8].map { String($0, radix: 16) }.joined(separator: ":") + "/64"
    } else {
      return nil
    }
  }

  private static func version4(_ octets: ArraySlice<UInt8>) -> String {
    octets.map { String($0) }.joined(separator: ".")
  }
}
