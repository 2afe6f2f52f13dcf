internal import Crypto
internal import PabalCore
internal import PabalFormats

/// A way to obtain an access token without a person.
protocol TokenGrant: Sendable {
  /// Whether a renewal may make the stored credential useless, so that its answer has to be stored.
  var usesRefreshToken: Bool { get }

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
  /// How the client proves its identity, if that has to be found out.
  var authentication: ClientAuthentication?

  var usesRefreshToken: Bool { true }

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
    var fields = [("grant_type", "refresh_token"), ("refresh_token", refreshToken)]
    if !scopes.isEmpty { fields.append(("scope", scopes.joined(separator: " "))) }
    let request = TokenRequest(
      form: URLEncodedForm(fields), endpoint: endpoint,
      client: FormClient(
        id: id, secret: secret, authentication: authentication, stored: stored.clientAuthentication),
      secrets: [stored.accessToken ?? ""],
      classifier: OAuthErrorClassifier(
        issuer: issuer, operation: .refresh, account: account, refreshTokenExpiry: stored.refreshTokenExpiry,
        loginExpiry: LoginExpiry(stored, issuer), now: dependencies.now()),
      dependencies: dependencies)
    let (root, now) = try request.perform()
    var refreshed = stored.refreshed(by: try TokenResponse(root, at: now))
    if let method = authentication?.method { refreshed.clientAuthentication = method }
    return refreshed
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
  /// How the client proves its identity, if that has to be found out.
  var authentication: ClientAuthentication?

  var usesRefreshToken: Bool { false }

  func fingerprint(of stored: StoredToken?) throws(TokenError) -> String {
    let client = try client()
    return PabalAccounts.fingerprint(ofSecret: "\(client.id) \(client.secret ?? "")")
  }

  func refresh(_ stored: StoredToken?, in dependencies: AccountDependencies) throws(TokenError) -> StoredToken
  {
    let client = try client()
    let request = TokenRequest(
      form: URLEncodedForm([
        ("grant_type", "client_credentials"), ("scope", scopes.joined(separator: " ")),
      ]), endpoint: client.tokenEndpoint,
      client: FormClient(
        id: client.id, secret: client.secret ?? "", authentication: authentication,
        stored: stored?.clientAuthentication),
      classifier: OAuthErrorClassifier(
        issuer: issuer, operation: .grant, account: account, now: dependencies.now()),
      dependencies: dependencies)
    let (root, now) = try request.perform()
    let response = try TokenResponse(root, at: now)
    var token = StoredToken(
      accessToken: response.accessToken, expiry: response.expiry, lifetime: response.lifetime,
      scopes: response.scopes ?? scopes, user: user)
    token.clientAuthentication = authentication?.method ?? stored?.clientAuthentication
    return token
  }
}
