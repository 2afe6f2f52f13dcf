/// The encoding of values in the parameters of RFC 3461, 4: `+` and two hexadecimal digits stand for a character that can't
/// stand for itself.
package enum XText {
  /// Returns the decoded bytes as text; `nil` unless `text` is valid, and UTF-8 once it is decoded.
  ///
  /// Bytes above 127 stand for themselves, as RFC 6533 has it for SMTPUTF8.
  package static func decode(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+"):
        guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
          return nil
        }
        bytes.append(high << 4 | low)
      case UInt8(ascii: "="), 0...0x20, 0x7F: return nil
      default: bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// Returns the encoded text. Bytes above 127 are encoded as well.
  package static func encode(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "+"), UInt8(ascii: "="), 0...0x20, 0x7F...0xFF:
        let hex = String(byte, radix: 16, uppercase: true)
        encoded += hex.utf8.count < 2 ? "+0\(hex)" : "+\(hex)"
      default: encoded.unicodeScalars.append(Unicode.Scalar(byte))
      }
    }
    return encoded
  }

  /// The value of a digit; the letters are upper-case (RFC 3461, 4).
  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
