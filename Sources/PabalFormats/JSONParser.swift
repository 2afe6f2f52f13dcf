/// Parses JSON as RFC 8259 defines it and nothing more, and records the position of every value.
///
/// Keys written twice are kept twice, so that a reader who knows the keys can report them. The first mistake
/// is the only one reported, because what follows it is guesswork.
public struct JSONParser: Sendable {
  /// How many arrays and objects may be nested in one another, at least 1. The parser is recursive; 64 levels
  /// fit every thread's stack.
  public var maxDepth: Int
  /// Whether a byte order mark before the text is skipped (RFC 8259, section 8.1); if not, it is a mistake.
  public var skipsByteOrderMark: Bool
  /// The text as errors call it.
  public var subject: JSONError.Subject

  /// A parser with these limits.
  public init(maxDepth: Int = 64, skipsByteOrderMark: Bool = true, subject: JSONError.Subject = .file) {
    self.maxDepth = maxDepth
    self.skipsByteOrderMark = skipsByteOrderMark
    self.subject = subject
  }

  /// Parses one JSON text in UTF-8.
  public func parse(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
    try bytes.withUnsafeBufferPointer { (bytes) throws(JSONError) in
      let text = JSONText(bytes, skipsByteOrderMark: skipsByteOrderMark)
      do throws(JSONMistake) {
        var scanner = JSONScanner(text, maxDepth: maxDepth, subject: subject)
        return try scanner.document()
      } catch {
        throw JSONError(error.message, remedy: error.remedy, at: text.position(of: error.offset))
      }
    }
  }
}

/// The bytes of a JSON text.
struct JSONText {
  let bytes: UnsafeBufferPointer<UInt8>
  /// The offset of the first character after a byte order mark.
  let start: Int

  init(_ bytes: UnsafeBufferPointer<UInt8>, skipsByteOrderMark: Bool) {
    self.bytes = bytes
    start = skipsByteOrderMark && bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
  }

  /// The byte at `offset`; `nil` at the end.
  subscript(offset: Int) -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

  /// The text of `range`, which must begin and end between scalars.
  func string(_ range: Range<Int>) -> String {
    String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
  }

  /// The offset after the letters, digits, `_`, `$`, `-`, `.`, `+` and non-ASCII characters at `offset`.
  func wordEnd(from offset: Int) -> Int {
    var end = offset
    while end < bytes.count,
      bytes[end].isInNumberOrWord || bytes[end] == UInt8(ascii: "$") || bytes[end] > 0x7F
    { end += 1 }
    return end
  }

  /// The offset after the ASCII letters, digits, `_`, `-`, `.` and `+` at `offset`.
  func numberEnd(from offset: Int) -> Int {
    var end = offset
    while end < bytes.count, bytes[end].isInNumberOrWord { end += 1 }
    return end
  }

  /// The offset of the first byte that is not UTF-8; `nil` if all are.
  var firstInvalidByte: Int? {
    do {
      _ = try UTF8Span(validating: bytes.span)
      return nil
    } catch {
      return error.byteOffsets.lowerBound
    }
  }

  /// The line and column of the byte at `offset`.
  func position(of offset: Int) -> SourcePosition {
    var cursor = PositionCursor(self)
    return cursor.position(of: offset)
  }
}

/// Counts lines and columns. Positions asked for in ascending order cost one pass in all.
private struct PositionCursor {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var counted: Int
  private var position = SourcePosition.start

  init(_ text: JSONText) {
    bytes = text.bytes
    counted = text.start
  }

  /// The line and column of the byte at `offset`, which is not before the last one asked for.
  mutating func position(of offset: Int) -> SourcePosition {
    while counted < offset {
      let byte = bytes[counted]
      counted += 1
      if byte == UInt8(ascii: "\n") {
        position.line += 1
        position.column = 1
      } else if byte & 0xC0 != 0x80 {
        position.column += 1
      }
    }
    return position
  }
}

/// Reads values from a JSON text, front to back.
private struct JSONScanner {
  private let text: JSONText
  private let bytes: UnsafeBufferPointer<UInt8>
  private let maxDepth: Int
  private let mistakes: JSONMistakeExplainer
  private var index: Int
  private var cursor: PositionCursor

