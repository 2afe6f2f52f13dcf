internal import Crypto

/// What one master key gives: a key for each purpose by HKDF-SHA256 (RFC 5869), none of use for another.
struct DerivedKeys: Sendable {
  /// Four octets that tell this master key from others and nothing else about it.
  let version: [UInt8]
  /// What a database keeps to know its master key again, 32 octets.
  let check: [UInt8]
  // Begun once: each digest takes a copy up from where the key has been worked in.
  let code: HMAC<SHA256>
  let address: HMAC<SHA256>
  let proof: HMAC<SHA256>
  let request: HMAC<SHA256>
  private let seal: HMAC<SHA256>

  init(_ master: MasterKey) {
    func derived(_ purpose: String, _ count: Int = 32) -> SymmetricKey {
      DerivedKeys.derive(
        master.octets, salt: Array("Pabal".utf8), info: Array("Pabal 1 \(purpose)".utf8), count: count)
    }
    version = derived("version", 4).withUnsafeBytes(Array.init)
    check = derived("check").withUnsafeBytes(Array.init)
    seal = HMAC(key: derived("seal"))
    code = HMAC(key: derived("code"))
    address = HMAC(key: derived("address"))
    proof = HMAC(key: derived("proof"))
    request = HMAC(key: derived("request"))
  }

  /// HKDF-SHA256, RFC 5869: extract, then expand.
  static func derive(_ input: [UInt8], salt: [UInt8], info: [UInt8], count: Int) -> SymmetricKey {
    HKDF<SHA256>.deriveKey(
      inputKeyMaterial: SymmetricKey(data: input), salt: salt, info: info, outputByteCount: count)
  }

  /// HMAC-SHA256 over parts that can't run into each other: each has its length in front.
  static func digest(_ parts: [[UInt8]], _ hmac: HMAC<SHA256>) -> [UInt8] {
    code(parts, hmac).withUnsafeBytes(Array.init)
  }

  /// Whether `digest` is that of `parts`, in a time that doesn't depend on where it differs.
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
      result.append(contentsOf: UInt64(part.count).bigEndianOctets)
      result.append(contentsOf: part)
    }
    return result
  }

  /// One key a record, so that no number of records wears out the key they all come from.
  ///
  /// HKDF-SHA256's expansion (RFC 5869, 2.3), whose first 32 octets are one HMAC.
  func sealingKey(_ id: [UInt8]) -> SymmetricKey {
    var seal = seal
    seal.update(data: id + [1])
    return SymmetricKey(data: seal.finalize())
  }
}

extension FixedWidthInteger {
  /// The octets, the most significant first.
  var bigEndianOctets: [UInt8] { withUnsafeBytes(of: bigEndian, Array.init) }
}
