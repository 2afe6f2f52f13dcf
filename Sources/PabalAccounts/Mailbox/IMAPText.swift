internal import PabalFormats

/// How names and credentials are written in IMAP commands.
enum IMAPText {
  /// Returns `text` as a quoted string (RFC 3501, section 4.3); `nil` if it can't be one.
  static func quoted(_ text: String) -> String? {
    guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else { return nil }
    return "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }

  /// Returns the name of a folder in modified UTF-7 (RFC 3501, section 5.1.3): ASCII stays, `&` is `&-`, and other
  /// characters are UTF-16 in Base64 between `&` and `-`, with `,` for `/`.
  static func folder(_ name: String) -> String {
    var encoded = ""
    var units: [UInt8] = []
    func flush() {
      guard !units.isEmpty else { return }
      let digits = Base64.encode(units.span, isPadded: false)
      encoded += "&" + String(decoding: digits, as: UTF8.self).replacing("/", with: ",") + "-"
      units = []
    }
    for scalar in name.unicodeScalars {
      if (0x20...0x7E).contains(scalar.value) {
        flush()
        encoded += scalar == "&" ? "&-" : String(scalar)
      } else {
        for unit in Character(scalar).utf16 { units += [UInt8(unit >> 8), UInt8(unit & 0xFF)] }
      }
    }
    flush()
    return encoded
  }

  /// Returns the responses of the mechanism XOAUTH2 (developers.google.com/workspace/gmail/imap/xoauth2-protocol).
  static func xoauth2(user: String, token: String) -> String {
    encoded("user=\(user)\u{1}auth=Bearer \(token)\u{1}\u{1}")
  }

  /// Returns the response of the mechanism PLAIN (RFC 4616).
  static func plain(user: String, password: String) -> String {
    encoded("\u{0}\(user)\u{0}\(password)")
  }

  private static func encoded(_ text: String) -> String {
    String(decoding: Base64.encode(Array(text.utf8).span), as: UTF8.self)
  }
}
