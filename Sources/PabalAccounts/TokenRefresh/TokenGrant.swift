internal import Crypto
internal import PabalCore
internal import PabalFormats

/// A way to get another access token without a person.
protocol TokenGrant: Sendable {
  /// What a refusal would be about: a refresh token, a key. With another one it is worth asking again.
  func fingerprint(of stored: StoredToken?) throws(TokenError) -> String

  /// Asks for another token; blocks.
  func refresh(_ stored: StoredToken?, in dependencies: AccountDependencies) throws(TokenError) -> StoredToken
}

/// Enough of a hash of `secret` to tell it from another, and nothing to find it by.
func fingerprint(ofSecret secret: String) -> String {
  let digest = Array(SHA256.hash(data: Array(secret.utf8)).prefix(8))
  return Hexadecimal.string(digest.span)
}

/// Renewal by the refresh token that a login gave.
struct RefreshTokenGrant: TokenGrant {
  let issuer: OAuthErrorClassifier.Issuer
  let account: String
  /// The client of the configuration, or `nil` where only the token file knows one.
  let client: @Sendable () throws(TokenError) -> OAuthClient?
  /// Where to ask if neither client nor token file says it.
  var standardEndpoint: String?
  /// Microsoft's answer is for the scopes asked for, the others' for those granted.
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
      throw TokenError(.setUp, "neither the token file nor \"client\" says which OAuth client to be")
    }
    // A refresh token works only with the client that got it; a secret may have been changed since.
    let secret = client?.id == id ? client?.secret ?? stored.clientSecret : stored.clientSecret
    let written = stored.tokenEndpoint ?? standardEndpoint
    guard let endpoint = client?.tokenEndpoint ?? written.flatMap({ try? HTTPEndpoint($0) }) else {
      throw TokenError(
        .setUp, "there is no token endpoint, or secrets may not go there", remedy: "use an https URL")
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
        .dead, "the token file holds no refresh token, so nothing renews it",
        remedy: "log in: pabal account login \(account)",
        step: issuer == .google ? .login : nil)
    }
    return token
  }

  private var notLoggedIn: TokenError {
    TokenError(
      .dead, "nobody has logged in yet", remedy: "log in: pabal account login \(account)",
      step: issuer == .google ? .login : issuer == .microsoft ? .microsoftLogin : nil)
  }
}

/// Renewal by the client's own secret (RFC 6749 section 4.4): the app itself is who sends.
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
