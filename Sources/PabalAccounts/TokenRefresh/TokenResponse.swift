internal import PabalCore
internal import PabalFormats

/// A token endpoint's answer (RFC 6749 section 5.1).
struct TokenResponse: Sendable {
  var accessToken: String
  var expiry: Timestamp
  /// How long it lives from when it was asked for.
  var lifetime: Duration
  var refreshToken: String?
  /// The scopes granted, where the server says them.
  var scopes: [String]?
  var refreshTokenExpiry: Timestamp?
  /// How long the refresh token lives from when it was asked for, where the server says it.
  var refreshTokenLifetime: Duration?
  /// The mailbox that logged in, where the server says it.
  var user: String?

  /// Reads an answer of status 200; `now` is when it was asked for.
  init(_ root: JSONValue, at now: Timestamp) throws(TokenError) {
    guard let token = root["access_token"]?.text, token.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw TokenError(
        .transient, "the token server's answer holds no access token",
        remedy: "see whether the token endpoint (token_uri, token_endpoint) is the right address")
    }
    if let type = root["token_type"]?.text, type.lowercased() != "bearer" {
      throw TokenError(
        .setUp, "the token server gives \(printable(type)) tokens; Pabal knows Bearer tokens only")
    }
    accessToken = token
    // RFC 6749 only recommends the field; an hour is what nearly everybody gives.
    let seconds = root["expires_in"]?.wholeNumber.flatMap { $0 > 0 ? $0 : nil } ?? 3600
    lifetime = .seconds(min(seconds, 31_536_000))
    expiry = now + lifetime
    refreshToken = root["refresh_token"]?.text
    scopes = root["scope"]?.words
    user = root["id_token"]?.text.flatMap { IdentityToken($0)?.email }
    refreshTokenLifetime = root["refresh_token_expires_in"]?.wholeNumber.flatMap { seconds in
      // Microsoft's and others' 0 or -1 mean that there is no end.
      seconds > 0 ? .seconds(min(seconds, 3_153_600_000)) : nil
    }
    refreshTokenExpiry = refreshTokenLifetime.map { now + $0 }
  }
}

/// What an `id_token` (OpenID Connect Core section 2) says of who logged in.
///
/// Its signature isn't looked at: it comes from the token endpoint itself, over TLS (section 3.1.3.7, point 6).
struct IdentityToken {
  /// The mailbox, unless the server says that it isn't verified.
  let email: String?

  /// Reads the claims; `nil` where it is none.
  init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let bytes = base64URLBytes(String(parts[1])),
      let claims = try? JSONParser().parse(bytes.span)
    else { return nil }
    email =
      claims["email_verified"]?.content == .boolean(false) ? nil : claims["email"]?.text.map { printable($0) }
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
