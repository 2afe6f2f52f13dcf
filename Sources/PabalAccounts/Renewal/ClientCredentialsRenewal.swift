internal import PabalCore

/// Renewal by the client's own secret (RFC 6749 section 4.4): the app itself is who sends.
struct ClientCredentialsRenewal: Renewal {
  let issuer: Refusals.Issuer
  let account: String
  let user: String
  let scopes: [String]
  let client: @Sendable () throws(TokenFailure) -> OAuthClient

  func fingerprint(of stored: StoredToken?) throws(TokenFailure) -> String {
    let client = try client()
    return PabalAccounts.fingerprint(ofSecret: "\(client.id) \(client.secret ?? "")")
  }

  func renew(_ stored: StoredToken?, in surroundings: Surroundings) throws(TokenFailure) -> StoredToken {
    let client = try client()
    let secret = client.secret ?? ""
    let request = TokenRequest(
      form: Form([
        ("grant_type", "client_credentials"), ("client_id", client.id), ("client_secret", secret),
        ("scope", scopes.joined(separator: " ")),
      ]), endpoint: client.tokenEndpoint,
      refusals: Refusals(issuer: issuer, question: .grant, account: account, now: surroundings.now()),
      surroundings: surroundings)
    let (root, now) = try request.perform()
    let answer = try TokenAnswer(root, at: now)
    return StoredToken(
      accessToken: answer.accessToken, expiry: answer.expiry, lifetime: answer.lifetime,
      scopes: answer.scopes ?? scopes, user: user)
  }
}
