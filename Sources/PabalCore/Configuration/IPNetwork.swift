/// A range of IP addresses, such as `192.0.2.0/24`.
package struct IPNetwork: Sendable, Hashable, CustomStringConvertible {
  /// The bytes of an address in it: four or sixteen.
  package let bytes: [UInt8]
  /// The number of leading bits that all of its addresses share.
  package let bits: Int

  /// Parses `192.0.2.1`, `10.0.0.0/8` or `2001:db8::/32`; `nil` for anything else.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    let bytes = IPAddress(parts[0])?.bytes
    let bits = parts.count == 2 ? Int(parts[1]) : bytes.map { $0.count * 8 }
    guard let bytes, let bits, 0...(bytes.count * 8) ~= bits else { return nil }
    self.bytes = bytes
    self.bits = bits
  }

  /// The first address of the network and the number of bits, such as `192.0.2.0/24`.
  package var description: String {
    let first = bytes.enumerated().map { index, byte in
      byte & UInt8(truncatingIfNeeded: 0xFF00 >> min(max(bits - index * 8, 0), 8))
    }
    return "\(IPAddress(bytes: first))/\(bits)"
  }

  /// Whether the address is in the network.
  package func contains(_ address: IPAddress) -> Bool {
    let address = address.bytes
    guard address.count == bytes.count else { return false }
    for (index, byte) in bytes.enumerated() {
      let maskBits = min(max(bits - index * 8, 0), 8)
      let mask = UInt8(truncatingIfNeeded: 0xFF00 >> maskBits)
      guard byte & mask == address[index] & mask else { return false }
    }
    return true
  }

  /// An address or network; anything else is reported.
  static func read(_ value: FieldDecoder, example: String) -> IPNetwork? {
    guard let text = value.text() else { return nil }
    if let network = IPNetwork(text) { return network }
    value.report("\(quoted(text)) is not an IP address or network", remedy: "write it like \(example)")
    return nil
  }
}
