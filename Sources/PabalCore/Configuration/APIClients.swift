internal import Crypto
internal import PabalFormats

/// A part of the HTTP API that a client may be restricted to.
public enum APIScope: String, Sendable, Hashable, CaseIterable {
  /// Verifications and proofs.
  case verify = "verify"
  /// Mails of any message, and rendering messages.
  case mail = "mail"
  /// Metrics.
  case metrics = "metrics"
  /// With `mail`: finding the mail of all submitters, not only the client's own.
  case history = "history"

  /// What a client may do without `scopes`. It never has what others submitted.
  package static let standard: Set<APIScope> = [.verify, .mail, .metrics]
}

/// A client of the HTTP API.
public struct APIClient: Sendable, Hashable {
  /// Its name, which the log shows and to which its records belong.
  public let name: String
  /// What it may do.
  public let scopes: Set<APIScope>
  /// How many mails it may queue, one for each recipient; empty: any number.
  public let rate: [RateLimit]
  /// What finished mails it may queue.
  public let senderRules: SenderRules
  fileprivate let digests: [[UInt8]]
}

/// `serve.clients`: the clients of the HTTP API, each with the SHA-256 digests of its keys.
///
/// A key has 130 random bits, so its digest needs neither a salt nor a slow hash: it can't be found by guessing.
public struct APIClients: Sendable {
  private let all: [APIClient]

  /// No clients.
  public init() { all = [] }

  private init(_ all: [APIClient]) { self.all = all }

  /// Whether no client has a key.
  public var isEmpty: Bool { all.allSatisfy(\.digests.isEmpty) }

  /// Returns the client with this key, in a time that doesn't depend on where digests differ.
  public func client(withKey key: String) -> APIClient? {
    let digest = SHA256.hash(data: Array(key.utf8))
    var found: APIClient?
    for client in all { for known in client.digests where digest == known { found = client } }
    return found
  }

  /// Returns a new key, and its digest for `config.json`.
  public static func newKey(
    random: @escaping @Sendable () -> UInt64 = { UInt64.random(in: .min ... .max) }
  ) -> (key: String, configured: String) {
    let key = "pabal_" + RandomString.make(26, random)
    let digest = Array(SHA256.hash(data: Array(key.utf8)))
    return (key, prefix + Hexadecimal.string(digest.span))
  }

  private static let prefix = "sha256:"

  static func read(_ value: FieldDecoder) -> APIClients? {
    value.namedMembers().map { members in
      APIClients(members.compactMap { client($0.name, $0.value) })
    }
  }

  /// Reads a client: the digest of its key, a list of digests, or an object with `keys`, `scopes`, `rate` and the rules of senders.
  private static func client(_ name: String, _ value: FieldDecoder) -> APIClient? {
    guard case .object = value.node.content else {
      return APIClient(
        name: name, scopes: APIScope.standard, rate: [], senderRules: SenderRules(),
        digests: digests(of: name, value))
    }
    return value.object { object in
      let remedy = "add the digest of its key, which `pabal keys client \(name)` prints"
      let keys = object.required("keys", remedy: remedy).map { digests(of: name, $0) }
      var scopes = APIScope.standard
      if let list = object.optional("scopes")?.elements() { scopes = Set(list.compactMap { $0.choice() }) }
      let rate = object.optional("rate")?.rateLimits() ?? []
      let rules = SenderRules.readSenders(object)
      return keys.map { APIClient(name: name, scopes: scopes, rate: rate, senderRules: rules, digests: $0) }
    }
  }

  private static func digests(of name: String, _ value: FieldDecoder) -> [[UInt8]] {
    var fields = [value]
    if case .array = value.node.content { fields = value.elements() ?? [] }
    return fields.compactMap { field in
      guard let text = field.text() else { return nil }
      if let digest = bytes(text) { return digest }
      field.report(
        "not the digest of a key; the key itself must not be stored here",
        remedy: "run `pabal keys client \(name)`, which makes a key and prints its digest")
      return nil
    }
  }

  private static func bytes(_ text: String) -> [UInt8]? {
    guard text.hasPrefix(prefix) else { return nil }
    let digits = Array(text.utf8.dropFirst(prefix.utf8.count))
    return digits.count == 64 ? Hexadecimal.bytes(digits.span) : nil
  }
}
