/// Reads JSON as RFC 8259 has it and nothing more, and keeps where every value stands.
public enum JSONParser {
  /// How many lists and objects may stand in one another.
  public static let maxDepth = 64

  /// Reads one JSON text in UTF-8, with or without a byte order mark.
  ///
  /// A key that stands twice is kept twice: whoever knows the keys says so. `file` is the name to
  /// show in the error; the first syntax error is the only one, since what follows it is guesswork.
  public static func read(_ bytes: [UInt8], file: String) throws(Diagnostic) -> JSONNode {
    do throws(JSONSyntaxError) {
      var scanner = try JSONScanner(bytes)
      let node = try scanner.value(depth: 0)
      scanner.skipWhitespace()
      guard scanner.isAtEnd else { throw scanner.errorAfterDocument() }
      return node
    } catch {
      throw Diagnostic(error.message, remedy: error.remedy, file: file, position: error.position)
    }
  }
}

extension JSONScanner {
  /// Any value, from its first byte; blanks before it are skipped.
  mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONNode {
    skipWhitespace()
    let start = position
    guard let first = next else { throw errorExpectingValue() }
    switch first {
    case UInt8(ascii: "{"):
      return try object(depth: depth, at: start)
    case UInt8(ascii: "["):
      return try array(depth: depth, at: start)
    case UInt8(ascii: "\""):
      return JSONNode(.string(try string()), at: start)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return JSONNode(.number(try number()), at: start)
    case UInt8(ascii: "t") where consumeWord("true"): return JSONNode(.boolean(true), at: start)
    case UInt8(ascii: "f") where consumeWord("false"): return JSONNode(.boolean(false), at: start)
    case UInt8(ascii: "n") where consumeWord("null"): return JSONNode(.null, at: start)
    default:
      throw errorExpectingValue()
    }
  }

  private mutating func object(depth: Int, at start: SourcePosition) throws(JSONSyntaxError) -> JSONNode {
    try enter(depth)
    var members: [JSONNode.Member] = []
    skipWhitespace()
    if consume("}") { return JSONNode(.object(members), at: start) }
    while true {
      skipWhitespace()
      let keyPosition = position
      guard next == UInt8(ascii: "\"") else { throw errorExpectingKey(openedAt: start) }
      let key = try string()
      skipWhitespace()
      guard consume(":") else { throw errorAfterKey(key) }
      members.append(
        JSONNode.Member(key: key, keyPosition: keyPosition, node: try value(depth: depth + 1)))
      if try endsAfterValue(with: "}", openedAt: start) { return JSONNode(.object(members), at: start) }
    }
  }

  private mutating func array(depth: Int, at start: SourcePosition) throws(JSONSyntaxError) -> JSONNode {
    try enter(depth)
    var elements: [JSONNode] = []
    skipWhitespace()
    if consume("]") { return JSONNode(.array(elements), at: start) }
    while true {
      elements.append(try value(depth: depth + 1))
      if try endsAfterValue(with: "]", openedAt: start) { return JSONNode(.array(elements), at: start) }
    }
  }

  private mutating func enter(_ depth: Int) throws(JSONSyntaxError) {
    guard depth < JSONParser.maxDepth else {
      throw JSONSyntaxError("nested deeper than \(JSONParser.maxDepth) levels", nil, at: position)
    }
    index += 1
  }

  /// Takes the comma or the bracket after a value; whether it was the bracket.
  private mutating func endsAfterValue(
    with bracket: Unicode.Scalar, openedAt: SourcePosition
  ) throws(JSONSyntaxError) -> Bool {
    let end = index
    skipWhitespace()
    if consume(bracket) { return true }
    let comma = position
    guard consume(",") else { throw errorAfterValue(endedAt: end, bracket: bracket, openedAt: openedAt) }
    skipWhitespace()
    guard let next, next == UInt8(ascii: "}") || next == UInt8(ascii: "]") else { return false }
    throw JSONSyntaxError(
      "a comma before \(Unicode.Scalar(next)), with nothing after it", "take the comma out", at: comma)
  }
}

