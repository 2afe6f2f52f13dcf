internal import PabalCore

/// A token endpoint's answer (RFC 6749 section 5.1).
struct TokenResponse: Sendable {
  var accessToken: String
  var expiry: UTCTime
  /// How long it lives from when it was asked for.
  var lifetime: Duration
  var refreshToken: String?
  /// The scopes granted, where the server says them.
  var scopes: [String]?
  var refreshTokenExpiry: UTCTime?
  /// How long the refresh token lives from when it was asked for, where the server says it.
  var refreshTokenLifetime: Duration?
  /// The mailbox that logged in, where the server says it.
  var user: String?

  /// Reads an answer of status 200; `now` is when it was asked for.
  init(_ root: JSONNode, at now: UTCTime) throws(TokenError) {
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
