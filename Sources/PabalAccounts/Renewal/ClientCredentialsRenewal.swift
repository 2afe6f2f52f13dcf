internal import PabalCore

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

  func refresh(_ stored: StoredToken?, in dependencies: AccountDependencies) throws(TokenError) -> StoredToken {
    let client = try client()
    let secret = client.secret ?? ""
    let request = TokenRequest(
      form: URLEncodedForm([
        ("grant_type", "client_credentials"), ("client_id", client.id), ("client_secret", secret),
        ("scope", scopes.joined(separator: " ")),
      ]), endpoint: client.tokenEndpoint,
      classifier: OAuthErrorClassifier(issuer: issuer, operation: .grant, account: account, now: dependencies.now()),
      dependencies: dependencies)
    let (root, now) = try request.perform()
    let response = try TokenResponse(root, at: now)
    return StoredToken(
      accessToken: response.accessToken, expiry: response.expiry, lifetime: response.lifetime,
      scopes: response.scopes ?? scopes, user: user)
  }
}
