/// Why a text is not JSON (RFC 8259), where, and what to write instead.
///
/// An unknown word of the text is never repeated, since it may be a password that lost its quotes.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong; one sentence without its full stop.
  public var message: String
  /// What to do; one sentence without its full stop, `nil` if that depends on what was meant.
  public var remedy: String?
  /// The position of the mistake.
  public var position: SourcePosition

  /// A mistake at a position.
  public init(_ message: String, remedy: String? = nil, at position: SourcePosition) {
    self.message = message
    self.remedy = remedy
    self.position = position
  }

  /// `line:column: message; remedy`.
  public var description: String {
    "\(position.line):\(position.column): \(message)" + (remedy.map { "; \($0)" } ?? "")
  }

  /// The text as the sentences of an error call it.
  public enum Subject: Sendable, Hashable {
    /// "the file", which is saved.
    case file
    /// "the body" of a request, which is sent.
    case body

    var noun: String { self == .file ? "the file" : "the body" }
    var verb: String { self == .file ? "save" : "send" }
  }
}

/// A mistake at a byte, before its line and column are counted.
struct JSONMistake: Error {
  var message: String
  var remedy: String?
  var offset: Int

  init(_ message: String, _ remedy: String?, at offset: Int) {
    self.message = message
    self.remedy = remedy
    self.offset = offset
  }
}

/// Explains what people write where JSON wants something else, each mistake in a sentence of its own.
struct JSONMistakeExplainer {
  let text: JSONText
  let subject: JSONError.Subject

  /// The text does not begin or is not encoded as UTF-8; `nil` if it is.
  var encodingMistake: JSONMistake? {
    let bytes = text.bytes
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
      || bytes.count > 1 && (bytes[0] == 0 || bytes[1] == 0)
    {
      return JSONMistake("\(subject.noun) is UTF-16 or UTF-32", "\(subject.verb) it as UTF-8", at: 0)
    }
    guard let offset = text.firstInvalidByte else { return nil }
    return JSONMistake(
      "invalid UTF-8", "\(subject.verb) \(subject.noun) as UTF-8", at: offset)
  }

