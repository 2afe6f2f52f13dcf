/// A text as a sequence of RFC 2047 encoded words, each of at most 75 octets on a line of at most 78.
///
/// The spaces are inside the words, because many readers drop those between them. No word ends within a code
/// point, nor within a grapheme that fits one word.
struct EncodedWordEncoder {
  /// One word: a part of the text, in octets of UTF-8.
  struct Word {
    var octets: Range<Int>
    /// Whether the line is full and the word begins a new one.
    var beginsLine: Bool
  }

  private let text: String
  private let usesBase64: Bool
  private var offset = 0
  // The octets of encoded text that the current line has room for.
  private var capacity: Int
  private var beginsLine = false
  private static let overhead = "=?utf-8?B?".utf8.count + "?=".utf8.count
  private static let fullCapacity = 75 - overhead

  /// The words of `text` on a line of which `column` octets are written.
  init(_ text: String, column: Int) {
    self.text = text
    // The space before the word counts too.
    capacity = min(75, 78 - column - 1) - EncodedWordEncoder.overhead
    let octets = text.utf8Span.span
    var length = 0
    var largest = 0
    var offset = 0
    while offset < octets.count {
      let next = EncodedWordEncoder.graphemeEnd(in: text, octets, from: offset)
      let cost = EncodedWordEncoder.quotedLength(octets, offset..<next)
      length += cost
      largest = max(largest, cost)
      offset = next
    }
    usesBase64 = length > EncodedWordEncoder.base64Length(octets.count) || largest > EncodedWordEncoder.fullCapacity
  }

  mutating func next() -> Word? {
    let text = text
    let octets = text.utf8Span.span
    guard offset < octets.count else { return nil }
    let start = offset
    var cost = 0
    while offset < octets.count {
      let next = EncodedWordEncoder.graphemeEnd(in: text, octets, from: offset)
      let graphemeCost = self.cost(octets, offset..<next)
      if !fits(cost + graphemeCost) {
        if offset > start { break }
        // What is left of the first line may be too short for what fits the next.
        if capacity < EncodedWordEncoder.fullCapacity {
          startLine()
          continue
        }
        consumeScalars(octets)
        break
      }
      cost += graphemeCost
      offset = next
    }
    return word(from: start)
  }

  /// Takes as many code points as fit one word, of a grapheme that doesn't fit any.
  private mutating func consumeScalars(_ octets: Span<UInt8>) {
    var cost = 0
    while offset < octets.count {
      var next = offset + 1
      while next < octets.count, octets[next] & 0xC0 == 0x80 { next += 1 }
      cost += self.cost(octets, offset..<next)
      guard fits(cost) else { return }
      offset = next
    }
  }

  /// Where the grapheme at `start` ends.
  private static func graphemeEnd(in text: String, _ octets: Span<UInt8>, from start: Int) -> Int {
    // Between ASCII and whole Hangul syllables there is always a boundary (UAX #29, 3.1.1), and asking the
    // tables of Unicode for each would be a tenth of what composing a mail takes.
    let end = start + (octets[start] < 0x80 ? 1 : 3)
    if isSimple(octets, at: start), end == octets.count || isSimple(octets, at: end) { return end }
    let index = text.utf8.index(text.startIndex, offsetBy: start)
    return text.utf8.distance(from: text.startIndex, to: text.index(after: index))
  }

  /// Whether an ASCII character or a whole Hangul syllable, U+AC00 to U+D7A3, begins at `start`.
  private static func isSimple(_ octets: Span<UInt8>, at start: Int) -> Bool {
    switch octets[start] {
    case 0..<0x80: true
    // EA B0 80 to ED 9E A3, from what is UTF-8 already.
    case 0xEA: octets[start + 1] >= 0xB0
    case 0xEB, 0xEC: true
    case 0xED: octets[start + 1] < 0x9E || octets[start + 1] == 0x9E && octets[start + 2] <= 0xA3
    default: false
    }
  }

  private func cost(_ octets: Span<UInt8>, _ range: Range<Int>) -> Int {
    usesBase64 ? range.count : EncodedWordEncoder.quotedLength(octets, range)
  }

  private mutating func word(from start: Int) -> Word {
    defer { startLine() }
    return Word(octets: start..<offset, beginsLine: beginsLine)
  }

  private mutating func startLine() {
    beginsLine = true
    capacity = EncodedWordEncoder.fullCapacity
  }

  private func fits(_ cost: Int) -> Bool {
    (usesBase64 ? EncodedWordEncoder.base64Length(cost) : cost) <= capacity
  }

  /// Appends the word as it stands in the header.
  func append(_ word: Word, to octets: inout [UInt8]) {
    let part = text.utf8Span.span.extracting(word.octets)
    if usesBase64 {
      octets.append(ascii: "=?utf-8?B?")
      Base64.append(part, to: &octets)
    } else {
      octets.append(ascii: "=?utf-8?Q?")
      for i in part.indices {
        let octet = part[i]
        if octet == UInt8(ascii: " ") {
          octets.append(UInt8(ascii: "_"))
        } else if EncodedWordEncoder.isPlain(octet) {
          octets.append(octet)
        } else {
          octets.append(UInt8(ascii: "="))
          octets.append(hexadecimal(octet >> 4))
          octets.append(hexadecimal(octet & 15))
        }
      }
    }
    octets.append(ascii: "?=")
  }

  private static func base64Length(_ count: Int) -> Int { (count + 2) / 3 * 4 }

  private static func quotedLength(_ octets: Span<UInt8>, _ range: Range<Int>) -> Int {
    var length = 0
    for i in range { length += octets[i] == UInt8(ascii: " ") || isPlain(octets[i]) ? 1 : 3 }
    return length
  }

  /// RFC 2047, 5 (3): what may stand for itself even in a display name.
  private static func isPlain(_ octet: UInt8) -> Bool {
    switch octet {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "!"), UInt8(ascii: "*"), UInt8(ascii: "+"),
      UInt8(ascii: "-"), UInt8(ascii: "/"):
      true
    default: false
    }
  }
}

/// The upper-case hexadecimal digit of a number below 16.
func hexadecimal(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x37 + nibble }
