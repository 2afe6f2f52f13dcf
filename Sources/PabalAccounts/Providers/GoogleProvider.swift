public import PabalCore

/// Provider `google`: a Gmail or Workspace user who has logged in in a browser.
public struct GoogleProvider: AccountProvider {
  /// `google`.
  public let name = "google"
  private let dependencies: AccountDependencies

  /// The provider `google`.
  public init(dependencies: AccountDependencies = .system) { self.dependencies = dependencies }

  /// Where Google gives tokens, for token files that don't say it.
  static let tokenEndpoint = "https://oauth2.googleapis.com/token"

  /// Reads the keys `client`, `token` and `scopes`.
  public func read(_ object: ObjectDecoder) -> AccountOpener? {
    let client = object.path("client")
    let token = object.tokenFile()
    let scopes = object.scopes()
    let directory = object.directory
    let hasUser = object.userIsAddress()
    if client.path == nil, token.path == nil, client.isSound, token.isSound {
      object.value.report(
        "the key “client” is missing",
        remedy: "download credentials.json and name it: \"client\": \"credentials.json\"")
    }
    guard hasUser, client.isSound, token.isSound, client.path != nil || token.path != nil,
      !scopes.isGiven || scopes.scopes != nil
    else { return nil }
    return { (use) throws(Diagnostic) in
      try use.validateUser()
      return account(use, client: client.path, token: token.path, scopes: scopes.scopes, directory: directory)
    }
  }

  private func account(
    _ use: AccountContext, client path: String?, token: String?, scopes: [String]?, directory: String
  ) -> OAuthAccount {
    let needed = scopes ?? GoogleScopes.needed(by: use.plugins)
    let readClient: @Sendable () throws(TokenError) -> OAuthClient = { () throws(TokenError) in
      guard let path else {
        throw TokenError(
          .setUp, "a login needs the OAuth client", remedy: "name it: \"client\": \"credentials.json\"",
          step: .client, errorKind: .configuration)
      }
      do throws(SecretFileError) {
        return try OAuthClient.google(path)
      } catch {
        var failure = TokenError(error)
        failure.step = .client
        if error.isMissing {
          failure.remedy = "download the desktop client's JSON from the Google Cloud console to there"
        }
        throw failure
      }
    }
    let tokenGrant = RefreshTokenGrant(
      issuer: .google, account: use.name,
      client: { () throws(TokenError) in
        // The token file knows its client; credentials.json may be gone after the login.
        guard let path, OAuthAccount.mayExist(path) else { return nil }
        return try readClient()
      }, standardEndpoint: Self.tokenEndpoint)
    let plan = LoginPlan(
      flow: .browser, scopes: needed, client: readClient,
      parameters: [("access_type", "offline"), ("prompt", "consent"), ("login_hint", use.user)])
    return OAuthAccount(
      use, provider: name, issuer: .google, neededScopes: needed,
      scopeSets: GoogleScopes.scopeSets(use.plugins, configured: scopes),
      file: TokenLocation.file(token, account: use.name, directory: directory), tokenGrant: tokenGrant, login: plan,
      dependencies: dependencies)
  }
}
