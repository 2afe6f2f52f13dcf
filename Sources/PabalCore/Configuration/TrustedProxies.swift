internal import Glibc

/// `serve.proxies`: the proxies whose `X-Forwarded-For` is trusted.
public struct TrustedProxies: Sendable {
  private struct Network: Sendable {
    let bytes: [UInt8]
    let bits: Int

    func contains(_ address: [UInt8]) -> Bool {
      guard address.count == bytes.count else { return false }
      for (index, byte) in bytes.enumerated() {
        let maskBits = min(max(bits - index * 8, 0), 8)
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> maskBits)
        guard byte & mask == address[index] & mask else { return false }
      }
      return true
    }
  }

  private let networks: [Network]

  /// No proxies.
  public init() { networks = [] }

  private init(_ networks: [Network]) { self.networks = networks }

  /// Whether no proxy is trusted.
  public var isEmpty: Bool { networks.isEmpty }

  /// Returns the address of the client of a request from `peer` with these values of `X-Forwarded-For`, in order.
  ///
  /// The list is read from its end, because each trusted proxy appends the address of its peer. The first address that
  /// isn't a trusted proxy is the client's; the client itself may have sent those before it.
  public func client(_ peer: String, forwarded: [String]) -> String {
    var client = peer
    var rest = forwarded.flatMap { $0.split(separator: ",") }.map { String($0).trimmed }
    while trusts(client), let previous = rest.popLast(), TrustedProxies.bytes(previous) != nil {
      client = previous
    }
    return client
  }

  private func trusts(_ address: String) -> Bool {
    guard let bytes = TrustedProxies.bytes(address) else { return false }
    return networks.contains { $0.contains(bytes) }
  }

  /// Parses an IP address into its bytes. An IPv4-mapped address becomes an IPv4 address (RFC 4291, 2.5.5.2).
  private static func bytes(_ text: String) -> [UInt8]? {
    guard text.utf8.count <= 64, !text.utf8.contains(0) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes[..<4]) }
    guard inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
    let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    return isMapped ? Array(bytes[12...]) : bytes
  }

  static func read(_ value: FieldDecoder) -> TrustedProxies? {
    guard let elements = value.elements() else { return nil }
    return TrustedProxies(elements.compactMap(network))
  }

  private static func network(_ value: FieldDecoder) -> Network? {
    guard let text = value.text() else { return nil }
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    let bytes = bytes(String(parts[0]))
    let bits = parts.count == 2 ? Int(parts[1]) : bytes.map { $0.count * 8 }
    guard let bytes, let bits, 0...(bytes.count * 8) ~= bits else {
      value.report(
        "\(quoted(text)) is not an IP address or network",
        remedy: "write it like \"127.0.0.1\" or \"10.0.0.0/8\"")
      return nil
    }
    return Network(bytes: bytes, bits: bits)
  }
}