  func notAValue(at offset: Int) -> JSONMistake {
    guard let next = text[offset] else {
      let isEmpty = text.bytes.allSatisfy { $0 <= 0x20 || $0 > 0x7F }
      return JSONMistake(
        isEmpty ? "\(subject.noun) is empty" : "\(subject.noun) ends where a value is expected",
        isEmpty ? "write at least {}" : nil, at: offset)
    }
    if let mistake = strayCharacter(at: offset) { return mistake }
    switch next {
    case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "}"), UInt8(ascii: "]"):
      return JSONMistake("expected a value, not \(Unicode.Scalar(next))", nil, at: offset)
    default:
      let (message, remedy) = explanation(ofWord: text.string(offset..<text.wordEnd(from: offset)))
      return JSONMistake(message, remedy, at: offset)
    }
  }

  private func explanation(ofWord word: String) -> (String, String?) {
    switch word.lowercased() {
    case "true", "yes", "on": ("\(word) is not a JSON value", "write true")
    case "false", "no", "off": ("\(word) is not a JSON value", "write false")
    case "null", "none", "nil", "undefined": ("\(word) is not a JSON value", "write null")
    case "nan", "inf", "infinity", "+infinity": ("\(word) is not a JSON value", "write a number")
    case let word where word.first == "+": ("number with a plus sign", "remove the sign")
    case let word where word.first == ".":
      ("number without a digit before its decimal point", "write 0 before it")
    case "": ("unexpected character", nil)
    default: ("word without quotes", "write it in double quotes")
    }
  }

  /// `object` is the offset of the opening brace.
  func notAKey(at offset: Int, inObject object: Int) -> JSONMistake {
    guard let next = text[offset] else { return neverClosed("{", openedAt: object) }
    if let mistake = strayCharacter(at: offset) { return mistake }
    let end = text.wordEnd(from: offset)
    if end > offset, UInt8(ascii: "0")...UInt8(ascii: "9") ~= next || next == UInt8(ascii: "-") {
      return JSONMistake("key that is not a string", "write it in double quotes", at: offset)
    }
    if end > offset {
      let word = text.string(offset..<end)
      return JSONMistake(
        "key without quotes",
        "write " + (JSONValue.isPlainKey(word) ? "\"\(word)\"" : "it in double quotes"),
        at: offset)
    }
    return JSONMistake("expected a key, not \(Unicode.Scalar(next))", nil, at: offset)
  }

  func notAColon(at offset: Int) -> JSONMistake {
    guard let next = text[offset] else {
      return JSONMistake("\(subject.noun) ends after the key", nil, at: offset)
    }
    if let mistake = strayCharacter(at: offset) { return mistake }
    return JSONMistake(
      "expected : after the key", next == UInt8(ascii: "=") ? "write : instead of =" : nil, at: offset)
  }

  /// `end` is the offset just after the value, where a missing comma belongs; `opening` that of the bracket.
  func notAComma(
    at offset: Int, afterValueEndingAt end: Int, closing bracket: UInt8, openedAt opening: Int
  ) -> JSONMistake {
    guard let next = text[offset] else {
      return neverClosed(bracket == UInt8(ascii: "}") ? "{" : "[", openedAt: opening)
    }
    let message = "expected , or \(Unicode.Scalar(bracket)) after the value"
    switch next {
    case UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"):
      return JSONMistake(message, "add a comma here", at: end)
    default:
      return strayCharacter(at: offset) ?? JSONMistake(message, nil, at: offset)
    }
  }

  func trailingComma(at offset: Int, before bracket: UInt8) -> JSONMistake {
    JSONMistake(
      "comma before \(Unicode.Scalar(bracket))", "remove the comma", at: offset)
  }

  func trailingText(at offset: Int) -> JSONMistake {
    strayCharacter(at: offset)
      ?? JSONMistake("text after the end of the JSON value", "remove it", at: offset)
  }

  private func neverClosed(_ bracket: String, openedAt opening: Int) -> JSONMistake {
    let position = text.position(of: opening)
    let place = "line \(position.line), column \(position.column)"
    return JSONMistake(
      "\(subject.noun) ends before the \(bracket) of \(place) is closed", nil, at: text.bytes.count)
  }

  /// A character that has no place outside a string, if one is at `offset`.
  private func strayCharacter(at offset: Int) -> JSONMistake? {
    let scalars = text.string(offset..<min(offset + 4, text.bytes.count)).unicodeScalars
    guard let scalar = scalars.first else { return nil }
    switch scalar {
    case "'", "`":
      return JSONMistake("single quotation mark", "use double quotes: \"…\"", at: offset)
    case "/", "#":
      return JSONMistake("comment, which JSON doesn't allow", "remove it", at: offset)
    case "\u{2018}"..."\u{201F}", "\u{300C}"..."\u{300F}", "\u{FF02}", "\u{FF07}", "\u{AB}", "\u{BB}":
      return JSONMistake("typographic quotation mark", "use the straight one: \"", at: offset)
    case "\u{FF0C}", "\u{FF1A}", "\u{3001}":
      return JSONMistake("full-width \(scalar)", "use the ASCII character", at: offset)
    case "\u{A0}", "\u{AD}", "\u{1680}", "\u{2000}"..."\u{200F}", "\u{2028}"..."\u{202F}",
      "\u{205F}"..."\u{206F}", "\u{3000}", "\u{FEFF}", "\0"..."\u{1F}", "\u{7F}"..."\u{9F}":
      let digits = String(scalar.value, radix: 16, uppercase: true)
      let code = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
      return JSONMistake("invisible character U+\(code)", "remove it", at: offset)
    default:
      return nil
    }
  }
}
