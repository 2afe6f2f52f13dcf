internal import PabalFormats

/// Splits a text into RFC 2047 encoded words of at most 75 bytes, on lines of at most 78.
///
/// Spaces are encoded inside the words, because many readers drop spaces between words. A word never ends within a
/// code point, nor within a grapheme that fits into one word.
struct EncodedWordEncoder {
  /// The range of UTF-8 bytes that form one word.
  struct Word {
    var bytes: Range<Int>
    /// Whether the word starts a new line because the previous one is full.
    var beginsLine: Bool
  }

  private let text: String
  private let usesBase64: Bool
  private var offset = 0
  // The number of encoded bytes that still fit on the current line.
  private var capacity: Int
  private var beginsLine = false
  private static let overhead = "=?utf-8?B?".utf8.count + "?=".utf8.count
  private static let fullCapacity = 75 - overhead

  /// Encodes `text`, starting on a line that already has `column` bytes.
  init(_ text: String, column: Int) {
    self.text = text
    // One byte is for the space before the word.
    capacity = min(75, 78 - column - 1) - EncodedWordEncoder.overhead
    let bytes = text.utf8Span.span
    var length = 0
    var largest = 0
    var offset = 0
    while offset < bytes.count {
      let next = EncodedWordEncoder.graphemeEnd(in: text, bytes, from: offset)
      let cost = EncodedWordEncoder.quotedLength(bytes, offset..<next)
      length += cost
      largest = max(largest, cost)
      offset = next
    }
    usesBase64 =
      length > EncodedWordEncoder.base64Length(bytes.count) || largest > EncodedWordEncoder.fullCapacity
  }

  mutating func next() -> Word? {
    let text = text
    let bytes = text.utf8Span.span
    guard offset < bytes.count else { return nil }
    let start = offset
    var cost = 0
    while offset < bytes.count {
      let next = EncodedWordEncoder.graphemeEnd(in: text, bytes, from: offset)
      let graphemeCost = self.cost(bytes, offset..<next)
      if !fits(cost + graphemeCost) {
        if offset > start { break }
        // The rest of the first line may be too short for a grapheme that fits on the next line.
        if capacity < EncodedWordEncoder.fullCapacity {
          startLine()
          continue
        }
        consumeScalars(bytes)
        break
      }
      cost += graphemeCost
      offset = next
    }
    return word(from: start)
  }

  /// Consumes as many code points as fit into one word, from a grapheme that is too long for a word.
  private mutating func consumeScalars(_ bytes: Span<UInt8>) {
    var cost = 0
    while offset < bytes.count {
      var next = offset + 1
      while next < bytes.count, bytes[next] & 0xC0 == 0x80 { next += 1 }
      cost += self.cost(bytes, offset..<next)
      guard fits(cost) else { return }
      offset = next
    }
  }

  /// Returns the end of the grapheme at `start`.
  private static func graphemeEnd(in text: String, _ bytes: Span<UInt8>, from start: Int) -> Int {
    // There is always a boundary between ASCII characters and precomposed Hangul syllables (UAX #29, 3.1.1).
    // Looking each one up in the Unicode tables would take a tenth of the time to compose a mail.
    let end = start + (bytes[start] < 0x80 ? 1 : 3)
    if isSimple(bytes, at: start), end == bytes.count || isSimple(bytes, at: end) { return end }
    let index = text.utf8.index(text.startIndex, offsetBy: start)
    return text.utf8.distance(from: text.startIndex, to: text.index(after: index))
  }

  /// Whether an ASCII character or a precomposed Hangul syllable (U+AC00 to U+D7A3) starts at `start`.
  private static func isSimple(_ bytes: Span<UInt8>, at start: Int) -> Bool {
    switch bytes[start] {
    case 0..<0x80: true
    // Hangul syllables are EA B0 80 to ED 9E A3; the input is known to be valid UTF-8.
    case 0xEA: bytes[start + 1] >= 0xB0
    case 0xEB, 0xEC: true
    case 0xED: bytes[start + 1] < 0x9E || bytes[start + 1] == 0x9E && bytes[start + 2] <= 0xA3
    default: false
    }
  }

  private func cost(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    usesBase64 ? range.count : EncodedWordEncoder.quotedLength(bytes, range)
  }

  private mutating func word(from start: Int) -> Word {
    defer { startLine() }
    return Word(bytes: start..<offset, beginsLine: beginsLine)
  }

  private mutating func startLine() {
    beginsLine = true
    capacity = EncodedWordEncoder.fullCapacity
  }

  private func fits(_ cost: Int) -> Bool {
    (usesBase64 ? EncodedWordEncoder.base64Length(cost) : cost) <= capacity
  }

