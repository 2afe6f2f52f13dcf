/// The final sound of a word, as far as it affects Korean particles.
enum LastSound: Sendable, Hashable {
  case vowel
  /// The final consonant ㄹ, which (으)로 treats as a vowel.
  case rieul
  case consonant
}

extension LastSound {
  /// Returns the final sound of `text` as read aloud in Korean, or `nil` if it can't be determined.
  ///
  /// Digits are read as a number (10 is 십), or one by one with `digitByDigit` (공); words in Latin letters as in
  /// ``KoreanReadings``, otherwise by the name of the last letter (L is 엘). Closing marks, spaces and emoji are ignored. Text in parentheses is ignored, unless only it contains a
  /// Hangul reading: `삼성(Samsung)` is 삼성, `Slack(슬랙)` is 슬랙.
  static func of(_ text: String, digitByDigit: Bool = false) -> LastSound? {
    if let last = text.unicodeScalars.last, let sound = LastSound(hangul: last) { return sound }
    let scalars = Array(text.unicodeScalars)
    return Pronunciation(scalars: scalars, digitByDigit: digitByDigit).ending(in: scalars[...])?.sound
  }

  /// Returns the Latin word that determines the sound of `text` by the name of its last letter, although it can be read
  /// as a word: `Foobar`, but neither `Google`, which is listed, nor `KBS`, which has no vowel.
  static func spelledWord(in text: String) -> String? {
    let scalars = Array(text.unicodeScalars)
    let word = Pronunciation(scalars: scalars, digitByDigit: false).ending(in: scalars[...])?.spelled ?? []
    let isReadable =
      word.contains { "aeiouAEIOU".unicodeScalars.contains(LookAlike.narrowed($0)) || !$0.isASCII }
      || word.dropFirst().contains { $0.properties.isLowercase }
    return word.count >= 3 && isReadable ? String(scalars: word) : nil
  }

  /// The final sound of a Hangul syllable, jamo or letter.
  init?(hangul scalar: Unicode.Scalar) {
    switch scalar.value {
    case 0xAC00...0xD7A3:
      switch (scalar.value - 0xAC00) % 28 {
      case 0: self = .vowel
      case 8: self = .rieul
      default: self = .consonant
      }
    case 0x1161...0x1175, 0x314F...0x3163: self = .vowel
    case 0x11AF: self = .rieul
    case 0x11A8...0x11C2: self = .consonant
    // A single letter is read by its name, which ends in the consonant itself: 리을, 기역.
    case 0x3139: self = .rieul
    case 0x3131...0x314E: self = .consonant
    default: return nil
    }
  }

  /// The final sound of a digit: 영, 일, 이, 삼, 사, 오, 육, 칠, 팔, 구.
  init(digit: Int) {
    switch digit {
    case 1, 7, 8: self = .rieul
    case 2, 4, 5, 9: self = .vowel
    default: self = .consonant
    }
  }

  /// The final sound of a letter's Korean name: 엘 and 알, 엠 and 엔; all others end in a vowel.
  init?(latin letter: Unicode.Scalar) {
    switch letter {
    case "l", "L", "r", "R": self = .rieul
    case "m", "M", "n", "N": self = .consonant
    case "a"..."z", "A"..."Z": self = .vowel
    default: return nil
    }
  }
}

/// Determines the pronunciation of a text, starting from its end.
private struct Pronunciation {
  typealias Scalars = ArraySlice<Unicode.Scalar>
  /// A sound, whether it comes from Hangul, and the word in Latin letters that was read by the name of its last letter.
  typealias SyllableEnding = (sound: LastSound, isHangul: Bool, spelled: Scalars)

  let scalars: [Unicode.Scalar]
  let digitByDigit: Bool

  func ending(in text: Scalars) -> SyllableEnding? {
    var end = text.endIndex
    while end > text.startIndex {
      let last = text[end - 1]
      if let sound = LastSound(hangul: last) { return (sound, true, []) }
      if let sound = LastSound(latin: last) { return word(endingAt: end, letterSound: sound, in: text) }
      if let sound = number(endingAt: end, in: text) { return (sound, false, []) }
      if last == ")" || last == "）", let open = opening(before: end - 1, in: text) {
        let outside = ending(in: text[text.startIndex..<open])
        if let outside, outside.isHangul { return outside }
        let inside = ending(in: text[(open + 1)..<(end - 1)])
        if let inside, inside.isHangul { return inside }
        return outside ?? inside
      }
      if let sound = symbol(at: end - 1, in: text) { return (sound, false, []) }
      guard isSkipped(last) else {
        guard let sound = letter(last) else { return nil }
        return isKana(last) ? (sound, false, []) : word(endingAt: end, letterSound: sound, in: text)
      }
      end -= 1
    }
    return nil
  }

  /// Returns the sound of the Latin word that ends before `end`: that of its Korean reading if it is listed, or if the
  /// part from its last capital is (`KakaoMap`); otherwise that of the name of its last letter.
  private func word(endingAt end: Int, letterSound: LastSound, in text: Scalars) -> SyllableEnding {
    var start = end
    var capital: Int?
    while start > text.startIndex, isLatin(text[start - 1]) {
      start -= 1
      if capital == nil, start + 1 < end, ("A"..."Z").contains(text[start]),
        ("a"..."z").contains(text[start + 1])
      {
        capital = start
      }
    }
    for first in [start, capital ?? start] where end - first <= KoreanReadings.maxLength {
      var key = String.UnicodeScalarView()
      for scalar in text[first..<end] {
        let narrow = LookAlike.narrowed(scalar)
        key.append(("A"..."Z").contains(narrow) ? Unicode.Scalar(UInt8(narrow.value) | 0x20) : narrow)
      }
      if let sound = KoreanReadings.lastSound(of: String(key)) { return (sound, false, []) }
      if first == capital { break }
    }
    return (letterSound, false, text[start..<end])
  }

