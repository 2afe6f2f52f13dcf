/// A JSON text (RFC 8259), as far as answers of an API need one: numbers are kept as they are written.
indirect enum GmailJSON: Equatable {
  case string(String)
  case number(Substring)
  case literal(String)
  case array([GmailJSON])
  case object([(key: String, value: GmailJSON)])

  /// Reads `bytes`; `nil` when they are no JSON, or deeper than 32.
  init?(_ bytes: [UInt8]) {
    var reader = GmailJSONParser(bytes)
    guard let text = reader.read() else { return nil }
    self = text
  }

  /// A member of an object.
  subscript(_ key: String) -> GmailJSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  /// A string's content.
  var string: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  /// An array's elements; none of anything else.
  var elements: [GmailJSON] {
    guard case .array(let elements) = self else { return [] }
    return elements
  }

  static func == (a: GmailJSON, b: GmailJSON) -> Bool {
    switch (a, b) {
    case (.string(let a), .string(let b)): a == b
    case (.number(let a), .number(let b)): a == b
    case (.literal(let a), .literal(let b)): a == b
    case (.array(let a), .array(let b)): a == b
    case (.object(let a), .object(let b)): a.elementsEqual(b) { $0.key == $1.key && $0.value == $1.value }
    default: false
    }
  }
}

private struct GmailJSONParser {
  private let bytes: [UInt8]
  private var position = 0
  private var depth = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func read() -> GmailJSON? {
    guard let value = value() else { return nil }
    skipSpace()
    return position == bytes.count ? value : nil
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func skip(_ byte: UInt8) -> Bool {
    skipSpace()
    guard peek == byte else { return false }
    position += 1
    return true
  }

  private mutating func value() -> GmailJSON? {
    skipSpace()
    switch peek {
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      guard depth < 32 else { return nil }
      depth += 1
      defer { depth -= 1 }
      return peek == UInt8(ascii: "{") ? object() : array()
    case UInt8(ascii: "\""): return string().map { .string($0) }
    default:
      if let byte = peek, byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte) { return number() }
      for literal in ["true", "false", "null"] where bytes[position...].starts(with: literal.utf8) {
        position += literal.utf8.count
        return .literal(literal)
      }
      return nil
    }
  }

  private mutating func object() -> GmailJSON? {
    position += 1
    var members: [(key: String, value: GmailJSON)] = []
    if skip(UInt8(ascii: "}")) { return .object(members) }
    repeat {
      skipSpace()
      guard peek == UInt8(ascii: "\""), let key = string(), skip(UInt8(ascii: ":")), let value = value()
      else {
        return nil
      }
      members.append((key, value))
    } while skip(UInt8(ascii: ","))
    return skip(UInt8(ascii: "}")) ? .object(members) : nil
  }

  private mutating func array() -> GmailJSON? {
    position += 1
    var elements: [GmailJSON] = []
    if skip(UInt8(ascii: "]")) { return .array(elements) }
    repeat {
      guard let value = value() else { return nil }
      elements.append(value)
    } while skip(UInt8(ascii: ","))
    return skip(UInt8(ascii: "]")) ? .array(elements) : nil
  }

  private mutating func number() -> GmailJSON? {
    let start = position
    while let byte = peek, (0x30...0x39).contains(byte) || ".+-eE".utf8.contains(byte) { position += 1 }
    return .number(Substring(decoding: bytes[start..<position], as: UTF8.self))
  }

  private mutating func string() -> String? {
    position += 1
    // Most strings end before anything is escaped.
    let start = position
    while position < bytes.count, isPlain(bytes[position]) { position += 1 }
    var text = bytes[start..<position]
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(validating: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        guard let scalar = escaped() else { return nil }
        text.append(contentsOf: String(scalar).utf8)
      case 0x00..<0x20: return nil
      default: text.append(byte)
      }
    }
    return nil
  }

  private func isPlain(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
  }

  private mutating func escaped() -> Unicode.Scalar? {
    guard let byte = peek else { return nil }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      guard let first = fourDigits() else { return nil }
      if let scalar = Unicode.Scalar(first) { return scalar }
      // Half of a pair (RFC 8259, 7); the other half alone is none.
      guard (0xD800...0xDBFF).contains(first), bytes[position...].starts(with: "\\u".utf8) else {
        return nil
      }
      position += 2
      guard let second = fourDigits(), (0xDC00...0xDFFF).contains(second) else { return nil }
      return Unicode.Scalar(0x10000 + (UInt32(first - 0xD800) << 10) + UInt32(second - 0xDC00))
    default: return nil
    }
  }

  private mutating func fourDigits() -> UInt16? {
    guard position + 4 <= bytes.count else { return nil }
    let digits = bytes[position..<(position + 4)]
    // UInt16 would also read a sign.
    guard digits.allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }) else { return nil }
    position += 4
    return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
  }
}
