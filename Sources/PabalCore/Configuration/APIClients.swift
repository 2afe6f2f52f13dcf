internal import Crypto
internal import PabalFormats

/// Who may call the HTTP service: names, each with the SHA-256 digests of its keys.
///
/// A key is 130 random bits, so a digest without salt or work is as good as a secret that nobody can guess.
public struct APIClients: Sendable {
  private let digests: [(name: String, digest: [UInt8])]

  /// Nobody.
  public init() { digests = [] }

  private init(_ digests: [(name: String, digest: [UInt8])]) { self.digests = digests }

  /// Whether there is nobody.
  public var isEmpty: Bool { digests.isEmpty }

  /// The name of the client whose key this is, in a time that doesn't depend on where a digest differs.
  public func name(of key: String) -> String? {
    let digest = SHA256.hash(data: Array(key.utf8))
    var found: String?
    for known in digests where digest == known.digest { found = known.name }
    return found
  }

  /// A new key, and what `config.json` has of it.
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
      var texts = [member.value]
      if case .array = member.value.node.content { texts = member.value.elements() ?? [] }
      for text in texts {
        guard let text = text.text().map({ ($0, text) }) else { continue }
        guard let digest = bytes(text.0) else {
          text.1.report(
            "this is no digest of a key, and a key itself doesn't stand here",
            remedy: "`pabal keys client \(member.name)` makes a key and prints what belongs here")
          continue
        }
        digests.append((member.name, digest))
      }
    }
    return APIClients(digests)
  }

  private static func bytes(_ text: String) -> [UInt8]? {
    guard text.hasPrefix(prefix), text.utf8.count == prefix.utf8.count + 64 else { return nil }
    let digits = text.dropFirst(prefix.count).compactMap(\.hexDigitValue)
    guard digits.count == 64 else { return nil }
    return stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0] << 4 + digits[$0 + 1]) }
  }
}
