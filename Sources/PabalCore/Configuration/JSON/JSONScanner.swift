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

/// Walks the octets of a JSON text and knows its line and column.
struct JSONScanner {
  let octets: [UInt8]
  var index: Int

  // Positions are asked for in reading order, so counting on from the last one costs one pass in all;
  // only a mistake looks back.
  private let start: Int
  private var counted: Int
  private var line = 1
  private var column = 1

  init(_ octets: [UInt8]) throws(JSONSyntaxError) {
    self.octets = octets
    start = octets.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    index = start
    counted = start
    let first = SourcePosition(line: 1, column: 1)
    if octets.starts(with: [0xFF, 0xFE]) || octets.starts(with: [0xFE, 0xFF])
      || octets.prefix(2).contains(0) && octets.count > 1
    {
      throw JSONSyntaxError("the file is UTF-16 or UTF-32", "save it as UTF-8", at: first)
    }
    if let wrong = Self.firstInvalidUTF8(octets) {
      throw JSONSyntaxError("an octet that isn't UTF-8", "save the file as UTF-8", at: position(of: wrong))
    }
  }

  private static func firstInvalidUTF8(_ octets: [UInt8]) -> Int? {
    do {
      _ = try UTF8Span(validating: octets.span)
      return nil
    } catch {
      return error.byteOffsets.lowerBound
    }
  }

  /// The octet at hand, or `nil` at the end.
  var next: UInt8? { index < octets.count ? octets[index] : nil }

  var isAtEnd: Bool { index >= octets.count }

  /// Where the octet at hand stands.
  var position: SourcePosition {
    mutating get { position(of: index) }
  }

  /// Where the octet at `index` stands.
  mutating func position(of index: Int) -> SourcePosition {
    if index < counted { (counted, line, column) = (start, 1, 1) }
    while counted < index {
      let octet = octets[counted]
      counted += 1
      if octet == UInt8(ascii: "\n") {
        line += 1
        column = 1
      } else if octet & 0xC0 != 0x80 {
        column += 1
      }
    }
    return SourcePosition(line: line, column: column)
  }

  mutating func skipWhitespace() {
    while index < octets.count {
      switch octets[index] {
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
    for i in 0..<word.utf8CodeUnitCount where octets[index + i] != word.utf8Start[i] { return false }
    index = end
    return true
  }

  /// The index after the run at hand of letters, digits, `_`, `$`, `-`, `.`, `+` and non-ASCII.
  var wordEnd: Int {
    octets[index...].firstIndex { !($0.isInNumberOrWord || $0 == UInt8(ascii: "$") || $0 > 0x7F) }
      ?? octets.count
  }

  /// The index after the run at hand of ASCII letters, digits, `_`, `-`, `.` and `+`.
  var numberEnd: Int { octets[index...].firstIndex { !$0.isInNumberOrWord } ?? octets.count }

  /// The text of `range`, which begins and ends between scalars.
  func text(_ range: Range<Int>) -> String {
    String(decoding: octets[range], as: UTF8.self)
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
