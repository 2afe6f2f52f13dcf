public import PabalCore

/// Provider `google`: a Gmail or Workspace user who has logged in in a browser.
public struct GoogleProvider: AccountProvider {
  /// `google`.
  public let name = "google"
  private let surroundings: Surroundings

  /// The provider `google`.
  public init(surroundings: Surroundings = .system) { self.surroundings = surroundings }

  /// Where Google gives tokens, for token files that don't say it.
  static let tokenEndpoint = "https://oauth2.googleapis.com/token"

  /// Reads the keys `client`, `token` and `scopes`.
  public func read(_ object: ConfigurationObject) -> AccountOpening? {
    let client = object.path("client")
    let token = object.tokenFile()
    let scopes = object.scopes()
    let directory = object.directory
    let hasUser = object.userIsAddress()
    if client.path == nil, token.path == nil, client.isSound, token.isSound {
      object.value.complain(
        "the key “client” is missing",
        cure: "download credentials.json and name it: \"client\": \"credentials.json\"")
    }
    guard hasUser, client.isSound, token.isSound, client.path != nil || token.path != nil,
      !scopes.isGiven || scopes.scopes != nil
    else { return nil }
    return { (use) throws(Diagnostic) in
      try use.refuseNoAddress()
      return account(use, client: client.path, token: token.path, scopes: scopes.scopes, directory: directory)
    }
  }

  private func account(
    _ use: AccountUse, client path: String?, token: String?, scopes: [String]?, directory: String
  ) -> OAuthAccount {
    let needed = scopes ?? GoogleScopes.needed(by: use.plugins)
    let readClient: @Sendable () throws(TokenFailure) -> OAuthClient = { () throws(TokenFailure) in
      guard let path else {
        throw TokenFailure(
          .setUp, "a login needs the OAuth client", cure: "name it: \"client\": \"credentials.json\"",
          step: .client, fault: .configuration)
      }
      do throws(SecretFileProblem) {
        return try OAuthClient.google(path)
      } catch {
        var failure = TokenFailure(error)
        failure.step = .client
        if error.isMissing {
          failure.cure = "download the desktop client's JSON from the Google Cloud console to there"
        }
        throw failure
      }
    }
    let renewal = RefreshTokenRenewal(
      issuer: .google, account: use.name,
      client: { () throws(TokenFailure) in
        // The token file knows its client; credentials.json may be gone after the login.
        guard let path, OAuthAccount.isThere(path) else { return nil }
        return try readClient()
      }, standardEndpoint: Self.tokenEndpoint)
    let plan = LoginPlan(
      flow: .browser, scopes: needed, client: readClient,
      parameters: [("access_type", "offline"), ("prompt", "consent"), ("login_hint", use.user)])
    return OAuthAccount(
      use, provider: name, issuer: .google, neededScopes: needed,
      ways: GoogleScopes.ways(use.plugins, configured: scopes),
      file: TokenPlace.file(token, account: use.name, directory: directory), renewal: renewal, login: plan,
      surroundings: surroundings)
  }
}
