internal import PabalFormats

/// The scrypt hash of a password (RFC 7914), as `config.json` has it: `scrypt:14:8:1:SALT:HASH`, both in hexadecimal.
public struct PasswordHash: Sendable, Hashable, RedactedDescription {
  /// The binary logarithm of the cost N.
  public let logCost: Int
  /// The block size r.
  public let blockSize: Int
  /// The parallelism p.
  public let parallelism: Int
  /// The salt.
  public let salt: [UInt8]
  /// The derived key.
  public let hash: [UInt8]

  /// Creates a hash from its parts.
  public init(logCost: Int = 14, blockSize: Int = 8, parallelism: Int = 1, salt: [UInt8], hash: [UInt8]) {
    self.logCost = logCost
    self.blockSize = blockSize
    self.parallelism = parallelism
    self.salt = salt
    self.hash = hash
  }

  /// Parses the text in `config.json`; `nil` for anything else, and for costs that this service would not bear.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 6, parts[0] == "scrypt", let logCost = Int(parts[1]), let blockSize = Int(parts[2]),
      let parallelism = Int(parts[3]), let salt = Hexadecimal.bytes(Array(parts[4].utf8).span),
      let hash = Hexadecimal.bytes(Array(parts[5].utf8).span)
    else { return nil }
    // At most 64 MiB for each hash, so that two at a time don't exhaust a small machine.
    guard 4...20 ~= logCost, 1...32 ~= blockSize, 1...16 ~= parallelism,
      blockSize << (logCost + 7) <= 64 << 20,
      8...64 ~= salt.count, 16...64 ~= hash.count
    else { return nil }
    self.init(logCost: logCost, blockSize: blockSize, parallelism: parallelism, salt: salt, hash: hash)
  }

  /// The text for `config.json`.
  public var text: String {
    "scrypt:\(logCost):\(blockSize):\(parallelism):\(Hexadecimal.string(salt.span)):\(Hexadecimal.string(hash.span))"
  }

  /// The parameters, without salt and hash.
  public var description: String { "scrypt:\(logCost):\(blockSize):\(parallelism)" }

  /// Returns a new password with 130 random bits.
  package static func randomPassword() -> String { RandomString.make(26, SecureRandom.number) }

  /// Returns a random salt.
  package static func randomSalt() -> [UInt8] { SecureRandom.bytes(16) }
}
