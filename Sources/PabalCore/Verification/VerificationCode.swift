/// The digits that a person reads in a mail and types.
enum VerificationCode {
  /// The maximum number of Unicode scalars in an input. A code with spaces has far fewer.
  private static let inputLimit = 64

  /// Returns a uniformly distributed code. `random` returns 64 uniform bits.
  static func random(digits: Int, _ random: () -> UInt64) -> String {
    let codes = (0..<digits).reduce(UInt64(1)) { product, _ in product * 10 }
    // Numbers above the last whole multiple are drawn again because they would make low codes more likely.
    let last = UInt64.max - (UInt64.max % codes + 1) % codes
    var number = random()
    while number > last { number = random() }
    let text = String(number % codes)
    return String(repeating: "0", count: digits - text.utf8.count) + text
  }

  /// Returns the code in a typed or pasted input, in ASCII digits, or `nil` if the input can't be a code.
  ///
  /// Digits of any script are accepted, such as full-width `１２３`. Spaces, dashes and invisible characters are
  /// ignored.
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
      // The minus sign looks like a dash, and the Hangul filler like a space.
      case _ where scalar == "\u{2212}" || scalar == "\u{3164}": break
      default: return nil
      }
    }
    return code.utf8.count == digits ? code : nil
  }
}
