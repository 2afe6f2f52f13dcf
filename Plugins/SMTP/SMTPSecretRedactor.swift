/// Takes secrets, and any part of them eight bytes long, out of what a server says.
struct SMTPSecretRedactor: Sendable {
  private static let fragmentLength = 8
  private var fragments: Set<UInt64> = []
  private var shortSecrets: [[UInt8]] = []
  // A bit for each part's hash: what has none is no part, and that is nearly everything, for every mail.
  private var filter: [UInt64] = []
  private static let filterBitCount: UInt64 = 1 << 16

  init() {}

  /// Hides `secret`, its base64 wherever it stands in something longer, and the base64 of the SASL strings.
  ///
  /// What else a SASL string holds, a user and a host, is no secret.
  init(_ secret: [UInt8], sasl: [[UInt8]]) {
    guard !secret.isEmpty else { return }
    add(secret)
    add(SMTPBase64.encode(secret))
    for offset in 1...2 {
      // Only digits that the secret alone decides: six bits each.
      let digits = SMTPBase64.encode([UInt8](repeating: 0, count: offset) + secret)
      add(Array(digits[(offset + 1)..<((offset + secret.count) * 8 / 6)]))
    }
    for string in sasl { add(SMTPBase64.encode(string)) }
  }

  /// The secret and SASL strings of a login.
  init(_ login: SMTPLogin, _ accessToken: Token?, host: String, port: Int) {
    switch login {
    case .none: self.init()
    case .password(let user, let password, _):
      let secret = Array(password.utf8)
      self.init(secret, sasl: [[0] + Array(user.utf8) + [0] + secret])
    case .account(let user, _):
      let token = Array((accessToken?.token ?? "").utf8)
      let bearer = Array("auth=Bearer ".utf8) + token + [1, 1]
      let escaped = SMTPLogin.escaped(user)
      let address = "host=\(host)\u{1}port=\(port)\u{1}"
      self.init(
        token,
        sasl: [
          Array("user=\(user)\u{1}".utf8) + bearer,
          Array("n,a=\(escaped),\u{1}\(address)".utf8) + bearer,
        ])
    }
  }

  private mutating func add(_ secret: [UInt8]) {
    guard secret.count >= Self.fragmentLength else {
      if secret.count >= 4 { shortSecrets.append(secret) }
      return
    }
    if filter.isEmpty { filter = [UInt64](repeating: 0, count: Int(Self.filterBitCount / 64)) }
    for start in 0...(secret.count - Self.fragmentLength) {
      let fragment = Self.fragment(secret[start..<(start + Self.fragmentLength)])
      fragments.insert(fragment)
      let filterBit = Self.filterBit(fragment)
      filter[filterBit >> 6] |= 1 << UInt64(filterBit & 63)
    }
  }

  private static func filterBit(_ fragment: UInt64) -> Int {
    Int(truncatingIfNeeded: (fragment &* 0x9E37_79B9_7F4A_7C15) >> 48)
  }

  /// Whether a part of a secret may stand in `text`.
  private func mayContainSecret(_ text: inout String) -> Bool {
    if !shortSecrets.isEmpty { return true }
    return text.withUTF8 { bytes in
      var window: UInt64 = 0
      for (index, byte) in bytes.enumerated() {
        window = window << 8 | UInt64(byte)
        guard index >= Self.fragmentLength - 1 else { continue }
        let filterBit = Self.filterBit(window)
        if filter[filterBit >> 6] & (1 << UInt64(filterBit & 63)) != 0 { return true }
      }
      return false
    }
  }

  private static func fragment(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// `text` with every part of a secret as `***`.
  func redact(_ text: String) -> String {
    if fragments.isEmpty, shortSecrets.isEmpty { return text }
    var text = text
    guard mayContainSecret(&text) else { return text }
    var ranges: [Range<Int>] = []
    let bytes = Array(text.utf8)
    var window: UInt64 = 0
    for (index, byte) in bytes.enumerated() {
      window = window << 8 | UInt64(byte)
      if index >= Self.fragmentLength - 1, fragments.contains(window) {
        ranges.append((index - Self.fragmentLength + 1)..<(index + 1))
      }
    }
    for secret in shortSecrets where bytes.count >= secret.count {
      for start in 0...(bytes.count - secret.count)
      where bytes[start..<(start + secret.count)].elementsEqual(secret) {
        ranges.append(start..<(start + secret.count))
      }
    }
    guard !ranges.isEmpty else { return text }
    var result: [UInt8] = []
    var position = 0
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where range.upperBound > position {
      if range.lowerBound > position || position == 0 {
        if range.lowerBound > position { result += bytes[position..<range.lowerBound] }
        result += Array("***".utf8)
      }
      position = range.upperBound
    }
    return String(decoding: result + bytes[position...], as: UTF8.self)
  }
}

/// Base64 (RFC 4648, 4).
enum SMTPBase64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      for place in 0..<4 {
        result.append(place <= group.count ? alphabet[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
      }
    }
    return result
  }

  static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    var bits = 0
    var count = 0
    for byte in text where byte != UInt8(ascii: "=") {
      guard let value = alphabet.firstIndex(of: byte) else { return nil }
      bits = (bits << 6 | value) & 0xFF_FFFF
      count += 6
      if count >= 8 {
        count -= 8
        result.append(UInt8(truncatingIfNeeded: bits >> count))
      }
    }
    return result
  }
}
