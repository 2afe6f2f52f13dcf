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
  /// Digits of any script are accepted, such as full-width `１２３`. Everything that isn't a letter, a symbol or another
  /// number is ignored: spaces, punctuation, quotes and brackets, and whatever Unicode declares ignorable. An input
  /// method or a mail program adds such characters, and they can't be used for guessing.
  static func read(_ input: String, digits: Int) -> String? {
    var code = ""
    for (count, scalar) in input.unicodeScalars.enumerated() {
      guard count < inputLimit else { return nil }
      if scalar.properties.generalCategory == .decimalNumber {
        guard let value = scalar.properties.numericValue, code.utf8.count < digits else { return nil }
        code += String(Int(value))
      } else if !isIgnored(scalar) {
        return nil
      }
    }
    return code.utf8.count == digits ? code : nil
  }

  private static func isIgnored(_ scalar: Unicode.Scalar) -> Bool {
    let properties = scalar.properties
    if properties.isDefaultIgnorableCodePoint { return true }
    switch properties.generalCategory {
    case .format, .spaceSeparator, .lineSeparator, .paragraphSeparator: return true
    case .dashPunctuation, .connectorPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return true
    // The marks of keycaps and of other presentations of a digit.
    case .enclosingMark: return true
    case .control: return properties.isWhitespace
    default: return lookalikes.contains(scalar)
    }
  }

  /// Characters of other categories that look like a dash, a quote or a space: the long vowel marks and the letter ㅡ,
  /// which Japanese and Korean keyboards have in the place of a dash, the minus sign, accents typed as quotes, tildes
  /// and the blank Braille pattern.
  private static let lookalikes: Set<Unicode.Scalar> = [
    "\u{30FC}", "\u{FF70}", "\u{3161}", "\u{2212}", "`", "\u{B4}", "\u{FF40}", "\u{2BC}", "\u{2BB}", "~",
    "\u{FF5E}",
    "\u{2800}",
  ]
}
