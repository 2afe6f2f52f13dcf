/// What is wrong with a JSON text, and where.
struct JSONSyntaxError: Error {
  var message: String
  var remedy: String?
  var position: SourcePosition

  init(_ message: String, _ remedy: String?, at position: SourcePosition) {
    self.message = message
    self.remedy = remedy
    self.position = position
  }
}

/// Walks the bytes of a JSON text and knows its line and column.
struct JSONScanner {
  let bytes: [UInt8]
  var index: Int

  // Positions are asked for in reading order, so counting on from the last one costs one pass in all;
  // only a mistake looks back.
  private let start: Int
  private var counted: Int
  private var line = 1
  private var column = 1

  init(_ bytes: [UInt8]) throws(JSONSyntaxError) {
    self.bytes = bytes
    start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    index = start
    counted = start
    let first = SourcePosition(line: 1, column: 1)
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
      || bytes.prefix(2).contains(0) && bytes.count > 1
    {
      throw JSONSyntaxError("the file is UTF-16 or UTF-32", "save it as UTF-8", at: first)
    }
    if let wrong = Self.firstInvalidUTF8(bytes) {
      throw JSONSyntaxError("an octet that isn't UTF-8", "save the file as UTF-8", at: position(of: wrong))
    }
  }

  private static func firstInvalidUTF8(_ bytes: [UInt8]) -> Int? {
    do {
      _ = try UTF8Span(validating: bytes.span)
      return nil
    } catch {
      return error.byteOffsets.lowerBound
    }
  }

  /// The byte at hand, or `nil` at the end.
  var next: UInt8? { index < bytes.count ? bytes[index] : nil }

  var isAtEnd: Bool { index >= bytes.count }

  /// Where the byte at hand stands.
  var position: SourcePosition {
    mutating get { position(of: index) }
  }

  /// Where the byte at `index` stands.
  mutating func position(of index: Int) -> SourcePosition {
    if index < counted { (counted, line, column) = (start, 1, 1) }
    while counted < index {
      let byte = bytes[counted]
      counted += 1
      if byte == UInt8(ascii: "\n") {
        line += 1
        column = 1
      } else if byte & 0xC0 != 0x80 {
        column += 1
      }
    }
    return SourcePosition(line: line, column: column)
  }

  mutating func skipWhitespace() {
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): index += 1
      default: return
      }
    }
  }

  /// Takes the ASCII character if it is at hand.
  mutating func consume(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    index += 1
    return true
  }

  /// Takes `word` if it is at hand and no longer word is.
  mutating func consumeWord(_ word: StaticString) -> Bool {
    let end = index + word.utf8CodeUnitCount
    guard wordEnd == end else { return false }
    for i in 0..<word.utf8CodeUnitCount where bytes[index + i] != word.utf8Start[i] { return false }
    index = end
    return true
  }

  /// The index after the run at hand of letters, digits, `_`, `$`, `-`, `.`, `+` and non-ASCII.
  var wordEnd: Int {
    bytes[index...].firstIndex { !($0.isInNumberOrWord || $0 == UInt8(ascii: "$") || $0 > 0x7F) }
      ?? bytes.count
  }

  /// The index after the run at hand of ASCII letters, digits, `_`, `-`, `.` and `+`.
  var numberEnd: Int { bytes[index...].firstIndex { !$0.isInNumberOrWord } ?? bytes.count }

  /// The text of `range`, which begins and ends between scalars.
  func text(_ range: Range<Int>) -> String {
    String(decoding: bytes[range], as: UTF8.self)
  }
}

extension UInt8 {
  fileprivate var isInNumberOrWord: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "+"):
      true
    default: false
    }
  }
}