  private func isLatin(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) }
    return (0xC0...0x24F).contains(scalar.value) && scalar.value != 0xD7 && scalar.value != 0xF7
      || (0x1E00...0x1EFF).contains(scalar.value) || (0xFF21...0xFF3A).contains(scalar.value)
      || (0xFF41...0xFF5A).contains(scalar.value)
  }

  private func isKana(_ scalar: Unicode.Scalar) -> Bool { (0x3041...0x30FF).contains(scalar.value) }

  /// Returns the index of the parenthesis that is closed at `close`, if there is text before it.
  private func opening(before close: Int, in text: Scalars) -> Int? {
    var depth = 1
    var index = close
    while index > text.startIndex {
      index -= 1
      switch text[index] {
      case ")", "）": depth += 1
      case "(", "（":
        depth -= 1
        if depth == 0 { return index > text.startIndex ? index : nil }
      default: break
      }
    }
    return nil
  }

  private func isSkipped(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
      .decimalNumber, .letterNumber, .otherNumber, .privateUse, .unassigned:
      false
    default: true
    }
  }

  /// Returns the sound of a symbol that is read aloud.
  private func symbol(at index: Int, in text: Scalars) -> LastSound? {
    switch text[index] {
    // 퍼센트, 플러스, 도, 도, 도, 달러, 유로
    case "%", "％", "+", "＋", "°", "℃", "℉", "$", "€": .vowel
    // 원, 엔
    case "₩", "￦", "¥", "￥": .consonant
    // 샵, but only after a letter, as in C#
    case "#" where index > text.startIndex && LastSound(latin: text[index - 1]) != nil: .consonant
    default: nil
    }
  }

  /// Returns the sound of letters other than A to Z: accented and full-width letters, and kana.
  private func letter(_ scalar: Unicode.Scalar) -> LastSound? {
    switch scalar.value {
    case 0xFF21...0xFF3A, 0xFF41...0xFF5A:
      return Unicode.Scalar(scalar.value - 0xFEE0).flatMap(LastSound.init(latin:))
    case 0x3093, 0x30F3: return .consonant
    case 0x3041...0x3096, 0x30A1...0x30FA, 0x30FC: return .vowel
    default: break
    }
    // The Unicode name contains the base letter: LATIN SMALL LETTER E WITH ACUTE.
    guard let name = scalar.properties.name else { return nil }
    for start in ["LATIN SMALL LETTER ", "LATIN CAPITAL LETTER "] where name.hasPrefix(start) {
      let letter = name.dropFirst(start.count)
      guard let first = letter.unicodeScalars.first, letter.dropFirst().hasPrefix(" WITH ") else {
        return nil
      }
      return LastSound(latin: first)
    }
    return nil
  }

  /// Returns the sound of the number that ends before `end`, including the currency sign before it, if any.
  private func number(endingAt end: Int, in text: Scalars) -> LastSound? {
    guard let last = digit(text[end - 1]) else { return numeral(text[end - 1]) }
    if digitByDigit { return LastSound(digit: last) }

    var digits = [last]
    var start = end - 1
    while start > text.startIndex {
      if let next = digit(text[start - 1]) {
        digits.append(next)
        start -= 1
      } else if text[start - 1] == ",", start - 1 > text.startIndex, digit(text[start - 2]) != nil {
        start -= 1
      } else {
        break
      }
    }
    if start > text.startIndex {
      switch text[start - 1] {
      case "$", "€": return .vowel
      case "₩", "￦", "¥", "￥": return .consonant
      // Decimals are read digit by digit.
      case "." where start - 1 > text.startIndex && digit(text[start - 2]) != nil:
        return LastSound(digit: last)
      default: break
      }
    }
    let zeros = digits.prefix { $0 == 0 }.count
    // 010 is read 공일공.
    guard zeros > 0, zeros < digits.count, digits[digits.count - 1] != 0 else {
      return LastSound(digit: last)
    }
    switch zeros {
    // 조 and 해; all other units (십 백 천 만 억 경) end in a consonant other than ㄹ.
    case 12...15, 20...23: return .vowel
    case 24...: return nil
    default: return .consonant
    }
  }

  private func digit(_ scalar: Unicode.Scalar) -> Int? {
    if scalar.value < 0x80 {
      return scalar.value >= 0x30 && scalar.value <= 0x39 ? Int(scalar.value) - 0x30 : nil
    }
    guard scalar.properties.numericType == .decimal else { return nil }
    return scalar.properties.numericValue.map { Int($0) }
  }

  /// Returns the sound of a single-character numeral: Ⅱ, ⑩, 三.
  private func numeral(_ scalar: Unicode.Scalar) -> LastSound? {
    guard scalar.value >= 0x80, let value = scalar.properties.numericValue, value >= 0, value <= 10_000,
      value == value.rounded()
    else { return nil }
    return LastSound(digit: Int(value) % 10)
  }
}
