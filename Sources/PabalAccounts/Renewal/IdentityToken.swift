internal import PabalCore

/// What an `id_token` (OpenID Connect Core section 2) says of who logged in.
///
/// Its signature isn't looked at: it comes from the token endpoint itself, over TLS (section 3.1.3.7, point 6).
struct IdentityToken {
  /// The mailbox, unless the server says that it isn't verified.
  let email: String?

  /// Reads the claims; `nil` where it is none.
  init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let octets = octets(ofBase64URL: parts[1]),
      let claims = try? JSONReader.read(octets, file: "")
    else { return nil }
    email =
      claims["email_verified"]?.value == .boolean(false) ? nil : claims["email"]?.text.map { printable($0) }
  }
}

/// Whether two addresses are the same mailbox to Google: case doesn't count, nor do dots in gmail.com's.
func isSameMailbox(_ a: String, _ b: String) -> Bool {
  func canonical(_ address: String) -> String {
    let parts = address.lowercased().split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1] == "gmail.com" || parts[1] == "googlemail.com" else {
      return address.lowercased()
    }
    return parts[0].filter { $0 != "." } + "@gmail.com"
  }
  return canonical(a) == canonical(b)
}

/// The octets of Base64, for URLs or not, with or without padding; `nil` where it is none.
func octets(ofBase64URL text: Substring) -> [UInt8]? {
  var octets: [UInt8] = []
  var bits = 0
  var count = 0
  for digit in text.utf8 where digit != UInt8(ascii: "=") {
    let value: UInt8
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = digit - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): value = digit - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0") + 52
    case UInt8(ascii: "-"), UInt8(ascii: "+"): value = 62
    case UInt8(ascii: "_"), UInt8(ascii: "/"): value = 63
    default: return nil
    }
    bits = (bits << 6 | Int(value)) & 0xFFFF
    count += 6
    if count >= 8 {
      count -= 8
      octets.append(UInt8(truncatingIfNeeded: bits >> count))
    }
  }
  return octets
}
