internal import PabalCore

/// How replaced codes are stored: for each the length of the id, the id, the generation as four bytes, the length of the
/// digest, and the digest.
enum EarlierCodes {
  static func encode(_ codes: [VerificationRecord.EarlierCode]) -> [UInt8] {
    codes.flatMap { code in
      [UInt8(truncatingIfNeeded: code.id.utf8.count)] + Array(code.id.utf8)
        + withUnsafeBytes(of: UInt32(truncatingIfNeeded: code.generation).bigEndian, Array.init)
        + [UInt8(truncatingIfNeeded: code.digest.count)] + code.digest
    }
  }

  /// Returns `nil` if `bytes` aren't what `encode` returns.
  static func decode(_ bytes: [UInt8]) -> [VerificationRecord.EarlierCode]? {
    var codes: [VerificationRecord.EarlierCode] = []
    var rest = bytes[...]
    func take(_ count: Int) -> ArraySlice<UInt8>? {
      guard rest.count >= count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
    while !rest.isEmpty {
      guard let size = take(1)?.first, let id = take(Int(size)), let generation = take(4),
        let digestSize = take(1)?.first, let digest = take(Int(digestSize))
      else { return nil }
      codes.append(
        VerificationRecord.EarlierCode(
          id: String(decoding: id, as: UTF8.self), generation: generation.reduce(0) { $0 << 8 | Int($1) },
          digest: Array(digest)))
    }
    return codes
  }
}
