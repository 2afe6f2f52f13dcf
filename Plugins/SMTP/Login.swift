/// Who logs in, and with what.
///
/// It prints as the names of its mechanisms; so does what holds it.
enum Login: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The mechanism by which a login is proved (RFC 4954).
  enum Mechanism: String, Sendable, CaseIterable {
    case xoauth2, oauthbearer, plain, login

    /// The name in EHLO and AUTH.
    var name: String { rawValue.uppercased() }
  }

  /// Nobody: the server knows the machine, or nothing.
  case none
  /// A user with a password; `nil`: PLAIN, or LOGIN where that isn't offered.
  case password(user: String, password: String, mechanism: Mechanism?)
  /// A mailbox with an access token, one for each connection.
  case account(user: String, mechanism: Mechanism)

  /// Never the password.
  var description: String { "Login(\(mechanisms))" }
  /// Never the password.
  var debugDescription: String { description }
  /// Never the password.
  var customMirror: Mirror { Mirror(self, children: []) }

  /// What libcurl may choose from.
  var options: String? {
    switch self {
    case .none: nil
    case .password(_, _, nil): "AUTH=PLAIN;AUTH=LOGIN"
    case .password(_, _, let mechanism?): "AUTH=\(mechanism.name)"
    case .account(_, let mechanism): "AUTH=\(mechanism.name)"
    }
  }

  /// The mechanisms by name, for a person.
  var mechanisms: String {
    switch self {
    case .none: ""
    case .password(_, _, nil): "PLAIN or LOGIN"
    case .password(_, _, let mechanism?), .account(_, let mechanism): mechanism.name
    }
  }

  var user: String? {
    switch self {
    case .none: nil
    case .password(let user, _, _), .account(let user, _): user
    }
  }
}

/// An access token for one login.
struct Grant: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  let token: String
  /// The seconds it still lives, where known.
  let expiresIn: Int64?

  /// Never the token itself.
  var description: String { "Grant" }
  /// Never the token itself.
  var debugDescription: String { description }
  /// Never the token itself.
  var customMirror: Mirror { Mirror(self, children: []) }
}

/// Takes secrets, and any part of them eight octets long, out of what a server says.
struct Redaction: Sendable {
  private static let width = 8
  private var parts: Set<UInt64> = []
  private var short: [[UInt8]] = []

  init() {}

  /// Hides `secret` and its base64 forms.
  init(_ secrets: [[UInt8]]) {
    for secret in secrets {
      add(secret)
      add(Base64.encode(secret))
    }
  }

  /// All secrets and SASL strings of a login.
  init(_ login: Login, _ grant: Grant?, host: String, port: Int) {
    switch login {
    case .none: self.init([])
    case .password(let user, let password, _):
      self.init([Array(password.utf8), [0] + Array(user.utf8) + [0] + Array(password.utf8)])
    case .account(let user, _):
      let token = Array((grant?.token ?? "").utf8)
      let bearer = Array("auth=Bearer ".utf8) + token + [1, 1]
      let escaped = Login.escaped(user)
      self.init([
        token, Array("user=\(user)".utf8) + [1] + bearer,
        Array("n,a=\(escaped),".utf8) + [1] + Array("host=\(host)".utf8) + [1] + Array("port=\(port)".utf8)
          + [1] + bearer,
      ])
    }
  }

  private mutating func add(_ secret: [UInt8]) {
    guard secret.count >= Self.width else {
      if secret.count >= 4 { short.append(secret) }
      return
    }
    for start in 0...(secret.count - Self.width) {
      parts.insert(Self.part(secret[start..<(start + Self.width)]))
    }
  }

  private static func part(_ octets: ArraySlice<UInt8>) -> UInt64 {
    octets.reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// `text` with every part of a secret as `***`.
  func hide(_ text: String) -> String {
    if parts.isEmpty, short.isEmpty { return text }
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

extension Login {
  /// A user's name as OAUTHBEARER wants it (RFC 5801, 4); libcurl does not escape.
  static func escaped(_ user: String) -> String {
    user.reduce(into: "") { name, character in
      switch character {
      case ",": name += "=2C"
      case "=": name += "=3D"
      default: name.append(character)
      }
    }
  }
}

/// Base64 (RFC 4648, 4).
enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ octets: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for start in stride(from: 0, to: octets.count, by: 3) {
      let group = octets[start..<min(start + 3, octets.count)]
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
    for octet in text where octet != UInt8(ascii: "=") {
      guard let value = alphabet.firstIndex(of: octet) else { return nil }
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
