internal import PabalFormats

/// The transfer encodings of a part's body (RFC 2045, 6).
enum TransferEncoding {
  /// Returns the body without its encoding, named in lower case. What isn't valid base64 is empty.
  static func decoded(_ body: ArraySlice<UInt8>, _ encoding: String) -> [UInt8] {
    switch encoding {
    case "base64": (try? Base64.decode(body.span, .mime)) ?? []
    case "quoted-printable": quotedPrintable(body)
    default: Array(body)
    }
  }

  private static func quotedPrintable(_ body: ArraySlice<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = body
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "=") else {
        bytes.append(byte)
        continue
      }
      let digits = Array(rest.prefix(2))
      if digits.count == 2, let value = Hexadecimal.bytes(digits.span) {
        bytes += value
        rest = rest.dropFirst(2)
      } else {
        // A soft line break.
        rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        if rest.first == 0x0A { rest = rest.dropFirst() }
      }
    }
    return bytes
  }
}
