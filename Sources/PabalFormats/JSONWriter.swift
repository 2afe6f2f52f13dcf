/// Writes JSON values as text (RFC 8259) for files that people read too.
///
/// Two spaces for each level of objects, arrays on one line, members in their order, a line feed at the end.
/// Token files and the claims of signed requests have this form, so it must not change.
public enum JSONWriter {
  /// Returns the text of `value` in UTF-8. Numbers are written as they are; they must be JSON's.
  public static func bytes(_ value: JSONValue) -> [UInt8] {
    var bytes: [UInt8] = []
    append(value, indentation: 0, to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
    return bytes
  }

  /// Returns the text of `value`.
  public static func string(_ value: JSONValue) -> String {
    String(decoding: bytes(value), as: UTF8.self)
  }

  private static func append(_ value: JSONValue, indentation: Int, to bytes: inout [UInt8]) {
    switch value.content {
    case .null: bytes.append(contentsOf: "null".utf8)
    case .boolean(let isTrue): bytes.append(contentsOf: (isTrue ? "true" : "false").utf8)
    case .number(let number): bytes.append(contentsOf: number.utf8)
    case .string(let text): append(text, to: &bytes)
    case .array(let elements):
      bytes.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { bytes.append(contentsOf: ", ".utf8) }
        append(element, indentation: indentation, to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let members):
      bytes.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        bytes.append(contentsOf: (index > 0 ? ",\n" : "\n").utf8)
        appendSpaces(indentation + 2, to: &bytes)
        append(member.key, to: &bytes)
        bytes.append(contentsOf: ": ".utf8)
        append(member.value, indentation: indentation + 2, to: &bytes)
      }
      if !members.isEmpty {
        bytes.append(UInt8(ascii: "\n"))
        appendSpaces(indentation, to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  private static func appendSpaces(_ count: Int, to bytes: inout [UInt8]) {
    bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: count))
  }

  private static func append(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): bytes.append(contentsOf: #"\""#.utf8)
      case UInt8(ascii: "\\"): bytes.append(contentsOf: #"\\"#.utf8)
      case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
      case 0..<0x20, 0x7F:
        bytes.append(contentsOf: #"\u00"#.utf8)
        bytes.append(Hexadecimal.lowerCaseDigit(byte >> 4))
        bytes.append(Hexadecimal.lowerCaseDigit(byte & 15))
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
