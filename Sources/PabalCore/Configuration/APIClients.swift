internal import Crypto
internal import PabalFormats

/// `serve.clients`: the clients of the HTTP API, each with the SHA-256 digests of its keys.
///
/// A key has 130 random bits, so its digest needs neither a salt nor a slow hash: it can't be found by guessing.
public struct APIClients: Sendable {
  private let digests: [(name: String, digest: [UInt8])]

  /// No clients.
  public init() { digests = [] }

  private init(_ digests: [(name: String, digest: [UInt8])]) { self.digests = digests }

  /// Whether no client has a key.
  public var isEmpty: Bool { digests.isEmpty }

  /// Returns the name of the client with this key, in a time that doesn't depend on where digests differ.
  public func name(of key: String) -> String? {
    let digest = SHA256.hash(data: Array(key.utf8))
    var found: String?
    for known in digests where digest == known.digest { found = known.name }
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
    guard let members = value.namedMembers() else { return nil }
    var digests: [(name: String, digest: [UInt8])] = []
    for member in members {
      var fields = [member.value]
      if case .array = member.value.node.content { fields = member.value.elements() ?? [] }
      for field in fields {
        guard let text = field.text() else { continue }
        guard let digest = bytes(text) else {
          field.report(
            "not the digest of a key; the key itself must not be stored here",
            remedy: "run `pabal keys client \(member.name)`, which makes a key and prints its digest")
          continue
        }
        digests.append((member.name, digest))
      }
    }
    return APIClients(digests)
  }

  private static func bytes(_ text: String) -> [UInt8]? {
    guard text.hasPrefix(prefix) else { return nil }
    let digits = Array(text.utf8.dropFirst(prefix.utf8.count))
    return digits.count == 64 ? Hexadecimal.bytes(digits.span) : nil
  }
}
