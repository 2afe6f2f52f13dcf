/// Takes secrets, and any part of them eight octets long, out of what a server says.
struct Redaction: Sendable {
  private static let width = 8
  private var parts: Set<UInt64> = []
  private var short: [[UInt8]] = []
  // A bit for each part's hash: what has none is no part, and that is nearly everything, for every mail.
  private var hints: [UInt64] = []
  private static let hintBits: UInt64 = 1 << 16

  init() {}

  /// Hides `secret`, its base64 wherever it stands in something longer, and the base64 of the SASL strings.
  ///
  /// What else a SASL string holds, a user and a host, is no secret.
  init(_ secret: [UInt8], sasl: [[UInt8]]) {
    guard !secret.isEmpty else { return }
    add(secret)
    add(Base64.encode(secret))
    for offset in 1...2 {
      // Only digits that the secret alone decides: six bits each.
      let digits = Base64.encode([UInt8](repeating: 0, count: offset) + secret)
      add(Array(digits[(offset + 1)..<((offset + secret.count) * 8 / 6)]))
    }
    for string in sasl { add(Base64.encode(string)) }
  }

  /// The secret and SASL strings of a login.
  init(_ login: Login, _ grant: Grant?, host: String, port: Int) {
    switch login {
    case .none: self.init()
    case .password(let user, let password, _):
      let secret = Array(password.utf8)
      self.init(secret, sasl: [[0] + Array(user.utf8) + [0] + secret])
    case .account(let user, _):
      let token = Array((grant?.token ?? "").utf8)
      let bearer = Array("auth=Bearer ".utf8) + token + [1, 1]
      let escaped = Login.escaped(user)
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
    guard secret.count >= Self.width else {
      if secret.count >= 4 { short.append(secret) }
      return
    }
    if hints.isEmpty { hints = [UInt64](repeating: 0, count: Int(Self.hintBits / 64)) }
    for start in 0...(secret.count - Self.width) {
      let part = Self.part(secret[start..<(start + Self.width)])
      parts.insert(part)
      let hint = Self.hint(part)
      hints[hint >> 6] |= 1 << UInt64(hint & 63)
    }
  }

  private static func hint(_ part: UInt64) -> Int {
    Int(truncatingIfNeeded: (part &* 0x9E37_79B9_7F4A_7C15) >> 48)
  }

  /// Whether a part of a secret may stand in `text`.
  private func mayHide(_ text: inout String) -> Bool {
    if !short.isEmpty { return true }
    return text.withUTF8 { octets in
      var window: UInt64 = 0
      for (index, octet) in octets.enumerated() {
        window = window << 8 | UInt64(octet)
        guard index >= Self.width - 1 else { continue }
        let hint = Self.hint(window)
        if hints[hint >> 6] & (1 << UInt64(hint & 63)) != 0 { return true }
      }
      return false
    }
  }

  private static func part(_ octets: ArraySlice<UInt8>) -> UInt64 {
    octets.reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// `text` with every part of a secret as `***`.
  func hide(_ text: String) -> String {
    if parts.isEmpty, short.isEmpty { return text }
    var text = text
    guard mayHide(&text) else { return text }
    var hidden: [Range<Int>] = []
    let octets = Array(text.utf8)
    var window: UInt64 = 0
    for (index, octet) in octets.enumerated() {
      window = window << 8 | UInt64(octet)
      if index >= Self.width - 1, parts.contains(window) {
        hidden.append((index - Self.width + 1)..<(index + 1))
      }
    }
    for secret in short where octets.count >= secret.count {
      for start in 0...(octets.count - secret.count)
      where octets[start..<(start + secret.count)].elementsEqual(secret) {
        hidden.append(start..<(start + secret.count))
      }
    }
    guard !hidden.isEmpty else { return text }
    var result: [UInt8] = []
    var position = 0
    for range in hidden.sorted(by: { $0.lowerBound < $1.lowerBound }) where range.upperBound > position {
      if range.lowerBound > position || position == 0 {
        if range.lowerBound > position { result += octets[position..<range.lowerBound] }
        result += Array("***".utf8)
      }
      position = range.upperBound
    }
    return String(decoding: result + octets[position...], as: UTF8.self)
  }
}
