/// The digits a person reads in a mail and types.
enum VerificationCode {
  /// The most scalars of an input that are looked at; a code with its spaces has far fewer.
  private static let inputLimit = 64

  /// So many digits, each code as likely as any other; `random` gives 64 uniform bits.
  static func random(digits: Int, _ random: () -> UInt64) -> String {
    let codes = (0..<digits).reduce(UInt64(1)) { product, _ in product * 10 }
    // Numbers above the last whole multiple would favour the low codes.
    let last = UInt64.max - (UInt64.max % codes + 1) % codes
    var number = random()
    while number > last { number = random() }
    let text = String(number % codes)
    return String(repeating: "0", count: digits - text.utf8.count) + text
  }

  /// The code that a person typed or pasted, with ASCII digits; `nil` where it can't be one.
  ///
  /// Digits of any script count as digits, full-width `１２３` among them; spaces, dashes and what nobody can
  /// see are left out.
  static func read(_ input: String, digits: Int) -> String? {
    var code = ""
    for (count, scalar) in input.unicodeScalars.enumerated() {
      guard count < inputLimit else { return nil }
      let properties = scalar.properties
      switch properties.generalCategory {
      case .decimalNumber:
        guard let value = properties.numericValue, code.utf8.count < digits else { return nil }
        code += String(Int(value))
      case .dashPunctuation, .format, .spaceSeparator, .lineSeparator, .paragraphSeparator: break
      case .control where properties.isWhitespace: break
      // The minus sign and the Hangul filler look like a dash and a space.
      case _ where scalar == "\u{2212}" || scalar == "\u{3164}": break
      default: return nil
      }
    }
    return code.utf8.count == digits ? code : nil
  }
}

/// Names that nobody can guess.
enum RandomString {
  private static let digits = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

  /// 26 characters: four of the time, so that what was started together lies together in a store's indexes,
  /// and 110 random bits.
  static func id(at now: Timestamp, _ random: () -> UInt64) -> String {
    let seconds = now.milliseconds / 1_000
    let time = [15, 10, 5, 0].map { digits[Int(truncatingIfNeeded: seconds >> $0) & 31] }
    return String(decoding: time, as: UTF8.self) + make(22, random)
  }

  /// `count` characters of Crockford's base32, five random bits each.
  static func make(_ count: Int, _ random: () -> UInt64) -> String {
    var bytes: [UInt8] = []
    while bytes.count < count {
      var number = random()
      // Twelve whole digits of each 64 bits.
      for _ in 0..<12 where bytes.count < count {
        bytes.append(digits[Int(number & 31)])
        number >>= 5
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