extension JSONScanner {
  /// A string, from its opening quotation mark.
  mutating func string() throws(JSONSyntaxError) -> String {
    let start = index
    index += 1
    var run = index
    var text = ""
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        text += self.text(run..<index)
        index += 1
        return text
      case UInt8(ascii: "\\"):
        text += self.text(run..<index)
        text.unicodeScalars.append(try escapeSequence())
        run = index
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
        throw JSONSyntaxError(
          "a string that isn't closed on its line", #"close it with ", or write a line break as \n"#,
          at: position(of: start))
      case ..<0x20:
        throw JSONSyntaxError(
          byte == UInt8(ascii: "\t") ? "a tab inside a string" : "a control character inside a string",
          byte == UInt8(ascii: "\t") ? #"write it as \t"# : "take it out", at: position)
      default:
        index += 1
      }
    }
    throw JSONSyntaxError("a string that is never closed", #"close it with ""#, at: position(of: start))
  }

  /// What an escape stands for, from its backslash.
  private mutating func escapeSequence() throws(JSONSyntaxError) -> Unicode.Scalar {
    let start = index
    index += 1
    guard let letter = next else {
      throw JSONSyntaxError("a string that is never closed", #"close it with ""#, at: position(of: start))
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
      throw JSONSyntaxError(
        "a backslash that begins no escape", #"write a backslash itself as \\"#, at: position(of: start))
    }
  }

  /// What `\uXXXX`, or two of them, stand for; `\u` is taken already.
  private mutating func scalar(escapedAt start: Int) throws(JSONSyntaxError) -> Unicode.Scalar {
    let first = try fourHexDigits(escapedAt: start)
    if let scalar = Unicode.Scalar(first) { return scalar }
    if first < 0xDC00, bytes[index...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
      let secondStart = index
      index += 2
      let second = try fourHexDigits(escapedAt: secondStart)
      if 0xDC00..<0xE000 ~= second,
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      {
        return scalar
      }
    }
    throw JSONSyntaxError(
      "half a character: \\u\(String(first, radix: 16, uppercase: true)) stands without its other half",
      "write the character itself", at: position(of: start))
  }

  private mutating func fourHexDigits(escapedAt start: Int) throws(JSONSyntaxError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw JSONSyntaxError(#"\u without four hexadecimal digits"#, nil, at: position(of: start))
      }
      value = value << 4 + UInt32(digit)
      index += 1
    }
    return value
  }

  /// A number as written, from its sign or first digit.
  mutating func number() throws(JSONSyntaxError) -> String {
    let start = index
    let end = numberEnd
    if let defect = Self.defect(ofNumber: bytes[start..<end]) {
      throw JSONSyntaxError(defect.message, defect.remedy, at: position)
    }
    index = end
    return text(start..<end)
  }

  /// What keeps `bytes` from being a number of RFC 8259 section 6.
  private static func defect(ofNumber bytes: ArraySlice<UInt8>) -> (message: String, remedy: String?)? {
    var rest = bytes[...]
    func digits() -> Int {
      let run = rest.prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }.count
      rest = rest.dropFirst(run)
      return run
    }
    if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
    let leadingZero = rest.first == UInt8(ascii: "0")
    let integerDigits = digits()
    if integerDigits == 0 { return ("a minus sign without a digit after it", nil) }
    if leadingZero, integerDigits > 1 {
      return ("a number with a leading zero", "take the zero out, or write a text in double quotes")
    }
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      if digits() == 0 { return ("a number with no digit after its point", nil) }
    }
    if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
      if digits() == 0 { return ("a number with no digit in its exponent", nil) }
    }
    return rest.isEmpty ? nil : ("a number with something else in it", "write a text in double quotes")
  }
}
