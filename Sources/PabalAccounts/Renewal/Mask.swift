/// Hides secrets in what a server says, also where it repeats them percent-encoded.
struct FormSecretRedactor {
  private let secrets: [[UInt8]]

  /// Texts of less than four octets would hide what is no secret.
  init(_ secrets: [String]) {
    self.secrets = secrets.map { Array($0.utf8) }.filter { $0.count > 3 }.sorted { $0.count > $1.count }
  }

  /// `text` with an ellipsis in the place of each secret.
  func redacted(in text: String) -> String {
    var octets = Array(text.utf8)
    for secret in secrets { octets = Self.redacted(secret, in: octets) }
    return String(decoding: octets, as: UTF8.self)
  }

  private static func redacted(_ secret: [UInt8], in octets: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var index = 0
    while index < octets.count {
      if let end = end(of: secret, at: index, in: octets) {
        result += Array("…".utf8)
        index = end
      } else {
        result.append(octets[index])
        index += 1
      }
    }
    return result
  }

  /// Where the secret that begins at `index` ends, if one does; each of its octets may be encoded, once or twice.
  private static func end(of secret: [UInt8], at index: Int, in octets: [UInt8]) -> Int? {
    var index = index
    for byte in secret {
      guard let length = length(of: byte, at: index, in: octets) else { return nil }
      index += length
    }
    return index
  }

  private static func length(of byte: UInt8, at index: Int, in octets: [UInt8]) -> Int? {
    guard index < octets.count else { return nil }
    if octets[index] == byte || byte == 0x20 && octets[index] == UInt8(ascii: "+") { return 1 }
    guard octets[index] == UInt8(ascii: "%") else { return nil }
    // %252F is %2F, encoded again.
    let isTwice = octets[index...].starts(with: Array("%25".utf8)) && byte != UInt8(ascii: "%")
    let start = index + (isTwice ? 3 : 1)
    guard start + 2 <= octets.count else { return nil }
    let digits = String(decoding: octets[start..<start + 2], as: UTF8.self)
    return UInt8(digits, radix: 16) == byte ? start + 2 - index : nil
  }
}
