/// `serve.proxies`: the proxies whose `X-Forwarded-For` is trusted.
public struct TrustedProxies: Sendable {
  private let networks: [IPNetwork]

  /// No proxies.
  public init() { networks = [] }

  private init(_ networks: [IPNetwork]) { self.networks = networks }

  /// Whether no proxy is trusted.
  public var isEmpty: Bool { networks.isEmpty }

  /// The client of a request that may have passed proxies.
  public struct Client: Sendable, Hashable {
    /// Why the client's address isn't known, although the request came from a trusted proxy.
    public enum Problem: Sendable, Hashable {
      /// The proxy sent no `X-Forwarded-For`.
      case missing
      /// An element of `X-Forwarded-For` isn't an IP address.
      case unreadable
    }

    /// The client's address, or the address of the last trusted proxy if there is a problem.
    public let address: String
    /// Why `address` isn't the client's; `nil` if it is.
    public let problem: Problem?
  }

  /// Returns the client of a request from `peer` with these values of `X-Forwarded-For`, in order.
  ///
  /// The list is read from its end, because each trusted proxy appends the address of its peer. The first address that
  /// isn't a trusted proxy is the client's; the client itself may have sent those before it.
  public func client(_ peer: String, forwarded: [String]) -> Client {
    guard !networks.isEmpty, trusts(peer) else { return Client(address: peer, problem: nil) }
    var client = peer
    // Empty elements are ignored (RFC 9110, 5.6.1.2).
    var rest = forwarded.flatMap { $0.split(separator: ",") }.filter { !$0.allSatisfy(\.isWhitespace) }
    if rest.isEmpty { return Client(address: peer, problem: .missing) }
    while let previous = rest.popLast() {
      guard let address = IPAddress(forwarded: previous) else {
        return Client(address: client, problem: .unreadable)
      }
      client = address.description
      guard contains(address) else { break }
    }
    return Client(address: client, problem: nil)
  }

  /// Whether an address is that of a trusted proxy.
  public func trusts(_ address: String) -> Bool { IPAddress(address).map(contains) ?? false }

  private func contains(_ address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }

  static func read(_ value: FieldDecoder) -> TrustedProxies? {
    guard let elements = value.elements() else { return nil }
    return TrustedProxies(
      elements.compactMap { IPNetwork.read($0, example: "\"127.0.0.1\" or \"10.0.0.0/8\"") })
  }
}
