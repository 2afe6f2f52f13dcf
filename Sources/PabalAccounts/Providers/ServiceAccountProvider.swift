public import PabalCore

/// Provider `google-service-account`: a Workspace mailbox, by domain-wide delegation.
public struct ServiceAccountProvider: AccountProvider {
  /// `google-service-account`.
  public let name = "google-service-account"
  private let dependencies: AccountDependencies

  /// The provider `google-service-account`.
  public init(dependencies: AccountDependencies = .system) { self.dependencies = dependencies }

  /// Reads the keys `key`, `token` and `scopes`.
  public func read(_ object: ObjectDecoder) -> AccountOpener? {
    let key = object.required(
      "key", remedy: "name the service account's key: \"key\": \"service-account.json\"")?
      .filePath()
    let token = object.tokenFile()
    let scopes = object.scopes()
    let directory = object.directory
    let hasUser = object.userIsAddress()
    guard hasUser, let key, token.isSound, !scopes.isGiven || scopes.scopes != nil else { return nil }
    return { (use) throws(Diagnostic) in
      try use.validateUser()
      let needed = scopes.scopes ?? GoogleScopes.needed(by: use.plugins)
      return OAuthAccount(
        use, provider: name, issuer: .workspace, neededScopes: needed,
        file: TokenLocation.file(token.path, account: use.name, directory: directory),
        tokenGrant: ServiceAccountGrant(account: use.name, path: key, subject: use.user, scopes: needed),
        login: nil, dependencies: dependencies)
    }
  }
}
