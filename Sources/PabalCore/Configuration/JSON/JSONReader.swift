/// Reads JSON as RFC 8259 has it and nothing more, and keeps where every value stands.
public enum JSONReader {
  /// How many lists and objects may stand in one another.
  public static let levels = 64

  /// Reads one JSON text in UTF-8, with or without a byte order mark.
  ///
  /// A key that stands twice is kept twice: whoever knows the keys says so. `file` is the name to
  /// show in the error; the first syntax error is the only one, since what follows it is guesswork.
  public static func read(_ octets: [UInt8], file: String) throws(Diagnostic) -> JSONNode {
    do throws(JSONMistake) {
      var scanner = try JSONScanner(octets)
      let node = try scanner.value(level: 0)
      scanner.skipBlanks()
      guard scanner.isAtEnd else { throw scanner.mistakeAfterTheText() }
      return node
    } catch {
      throw Diagnostic(error.what, cure: error.cure, file: file, position: error.position)
    }
  }
}

extension JSONScanner {
  /// Any value, from its first octet; blanks before it are skipped.
  mutating func value(level: Int) throws(JSONMistake) -> JSONNode {
    skipBlanks()
    let start = position
    guard let first = next else { throw mistakeInPlaceOfValue() }
    switch first {
    case UInt8(ascii: "{"):
      return try object(level: level, at: start)
    case UInt8(ascii: "["):
      return try list(level: level, at: start)
    case UInt8(ascii: "\""):
      return JSONNode(.string(try string()), at: start)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return JSONNode(.number(try number()), at: start)
    case UInt8(ascii: "t") where takeWord("true"): return JSONNode(.boolean(true), at: start)
    case UInt8(ascii: "f") where takeWord("false"): return JSONNode(.boolean(false), at: start)
    case UInt8(ascii: "n") where takeWord("null"): return JSONNode(.null, at: start)
    default:
      throw mistakeInPlaceOfValue()
    }
  }

  private mutating func object(level: Int, at start: SourcePosition) throws(JSONMistake) -> JSONNode {
    try enter(level)
    var members: [JSONNode.Member] = []
    skipBlanks()
    if take("}") { return JSONNode(.object(members), at: start) }
    while true {
      skipBlanks()
      let keyPosition = position
      guard next == UInt8(ascii: "\"") else { throw mistakeInPlaceOfKey(opened: start) }
      let key = try string()
      skipBlanks()
      guard take(":") else { throw mistakeAfterKey(key) }
      members.append(
        JSONNode.Member(key: key, keyPosition: keyPosition, node: try value(level: level + 1)))
      if try endsAfterValue(with: "}", opened: start) { return JSONNode(.object(members), at: start) }
    }
  }

  private mutating func list(level: Int, at start: SourcePosition) throws(JSONMistake) -> JSONNode {
    try enter(level)
    var elements: [JSONNode] = []
    skipBlanks()
    if take("]") { return JSONNode(.array(elements), at: start) }
    while true {
      elements.append(try value(level: level + 1))
      if try endsAfterValue(with: "]", opened: start) { return JSONNode(.array(elements), at: start) }
    }
  }

  private mutating func enter(_ level: Int) throws(JSONMistake) {
    guard level < JSONReader.levels else {
      throw JSONMistake("nested deeper than \(JSONReader.levels) levels", nil, at: position)
    }
    index += 1
  }

  /// Takes the comma or the bracket after a value; whether it was the bracket.
  private mutating func endsAfterValue(
    with bracket: Unicode.Scalar, opened: SourcePosition
  ) throws(JSONMistake) -> Bool {
    let end = index
    skipBlanks()
    if take(bracket) { return true }
    let comma = position
    guard take(",") else { throw mistakeAfterValue(endedAt: end, bracket: bracket, opened: opened) }
    skipBlanks()
    guard let next, next == UInt8(ascii: "}") || next == UInt8(ascii: "]") else { return false }
    throw JSONMistake(
      "a comma before \(Unicode.Scalar(next)), with nothing after it", "take the comma out", at: comma)
  }
}
