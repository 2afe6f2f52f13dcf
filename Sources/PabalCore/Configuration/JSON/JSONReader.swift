/// Reads JSON as RFC 8259 has it and nothing more, and keeps where every value stands.
public enum JSONParser {
  /// How many lists and objects may stand in one another.
  public static let maxDepth = 64

  /// Reads one JSON text in UTF-8, with or without a byte order mark.
  ///
  /// A key that stands twice is kept twice: whoever knows the keys says so. `file` is the name to
  /// show in the error; the first syntax error is the only one, since what follows it is guesswork.
  public static func read(_ octets: [UInt8], file: String) throws(Diagnostic) -> JSONNode {
    do throws(JSONSyntaxError) {
      var scanner = try JSONScanner(octets)
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
  /// Any value, from its first octet; blanks before it are skipped.
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
