/// One reply of a mail server: its code, and where its text lies in the reader that holds it.
struct Reply: Equatable {
  /// Three digits, 200 to 599 (RFC 5321, 4.2).
  let code: Int
  /// The enhanced status code of its last line (RFC 3463), where there is one.
  let enhanced: EnhancedCode?
  /// Its lines in the reader's octets, line ends included.
  let range: Range<Int>

  /// Whether the command it answers was done. 220 and 221 greet and part; they answer none of ours.
  var isSuccess: Bool { code / 100 == 2 && code != 220 && code != 221 }
  /// Whether the command it answers was refused, for now or for good.
  var isRefusal: Bool { code >= 400 }
  /// Whether the server ends the connection with it.
  var closesConnection: Bool { code == 421 || code == 221 }
}

/// An enhanced status code, such as 5.7.1 (RFC 3463).
struct EnhancedCode: Equatable {
  let status: Int
  let subject: Int
  let detail: Int

  /// Reads the code at the start of `octets`; `nil` when none stands there.
  init?(_ octets: some Sequence<UInt8>) {
    var parts = (0, 0, 0)
    var index = 0
    var digits = 0
    for octet in octets {
      switch octet {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        digits += 1
        if digits > 3 { return nil }
        let digit = Int(octet - UInt8(ascii: "0"))
        switch index {
        case 0: parts.0 = parts.0 * 10 + digit
        case 1: parts.1 = parts.1 * 10 + digit
        default: parts.2 = parts.2 * 10 + digit
        }
        continue
      case UInt8(ascii: ".") where index < 2 && digits > 0:
        index += 1
        digits = 0
        continue
      case UInt8(ascii: " "), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
        break
      default:
        return nil
      }
      break
    }
    guard index == 2, digits > 0, [2, 4, 5].contains(parts.0) else { return nil }
    (status, subject, detail) = parts
  }
}
