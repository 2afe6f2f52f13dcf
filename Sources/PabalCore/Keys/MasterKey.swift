internal import Crypto
internal import PabalFormats

/// The 32 bytes that all of Pabal's keys are derived from. They are kept outside the database.
///
/// No description, debugger or `dump` shows them.
public struct MasterKey: Sendable, Hashable, RedactedDescription {
  /// The size of a master key in bytes.
  public static let size = 32

  let bytes: [UInt8]

  /// Creates a key of 32 bytes, which must be random; `nil` for any other number of bytes.
  public init?(bytes: [UInt8]) {
    guard bytes.count == MasterKey.size else { return nil }
    self.bytes = bytes
  }

  /// Parses 64 hexadecimal digits, or base64 or base64url of 32 bytes. White space around it is ignored.
  ///
  /// `openssl rand -hex 32` and `openssl rand -base64 32` print such texts.
  public init?(_ text: String) {
    var digits = text.utf8[...]
    while let first = digits.first, first == 0x20 || 0x09...0x0D ~= first { digits.removeFirst() }
    while let last = digits.last, last == 0x20 || 0x09...0x0D ~= last { digits.removeLast() }
    let text = Array(digits)
    let bytes =
      text.count == 64
      ? Hexadecimal.bytes(text.span)
      : try? Base64.decode(text.span, .init(digits: .either, padding: .optional))
    guard let bytes else { return nil }
    self.init(bytes: bytes)
  }

  /// Returns a new key from the system's random number generator.
  public static func random() -> MasterKey {
    var generator = SystemRandomNumberGenerator()
    return MasterKey(random: &generator)
  }

  init(random generator: inout some RandomNumberGenerator) {
    bytes = (0..<MasterKey.size).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }

  /// The key as 64 hexadecimal digits, only for its file.
  var text: String { Hexadecimal.string(bytes.span) }

  /// `a master key`.
  public var description: String { "a master key" }
}

/// The keys derived from a master key by HKDF-SHA256 (RFC 5869), one for each purpose.
struct DerivedKeys: Sendable {
  /// Four bytes that identify the master key and reveal nothing else about it.
  let version: [UInt8]
  /// The 32 bytes by which a database recognizes its master key.
  let check: [UInt8]
  // Each has the key hashed in already. A digest starts from a copy, which saves hashing the key again.
  let code: HMAC<SHA256>
  let address: HMAC<SHA256>
  let proof: HMAC<SHA256>
  let request: HMAC<SHA256>
  private let seal: HMAC<SHA256>

  init(_ master: MasterKey) {
    func derived(_ purpose: String, _ count: Int = 32) -> SymmetricKey {
      DerivedKeys.derive(
        master.bytes, salt: Array("Pabal".utf8), info: Array("Pabal 1 \(purpose)".utf8), count: count)
    }
    version = derived("version", 4).withUnsafeBytes(Array.init)
    check = derived("check").withUnsafeBytes(Array.init)
    seal = HMAC(key: derived("seal"))
    code = HMAC(key: derived("code"))
    address = HMAC(key: derived("address"))
    proof = HMAC(key: derived("proof"))
    request = HMAC(key: derived("request"))
  }

  /// Derives a key by HKDF-SHA256 (RFC 5869): extract, then expand.
  static func derive(_ input: [UInt8], salt: [UInt8], info: [UInt8], count: Int) -> SymmetricKey {
    HKDF<SHA256>.deriveKey(
      inputKeyMaterial: SymmetricKey(data: input), salt: salt, info: info, outputByteCount: count)
  }

  /// Returns HMAC-SHA256 over the parts, each prefixed by its length so that their boundaries matter.
  static func digest(_ parts: [[UInt8]], _ hmac: HMAC<SHA256>) -> [UInt8] {
    code(parts, hmac).withUnsafeBytes(Array.init)
  }

  /// Whether `digest` is that of `parts`, compared in constant time.
  static func isDigest(_ digest: ArraySlice<UInt8>, of parts: [[UInt8]], _ hmac: HMAC<SHA256>) -> Bool {
    code(parts, hmac) == digest
  }

  private static func code(_ parts: [[UInt8]], _ hmac: HMAC<SHA256>) -> HMAC<SHA256>.MAC {
    var hmac = hmac
    hmac.update(data: lengthPrefixed(parts))
    return hmac.finalize()
  }

  private static func lengthPrefixed(_ parts: [[UInt8]]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(parts.reduce(0) { $0 + $1.count + 8 })
    for part in parts {
      result.append(contentsOf: UInt64(part.count).bigEndianBytes)
      result.append(contentsOf: part)
    }
    return result
  }

  /// Returns the sealing key of one record. A key per record keeps the number of random nonces per key small.
  ///
  /// It is the expansion of HKDF-SHA256 (RFC 5869, 2.3), whose first 32 bytes are one HMAC.
  func sealingKey(_ id: [UInt8]) -> SymmetricKey {
    var seal = seal
    seal.update(data: id + [1])
    return SymmetricKey(data: seal.finalize())
  }
}

extension FixedWidthInteger {
  /// The bytes, the most significant first.
  var bigEndianBytes: [UInt8] { withUnsafeBytes(of: bigEndian, Array.init) }
}
