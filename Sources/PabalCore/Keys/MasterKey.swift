/// The 32 octets that all of Pabal's keys come from; kept outside the database.
///
/// No description, debugger or `dump` shows them.
public struct MasterKey: Sendable, Hashable, RedactedDescription {
  /// How many octets a master key has.
  public static let size = 32

  let octets: [UInt8]

  /// A key of 32 octets, which must be random; `nil` for any other number of them.
  public init?(octets: [UInt8]) {
    guard octets.count == MasterKey.size else { return nil }
    self.octets = octets
  }

  /// The key a text spells: 64 hexadecimal digits, or base64 or base64url of 32 octets; blanks around it don't count.
  ///
  /// `openssl rand -hex 32` and `openssl rand -base64 32` print such texts.
  public init?(_ text: String) {
    var digits = text.utf8[...]
    while let first = digits.first, first == 0x20 || 0x09...0x0D ~= first { digits.removeFirst() }
    while let last = digits.last, last == 0x20 || 0x09...0x0D ~= last { digits.removeLast() }
    guard let octets = digits.count == 64 ? MasterKey.hexadecimal(digits) : MasterKey.base64(digits) else {
      return nil
    }
    self.init(octets: octets)
  }

  /// A new key from the system's generator.
  public static func random() -> MasterKey {
    var generator = SystemRandomNumberGenerator()
    return MasterKey(random: &generator)
  }

  init(random generator: inout some RandomNumberGenerator) {
    octets = (0..<MasterKey.size).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }

  /// The key as 64 hexadecimal digits, for its file alone.
  var text: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: octets.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// `a master key`.
  public var description: String { "a master key" }

  private static func hexadecimal(_ text: Substring.UTF8View) -> [UInt8]? {
    var octets: [UInt8] = []
    var pending: UInt8?
    for digit in text {
      guard let value = Character(Unicode.Scalar(digit)).hexDigitValue.map(UInt8.init) else { return nil }
      if let high = pending {
        octets.append(high << 4 | value)
        pending = nil
      } else {
        pending = value
      }
    }
    return octets
  }

  private static func base64(_ text: Substring.UTF8View) -> [UInt8]? {
    let digits = text.last == UInt8(ascii: "=") ? text.dropLast() : text
    // What is left over of the last digit says nothing and must be nothing.
    guard let (octets, rest) = PabalCore.octets(ofBase64: digits), rest == 0 else { return nil }
    return octets
  }
}
