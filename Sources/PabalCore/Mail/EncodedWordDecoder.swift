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
