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
      let claims = try? JSONParser.read(octets, file: "")
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
  octets(ofBase64: text.utf8.filter { $0 != UInt8(ascii: "=") })?.octets
}
