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
    usesBase64 =
      length > EncodedWordEncoder.base64Length(octets.count) || largest > EncodedWordEncoder.fullCapacity
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

/// Puts the words of a header together as people read them, encoded words decoded (RFC 2047).
///
/// Knows UTF-8, ASCII and ISO 8859-1; a word in another character set stays as written.
struct EncodedWordDecoder {
  private var text = ""
  // Octets of encoded words not yet read as text: some mailers split a character between two.
  private var pending = [UInt8]()
  private var pendingCharset: Charset?

  private enum Charset { case utf8, latin1 }

  /// Adds a word, with a space before it unless both it and the last one are encoded.
  mutating func append(_ word: [UInt8], followsSpace: Bool, mayBeEncoded: Bool) {
    if mayBeEncoded, let (octets, charset) = EncodedWordDecoder.decode(word) {
      if pendingCharset != charset {
        let followsEncoded = pendingCharset != nil
        flush()
        if followsSpace, !followsEncoded, !text.isEmpty { text += " " }
      }
      pending += octets
      pendingCharset = charset
      return
    }
    flush()
    if followsSpace, !text.isEmpty { text += " " }
    text += String(decoding: word, as: UTF8.self)
  }

  /// The whole text.
  mutating func finished() -> String {
    flush()
    return text
  }

  private mutating func flush() {
    switch pendingCharset {
    case .utf8: text += String(decoding: pending, as: UTF8.self)
    case .latin1: for octet in pending { text.unicodeScalars.append(Unicode.Scalar(octet)) }
    case nil: break
    }
    pending = []
    pendingCharset = nil
  }

  /// `=?charset*language?encoding?text?=`.
  private static func decode(_ word: [UInt8]) -> (octets: [UInt8], charset: Charset)? {
    guard word.count >= 8, word.starts(with: "=?".utf8), word.suffix(2).elementsEqual("?=".utf8) else {
      return nil
    }
    let parts = word[2..<(word.count - 2)].split(
      separator: UInt8(ascii: "?"), omittingEmptySubsequences: false)
    guard parts.count == 3, parts[1].count == 1, let encoding = parts[1].first else { return nil }
    let name = String(decoding: parts[0].prefix { $0 != UInt8(ascii: "*") }, as: UTF8.self).lowercased()
    let charset: Charset
    switch name {
    case "utf-8", "utf8", "us-ascii", "ascii": charset = .utf8
    case "iso-8859-1", "latin1": charset = .latin1
    default: return nil
    }
    switch encoding {
    case UInt8(ascii: "B"), UInt8(ascii: "b"): return Base64.decode(parts[2]).map { ($0, charset) }
    case UInt8(ascii: "Q"), UInt8(ascii: "q"): return decodeQ(parts[2]).map { ($0, charset) }
    default: return nil
    }
  }

  private static func decodeQ(_ source: ArraySlice<UInt8>) -> [UInt8]? {
    var octets = [UInt8]()
    var i = source.startIndex
    while i < source.endIndex {
      switch source[i] {
      case UInt8(ascii: "_"): octets.append(UInt8(ascii: " "))
      case UInt8(ascii: "="):
        guard i + 2 < source.endIndex, let high = nibble(source[i + 1]), let low = nibble(source[i + 2])
        else {
          return nil
        }
        octets.append(high << 4 | low)
        i += 2
      default: octets.append(source[i])
      }
      i += 1
    }
    return octets
  }

  private static func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - 0x30
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - 0x37
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - 0x57
    default: nil
    }
  }
}
