internal import PabalCore
internal import PabalFormats

/// The response of a token endpoint (RFC 6749 section 5.1).
struct TokenResponse: Sendable {
  var accessToken: String
  var expiry: Timestamp
  /// The lifetime of the access token, from the time of the request.
  var lifetime: Duration
  var refreshToken: String?
  /// The granted scopes, if the server lists any; otherwise they are as requested (RFC 6749 section 5.1).
  var scopes: [String]?
  var refreshTokenExpiry: Timestamp?
  /// The lifetime of the refresh token from the time of the request, if the server says it.
  var refreshTokenLifetime: Duration?
  /// The mailbox that logged in, if the server says it.
  var user: String?

  /// Reads a response with status 200; `now` is the time of the request.
  init(_ root: JSONValue, at now: Timestamp) throws(TokenError) {
    guard let token = root["access_token"]?.text, token.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw TokenError(
        .transient, "the response of the token server contains no access token",
        remedy: "check that the token endpoint (token_uri, token_endpoint) is the right URL")
    }
    if let type = root["token_type"]?.text, type.lowercased() != "bearer" {
      throw TokenError(
        .setUp, "the token server issues \(printable(type)) tokens, but Pabal supports only Bearer tokens")
    }
    accessToken = token
    // RFC 6749 only recommends the field; nearly all servers use an hour.
    let seconds = root["expires_in"]?.wholeNumber.flatMap { $0 > 0 ? $0 : nil } ?? 3600
    lifetime = .seconds(min(seconds, 31_536_000))
    expiry = now + lifetime
    refreshToken = root["refresh_token"]?.text
    let granted = root["scope"]?.words?.flatMap(Self.scopes)
    scopes = granted?.isEmpty == true ? nil : granted
    user = root["id_token"]?.text.flatMap { IdentityToken($0)?.email }
    refreshTokenLifetime = root["refresh_token_expires_in"]?.wholeNumber.flatMap { seconds in
      // Microsoft and others send 0 or -1 for no expiry.
      seconds > 0 ? .seconds(min(seconds, 3_153_600_000)) : nil
    }
    refreshTokenExpiry = refreshTokenLifetime.map { now + $0 }
  }

  /// Returns the scopes of one word. GitHub and others separate them by commas, which RFC 6749 allows within a scope, but
  /// no server is known to use one so.
  private static func scopes(_ word: String) -> [String] {
    word.split(separator: ",").map(String.init)
  }
}

/// The email address in an `id_token` (OpenID Connect Core section 2).
///
/// The signature isn't verified, because the token comes directly from the token endpoint over TLS (section 3.1.3.7,
/// point 6).
struct IdentityToken {
  /// The mailbox; `nil` if the server says that it isn't verified.
  let email: String?

  /// Reads the claims; `nil` if `text` isn't an id token.
  init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let bytes = base64URLBytes(String(parts[1])),
      let claims = try? JSONParser().parse(bytes.span)
    else { return nil }
    email =
      claims["email_verified"]?.content == .boolean(false) ? nil : claims["email"]?.text.map { printable($0) }
  }
}

/// Whether Google treats two addresses as the same mailbox: ignores case, and dots in addresses of gmail.com.
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