  /// Appends the encoded word.
  func append(_ word: Word, to bytes: inout [UInt8]) {
    let part = text.utf8Span.span.extracting(word.bytes)
    if usesBase64 {
      bytes.append(ascii: "=?utf-8?B?")
      Base64.append(part, to: &bytes)
    } else {
      bytes.append(ascii: "=?utf-8?Q?")
      for i in part.indices {
        let byte = part[i]
        if byte == UInt8(ascii: " ") {
          bytes.append(UInt8(ascii: "_"))
        } else if EncodedWordEncoder.isPlain(byte) {
          bytes.append(byte)
        } else {
          bytes.append(UInt8(ascii: "="))
          bytes.append(hexadecimal(byte >> 4))
          bytes.append(hexadecimal(byte & 15))
        }
      }
    }
    bytes.append(ascii: "?=")
  }

  private static func base64Length(_ count: Int) -> Int { (count + 2) / 3 * 4 }

  private static func quotedLength(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    var length = 0
    for i in range { length += bytes[i] == UInt8(ascii: " ") || isPlain(bytes[i]) ? 1 : 3 }
    return length
  }

  /// Whether a byte needs no escaping, even in a display name (RFC 2047, 5 (3)).
  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "!"), UInt8(ascii: "*"), UInt8(ascii: "+"),
      UInt8(ascii: "-"), UInt8(ascii: "/"):
      true
    default: false
    }
  }
}

/// Returns the upper-case hexadecimal digit of a number below 16.
func hexadecimal(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x37 + nibble }

/// Decodes the words of a header field, including RFC 2047 encoded words, into readable text.
///
/// Supports UTF-8, ASCII and ISO 8859-1; a word in another character set stays as written.
struct EncodedWordDecoder {
  private var text = ""
  // Bytes of encoded words that aren't decoded yet, because some mailers split a character between two words.
  private var pending = [UInt8]()
  private var pendingCharset: Charset?

  private enum Charset { case utf8, latin1 }

  /// Appends a word, preceded by a space unless both it and the previous word are encoded.
  mutating func append(_ word: [UInt8], followsSpace: Bool, mayBeEncoded: Bool) {
    if mayBeEncoded, let (bytes, charset) = EncodedWordDecoder.decode(word) {
      if pendingCharset != charset {
        let followsEncoded = pendingCharset != nil
        flush()
        if followsSpace, !followsEncoded, !text.isEmpty { text += " " }
      }
      pending += bytes
      pendingCharset = charset
      return
    }
    flush()
    if followsSpace, !text.isEmpty { text += " " }
    text += String(decoding: word, as: UTF8.self)
  }

  /// Returns the text of a field's value, on one line. Bytes that aren't UTF-8 are replaced.
  static func text(of value: [UInt8]) -> String {
    var decoder = EncodedWordDecoder()
    for word in String(decoding: value, as: UTF8.self).split(whereSeparator: \.isWhitespace) {
      decoder.append(Array(word.utf8), followsSpace: true, mayBeEncoded: true)
    }
    return decoder.finished()
  }

  /// Returns the whole text.
  mutating func finished() -> String {
    flush()
    return text
  }

  private mutating func flush() {
    switch pendingCharset {
    case .utf8: text += String(decoding: pending, as: UTF8.self)
    case .latin1: for byte in pending { text.unicodeScalars.append(Unicode.Scalar(byte)) }
    case nil: break
    }
    pending = []
    pendingCharset = nil
  }

  /// Decodes `=?charset*language?encoding?text?=`; returns `nil` if the word isn't an encoded word.
  private static func decode(_ word: [UInt8]) -> (bytes: [UInt8], charset: Charset)? {
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
    case UInt8(ascii: "B"), UInt8(ascii: "b"):
      let text = parts[2]
      return (try? Base64.decode(text.span, .mime)).map { ($0, charset) }
    case UInt8(ascii: "Q"), UInt8(ascii: "q"): return decodeQ(parts[2]).map { ($0, charset) }
    default: return nil
    }
  }

  private static func decodeQ(_ source: ArraySlice<UInt8>) -> [UInt8]? {
    var bytes = [UInt8]()
    var i = source.startIndex
    while i < source.endIndex {
      switch source[i] {
      case UInt8(ascii: "_"): bytes.append(UInt8(ascii: " "))
      case UInt8(ascii: "="):
        guard i + 2 < source.endIndex, let high = Hexadecimal.value(ofDigit: source[i + 1]),
          let low = Hexadecimal.value(ofDigit: source[i + 2])
        else {
          return nil
        }
        bytes.append(high << 4 | low)
        i += 2
      default: bytes.append(source[i])
      }
      i += 1
    }
    return bytes
  }
}
