public import PabalCore

/// Provider `google-service-account`: a Workspace mailbox, by domain-wide delegation.
public struct ServiceAccountProvider: AccountProvider {
  /// `google-service-account`.
  public let name = "google-service-account"
  private let surroundings: Surroundings

  /// The provider `google-service-account`.
  public init(surroundings: Surroundings = .system) { self.surroundings = surroundings }

  /// Reads the keys `key`, `token` and `scopes`.
  public func read(_ object: ConfigurationObject) -> AccountOpening? {
    let key = object.required(
      "key", cure: "name the service account's key: \"key\": \"service-account.json\"")?
      .filePath()
    let token = object.tokenFile()
    let scopes = object.scopes()
    let directory = object.directory
    let hasUser = object.userIsAddress()
    guard hasUser, let key, token.isSound, !scopes.isGiven || scopes.scopes != nil else { return nil }
    return { (use) throws(Diagnostic) in
      try use.refuseNoAddress()
      let needed = scopes.scopes ?? GoogleScopes.needed(by: use.plugins)
      return OAuthAccount(
        use, provider: name, issuer: .workspace, neededScopes: needed,
        file: TokenPlace.file(token.path, account: use.name, directory: directory),
        renewal: ServiceAccountRenewal(account: use.name, path: key, subject: use.user, scopes: needed),
        login: nil, surroundings: surroundings)
    }
  }
}
