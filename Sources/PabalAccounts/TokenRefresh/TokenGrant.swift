internal import Crypto
internal import PabalCore
internal import PabalFormats

/// A way to obtain an access token without a person.
protocol TokenGrant: Sendable {
  /// Returns a fingerprint of the credential, such as a refresh token or key. A recorded failure applies only to the
  /// same credential.
  func fingerprint(of stored: StoredToken?) throws(TokenError) -> String

  /// Requests a new token; blocks.
  func refresh(_ stored: StoredToken?, in dependencies: AccountDependencies) throws(TokenError) -> StoredToken
}

/// Returns the first 8 bytes of the SHA-256 of `secret` in hexadecimal: enough to compare secrets, too little to find
/// one.
func fingerprint(ofSecret secret: String) -> String {
  let digest = Array(SHA256.hash(data: Array(secret.utf8)).prefix(8))
  return Hexadecimal.string(digest.span)
}

/// Renewal with the refresh token of a login.
struct RefreshTokenGrant: TokenGrant {
  let issuer: OAuthErrorClassifier.Issuer
  let account: String
  /// Returns the configured client; `nil` if only the token file names one.
  let client: @Sendable () throws(TokenError) -> OAuthClient?
  /// The token endpoint if neither client nor token file names one.
  var standardEndpoint: String?
  /// The scopes to request; empty for those granted at the login. Microsoft needs them.
  var scopes: [String] = []

  func fingerprint(of stored: StoredToken?) throws(TokenError) -> String {
    PabalAccounts.fingerprint(ofSecret: try refreshToken(stored))
  }

  func refresh(_ stored: StoredToken?, in dependencies: AccountDependencies) throws(TokenError) -> StoredToken
  {
    let refreshToken = try refreshToken(stored)
    guard let stored else { throw notLoggedIn }
    let client = try client()
    guard let id = stored.clientID ?? client?.id else {
      throw TokenError(
        .setUp, "neither the token file nor \"client\" names an OAuth client", remedy: "set \"client\"")
    }
    // A refresh token works only with the client it was issued to, whose secret may have changed since.
    let secret = client?.id == id ? client?.secret ?? stored.clientSecret : stored.clientSecret
    let written = stored.tokenEndpoint ?? standardEndpoint
    guard let endpoint = client?.tokenEndpoint ?? written.flatMap({ try? HTTPEndpoint($0) }) else {
      throw TokenError(
        .setUp, "the token endpoint is missing or isn't encrypted", remedy: "use an https URL")
    }
    var fields = [("grant_type", "refresh_token"), ("refresh_token", refreshToken), ("client_id", id)]
    if let secret { fields.append(("client_secret", secret)) }
    if !scopes.isEmpty { fields.append(("scope", scopes.joined(separator: " "))) }
    let request = TokenRequest(
      form: URLEncodedForm(fields), endpoint: endpoint,
      secrets: [stored.accessToken ?? ""],
      classifier: OAuthErrorClassifier(
        issuer: issuer, operation: .refresh, account: account, refreshTokenExpiry: stored.refreshTokenExpiry,
        loginExpiry: LoginExpiry(stored, issuer), now: dependencies.now()),
      dependencies: dependencies)
    let (root, now) = try request.perform()
    return stored.refreshed(by: try TokenResponse(root, at: now))
  }

  private func refreshToken(_ stored: StoredToken?) throws(TokenError) -> String {
    guard let stored else { throw notLoggedIn }
    guard let token = stored.refreshToken else {
      throw TokenError(
        .dead, "the token file contains no refresh token, so it can't be renewed",
        remedy: "log in: pabal account login \(account)",
        step: issuer == .google ? .login : nil)
    }
    return token
  }

  private var notLoggedIn: TokenError {
    TokenError(
      .dead, "not logged in yet", remedy: "log in: pabal account login \(account)",
      step: issuer == .google ? .login : issuer == .microsoft ? .microsoftLogin : nil)
  }
}

/// Renewal with the client's own secret (RFC 6749 section 4.4): the app itself sends.
struct ClientCredentialsGrant: TokenGrant {
  let issuer: OAuthErrorClassifier.Issuer
  let account: String
  let user: String
  let scopes: [String]
  let client: @Sendable () throws(TokenError) -> OAuthClient

  func fingerprint(of stored: StoredToken?) throws(TokenError) -> String {
    let client = try client()
    return PabalAccounts.fingerprint(ofSecret: "\(client.id) \(client.secret ?? "")")
  }

  func refresh(_ stored: StoredToken?, in dependencies: AccountDependencies) throws(TokenError) -> StoredToken
  {
    let client = try client()
    let secret = client.secret ?? ""
    let request = TokenRequest(
      form: URLEncodedForm([
        ("grant_type", "client_credentials"), ("client_id", client.id), ("client_secret", secret),
        ("scope", scopes.joined(separator: " ")),
      ]), endpoint: client.tokenEndpoint,
      classifier: OAuthErrorClassifier(
        issuer: issuer, operation: .grant, account: account, now: dependencies.now()),
      dependencies: dependencies)
    let (root, now) = try request.perform()
    let response = try TokenResponse(root, at: now)
    return StoredToken(
      accessToken: response.accessToken, expiry: response.expiry, lifetime: response.lifetime,
      scopes: response.scopes ?? scopes, user: user)
  }
}
