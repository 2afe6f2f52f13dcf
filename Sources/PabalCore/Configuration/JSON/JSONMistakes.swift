// What people write where JSON wants something else, each in a sentence of its own.
extension JSONScanner {
  mutating func mistakeInPlaceOfValue() -> JSONMistake {
    let place = position
    guard let next else {
      let empty = octets.allSatisfy { $0 <= 0x20 || $0 > 0x7F }
      return JSONMistake(
        empty ? "the file is empty" : "the file ends where a value should stand",
        empty ? "write at least {}" : nil, at: place)
    }
    if let mistake = strayCharacter(at: place) { return mistake }
    switch next {
    case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "}"), UInt8(ascii: "]"):
      return JSONMistake("\(Unicode.Scalar(next)) where a value should stand", nil, at: place)
    default:
      let (what, cure) = faultOfWord(text(index..<wordEnd))
      return JSONMistake(what, cure, at: place)
    }
  }

  // An unknown word is not repeated: it may be a password that lost its quotes.
  private func faultOfWord(_ word: String) -> (String, String?) {
    switch word.lowercased() {
    case "true", "yes", "on": ("\(word) is no JSON value", "write true")
    case "false", "no", "off": ("\(word) is no JSON value", "write false")
    case "null", "none", "nil", "undefined": ("\(word) is no JSON value", "write null")
    case "nan", "inf", "infinity", "+infinity": ("\(word) is no JSON value", "write a number")
    case let word where word.first == "+": ("a number with a plus sign", "take the sign out")
    case let word where word.first == ".": ("a number with no digit before its point", "write 0 before it")
    case "": ("a character that begins no JSON value", nil)
    default: ("a word without quotes", "write it in double quotes")
    }
  }

  mutating func mistakeInPlaceOfKey(opened: SourcePosition) -> JSONMistake {
    let place = position
    guard let next else { return neverClosed("{", opened: opened) }
    if let mistake = strayCharacter(at: place) { return mistake }
    let end = wordEnd
    if end > index, UInt8(ascii: "0")...UInt8(ascii: "9") ~= next || next == UInt8(ascii: "-") {
      return JSONMistake("a key that is no string", "write it in double quotes", at: place)
    }
    if end > index {
      let word = text(index..<end)
      let shown = isPlainKey(word) ? "\"\(word)\"" : "it in double quotes"
      return JSONMistake("a key without quotes", "write \(shown)", at: place)
    }
    return JSONMistake("\(Unicode.Scalar(next)) where a key should stand", nil, at: place)
  }

  mutating func mistakeAfterKey(_ key: String) -> JSONMistake {
    let place = position
    guard let next else { return JSONMistake("the file ends after the key", nil, at: place) }
    if let mistake = strayCharacter(at: place) { return mistake }
    return JSONMistake(
      "expected : after the key", next == UInt8(ascii: "=") ? "write : in place of =" : nil, at: place)
  }

  /// `end` is the index just after the value, where a missing comma belongs.
  mutating func mistakeAfterValue(
    endedAt end: Int, bracket: Unicode.Scalar, opened: SourcePosition
  ) -> JSONMistake {
    let what = "expected , or \(bracket) after the value"
    guard let next else { return neverClosed(bracket == "}" ? "{" : "[", opened: opened) }
    switch next {
    case UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"):
      return JSONMistake(what, "put a comma here", at: position(of: end))
    default:
      let place = position
      return strayCharacter(at: place) ?? JSONMistake(what, nil, at: place)
    }
  }

  mutating func mistakeAfterTheText() -> JSONMistake {
    let place = position
    return strayCharacter(at: place)
      ?? JSONMistake("something after the end of the JSON text", "take it out", at: place)
  }

  private mutating func neverClosed(_ bracket: String, opened: SourcePosition) -> JSONMistake {
    JSONMistake(
      "the file ends before the \(bracket) of line \(opened.line), column \(opened.column) is closed", nil,
      at: position)
  }

  /// A character that JSON knows nowhere outside a string, if one is at hand.
  private func strayCharacter(at place: SourcePosition) -> JSONMistake? {
    guard let scalar = text(index..<min(index + 4, octets.count)).unicodeScalars.first else { return nil }
    switch scalar {
    case "'", "`":
      return JSONMistake("a single quotation mark", "JSON takes double quotes: \"…\"", at: place)
    case "/", "#":
      return JSONMistake("a comment; JSON has none", "take it out", at: place)
    case "\u{2018}"..."\u{201F}", "\u{300C}"..."\u{300F}", "\u{FF02}", "\u{FF07}", "\u{AB}", "\u{BB}":
      return JSONMistake("a quotation mark that isn't JSON's", "write the straight one: \"", at: place)
    case "\u{FF0C}", "\u{FF1A}", "\u{3001}":
      return JSONMistake("a full-width \(scalar)", "write the ASCII one", at: place)
    case "\u{A0}", "\u{AD}", "\u{1680}", "\u{2000}"..."\u{200F}", "\u{2028}"..."\u{202F}",
      "\u{205F}"..."\u{206F}", "\u{3000}", "\u{FEFF}", "\0"..."\u{1F}", "\u{7F}"..."\u{9F}":
      return JSONMistake(
        "an invisible character, U+\(Self.hexadecimal(scalar))", "take it out", at: place)
    default:
      return nil
    }
  }

  private static func hexadecimal(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}