// What people write where JSON wants something else, each in a sentence of its own.
extension JSONScanner {
  mutating func errorExpectingValue() -> JSONSyntaxError {
    let location = position
    guard let next else {
      let empty = bytes.allSatisfy { $0 <= 0x20 || $0 > 0x7F }
      return JSONSyntaxError(
        empty ? "the file is empty" : "the file ends where a value should stand",
        empty ? "write at least {}" : nil, at: location)
    }
    if let error = strayCharacterError(at: location) { return error }
    switch next {
    case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "}"), UInt8(ascii: "]"):
      return JSONSyntaxError("\(Unicode.Scalar(next)) where a value should stand", nil, at: location)
    default:
      let (message, remedy) = describeInvalidWord(text(index..<wordEnd))
      return JSONSyntaxError(message, remedy, at: location)
    }
  }

  // An unknown word is not repeated: it may be a password that lost its quotes.
  private func describeInvalidWord(_ word: String) -> (String, String?) {
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

  mutating func errorExpectingKey(openedAt: SourcePosition) -> JSONSyntaxError {
    let location = position
    guard let next else { return unclosedError("{", openedAt: openedAt) }
    if let error = strayCharacterError(at: location) { return error }
    let end = wordEnd
    if end > index, UInt8(ascii: "0")...UInt8(ascii: "9") ~= next || next == UInt8(ascii: "-") {
      return JSONSyntaxError("a key that is no string", "write it in double quotes", at: location)
    }
    if end > index {
      let word = text(index..<end)
      let shown = isPlainKey(word) ? "\"\(word)\"" : "it in double quotes"
      return JSONSyntaxError("a key without quotes", "write \(shown)", at: location)
    }
    return JSONSyntaxError("\(Unicode.Scalar(next)) where a key should stand", nil, at: location)
  }

  mutating func errorAfterKey(_ key: String) -> JSONSyntaxError {
    let location = position
    guard let next else { return JSONSyntaxError("the file ends after the key", nil, at: location) }
    if let error = strayCharacterError(at: location) { return error }
    return JSONSyntaxError(
      "expected : after the key", next == UInt8(ascii: "=") ? "write : in place of =" : nil, at: location)
  }

  /// `end` is the index just after the value, where a missing comma belongs.
  mutating func errorAfterValue(
    endedAt end: Int, bracket: Unicode.Scalar, openedAt: SourcePosition
  ) -> JSONSyntaxError {
    let message = "expected , or \(bracket) after the value"
    guard let next else { return unclosedError(bracket == "}" ? "{" : "[", openedAt: openedAt) }
    switch next {
    case UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"):
      return JSONSyntaxError(message, "put a comma here", at: position(of: end))
    default:
      let location = position
      return strayCharacterError(at: location) ?? JSONSyntaxError(message, nil, at: location)
    }
  }

  mutating func errorAfterDocument() -> JSONSyntaxError {
    let location = position
    return strayCharacterError(at: location)
      ?? JSONSyntaxError("something after the end of the JSON text", "take it out", at: location)
  }

  private mutating func unclosedError(_ bracket: String, openedAt: SourcePosition) -> JSONSyntaxError {
    JSONSyntaxError(
      "the file ends before the \(bracket) of line \(openedAt.line), column \(openedAt.column) is closed",
      nil,
      at: position)
  }

  /// A character that JSON knows nowhere outside a string, if one is at hand.
  private func strayCharacterError(at location: SourcePosition) -> JSONSyntaxError? {
    guard let scalar = text(index..<min(index + 4, bytes.count)).unicodeScalars.first else { return nil }
    switch scalar {
    case "'", "`":
      return JSONSyntaxError("a single quotation mark", "JSON takes double quotes: \"…\"", at: location)
    case "/", "#":
      return JSONSyntaxError("a comment; JSON has none", "take it out", at: location)
    case "\u{2018}"..."\u{201F}", "\u{300C}"..."\u{300F}", "\u{FF02}", "\u{FF07}", "\u{AB}", "\u{BB}":
      return JSONSyntaxError("a quotation mark that isn't JSON's", "write the straight one: \"", at: location)
    case "\u{FF0C}", "\u{FF1A}", "\u{3001}":
      return JSONSyntaxError("a full-width \(scalar)", "write the ASCII one", at: location)
    case "\u{A0}", "\u{AD}", "\u{1680}", "\u{2000}"..."\u{200F}", "\u{2028}"..."\u{202F}",
      "\u{205F}"..."\u{206F}", "\u{3000}", "\u{FEFF}", "\0"..."\u{1F}", "\u{7F}"..."\u{9F}":
      return JSONSyntaxError(
        "an invisible character, U+\(Self.hexadecimal(scalar))", "take it out", at: location)
    default:
      return nil
    }
  }

  private static func hexadecimal(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}