  init(_ text: JSONText, maxDepth: Int, subject: JSONError.Subject) {
    self.text = text
    self.maxDepth = maxDepth
    bytes = text.bytes
    mistakes = JSONMistakeExplainer(text: text, subject: subject)
    index = text.start
    cursor = PositionCursor(text)
  }

  /// The whole text.
  mutating func document() throws(JSONMistake) -> JSONValue {
    if let mistake = mistakes.encodingMistake { throw mistake }
    let value = try value(depth: 0)
    skipBlanks()
    guard index == bytes.count else { throw mistakes.trailingText(at: index) }
    return value
  }

  private var next: UInt8? { text[index] }

  private mutating func skipBlanks() {
    while let byte = next {
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): index += 1
      default: return
      }
    }
  }

  /// Takes the byte if it is next.
  private mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    index += 1
    return true
  }

  /// Takes `word` if it is next and not the beginning of a longer word.
  private mutating func take(word: StaticString) -> Bool {
    let end = index + word.utf8CodeUnitCount
    guard text.wordEnd(from: index) == end else { return false }
    for i in 0..<word.utf8CodeUnitCount where bytes[index + i] != word.utf8Start[i] { return false }
    index = end
    return true
  }

  /// Any value; blanks before it are skipped.
  private mutating func value(depth: Int) throws(JSONMistake) -> JSONValue {
    skipBlanks()
    guard let first = next else { throw mistakes.notAValue(at: index) }
    let position = cursor.position(of: index)
    switch first {
    case UInt8(ascii: "{"): return JSONValue(.object(try object(depth: depth)), at: position)
    case UInt8(ascii: "["): return JSONValue(.array(try array(depth: depth)), at: position)
    case UInt8(ascii: "\""): return JSONValue(.string(try string()), at: position)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return JSONValue(.number(try number()), at: position)
    case UInt8(ascii: "t") where take(word: "true"): return JSONValue(.boolean(true), at: position)
    case UInt8(ascii: "f") where take(word: "false"): return JSONValue(.boolean(false), at: position)
    case UInt8(ascii: "n") where take(word: "null"): return JSONValue(.null, at: position)
    default: throw mistakes.notAValue(at: index)
    }
  }

  private mutating func object(depth: Int) throws(JSONMistake) -> [JSONValue.Member] {
    let opening = try open(depth: depth)
    var members: [JSONValue.Member] = []
    skipBlanks()
    if take(UInt8(ascii: "}")) { return members }
    repeat {
      skipBlanks()
      guard next == UInt8(ascii: "\"") else { throw mistakes.notAKey(at: index, inObject: opening) }
      let keyPosition = cursor.position(of: index)
      let key = try string()
      skipBlanks()
      guard take(UInt8(ascii: ":")) else { throw mistakes.notAColon(at: index) }
      let value = try value(depth: depth + 1)
      members.append(JSONValue.Member(key: key, keyPosition: keyPosition, value: value))
    } while try isFollowedByComma(orClosing: UInt8(ascii: "}"), openedAt: opening)
    return members
  }

  private mutating func array(depth: Int) throws(JSONMistake) -> [JSONValue] {
    let opening = try open(depth: depth)
    var elements: [JSONValue] = []
    skipBlanks()
    if take(UInt8(ascii: "]")) { return elements }
    repeat {
      elements.append(try value(depth: depth + 1))
    } while try isFollowedByComma(orClosing: UInt8(ascii: "]"), openedAt: opening)
    return elements
  }

  /// Takes the opening bracket and returns its offset.
  private mutating func open(depth: Int) throws(JSONMistake) -> Int {
    guard depth < maxDepth else { throw JSONMistake("nested deeper than \(maxDepth) levels", nil, at: index) }
    index += 1
    return index - 1
  }

  /// Takes the comma or the closing bracket after a value; false for the bracket.
  private mutating func isFollowedByComma(
    orClosing bracket: UInt8, openedAt opening: Int
  ) throws(JSONMistake) -> Bool {
    let end = index
    skipBlanks()
    if take(bracket) { return false }
    let comma = index
    guard take(UInt8(ascii: ",")) else {
      throw mistakes.notAComma(at: index, afterValueEndingAt: end, closing: bracket, openedAt: opening)
    }
    skipBlanks()
    guard let next, next == UInt8(ascii: "}") || next == UInt8(ascii: "]") else { return true }
    throw mistakes.trailingComma(at: comma, before: next)
  }

  /// A string, from its opening quotation mark.
  private mutating func string() throws(JSONMistake) -> String {
    let start = index
    index += 1
    var run = index
    // Most strings have no escape and are copied in one piece.
    var text: [UInt8] = []
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        defer { index += 1 }
        if text.isEmpty { return self.text.string(run..<index) }
        text.append(contentsOf: bytes[run..<index])
        return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        text.append(contentsOf: bytes[run..<index])
        text.append(contentsOf: try escapedScalar().utf8)
        run = index
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
        throw JSONMistake(
          "string not closed on its line", #"close it with ", or write a line break as \n"#,
          at: start)
      case UInt8(ascii: "\t"): throw JSONMistake("tab in a string", #"write it as \t"#, at: index)
      case ..<0x20: throw JSONMistake("control character in a string", "remove it", at: index)
      default: index += 1
      }
    }
    throw JSONMistake("string not closed", #"close it with ""#, at: start)
  }

  /// The character that an escape stands for, from its backslash.
  private mutating func escapedScalar() throws(JSONMistake) -> Unicode.Scalar {
    let start = index
    index += 1
    guard let letter = next else {
      throw JSONMistake("string not closed", #"close it with ""#, at: start)
    }
    index += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try scalar(escapedAt: start)
    default:
      throw JSONMistake("invalid escape sequence", #"write a backslash as \\"#, at: start)
    }
  }

  /// The character that `\uXXXX` or a pair of them stands for, from the first digit.
  private mutating func scalar(escapedAt start: Int) throws(JSONMistake) -> Unicode.Scalar {
    let first = try fourDigits(escapedAt: start)
    if let scalar = Unicode.Scalar(first) { return scalar }
    // A surrogate: the first half of a pair, or a mistake (RFC 8259, section 7).
    if first < 0xDC00, next == UInt8(ascii: "\\"), text[index + 1] == UInt8(ascii: "u") {
      let other = index
      index += 2
      let second = try fourDigits(escapedAt: other)
      if 0xDC00..<0xE000 ~= second,
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      {
        return scalar
      }
    }
    throw JSONMistake(
      "unpaired surrogate \\u\(String(first, radix: 16, uppercase: true))",
      "write the character itself", at: start)
  }

  private mutating func fourDigits(escapedAt start: Int) throws(JSONMistake) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = next.flatMap(Hexadecimal.value(ofDigit:)) else {
        throw JSONMistake(#"\u without four hexadecimal digits"#, nil, at: start)
      }
      value = value << 4 | UInt32(digit)
      index += 1
    }
    return value
  }

  /// A number as written, from its sign or first digit.
  private mutating func number() throws(JSONMistake) -> String {
    let end = text.numberEnd(from: index)
    let range = index..<end
    if let (message, remedy) = Self.mistake(inNumber: bytes[range]) {
      throw JSONMistake(message, remedy, at: index)
    }
    index = end
    return text.string(range)
  }

  /// The reason why `bytes` are not a number (RFC 8259, section 6).
  private static func mistake(
    inNumber bytes: Slice<UnsafeBufferPointer<UInt8>>
  ) -> (message: String, remedy: String?)? {
    var rest = bytes
    func takeDigits() -> Int {
      let count = rest.prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }.count
      rest = rest.dropFirst(count)
      return count
    }
    if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
    let hasLeadingZero = rest.first == UInt8(ascii: "0")
    let whole = takeDigits()
    if whole == 0 { return ("minus sign without a digit after it", nil) }
    if hasLeadingZero, whole > 1 {
      return ("number with a leading zero", "remove the zero, or put the value in double quotes")
    }
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      if takeDigits() == 0 { return ("number without a digit after its decimal point", nil) }
    }
    if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
      if takeDigits() == 0 { return ("number without a digit in its exponent", nil) }
    }
    return rest.isEmpty ? nil : ("number with other characters in it", "put the value in double quotes")
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
