public import PabalCore

/// The provider `google`: a Gmail or Workspace user who logs in with a browser.
public struct GoogleProvider: AccountProvider {
  /// `google`.
  public let name = "google"
  private let dependencies: AccountDependencies

  /// Creates the provider.
  public init(dependencies: AccountDependencies = .system) { self.dependencies = dependencies }

  /// Google's token endpoint, for token files that don't name it.
  static let tokenEndpoint = "https://oauth2.googleapis.com/token"

  /// Reads the keys `client`, `token`, `scopes` and `proxy`.
  public func read(_ object: ObjectDecoder) -> AccountOpener? {
    let accountDependencies = dependencies.withProxy(of: object)
    let client = object.path("client")
    let token = object.tokenFile()
    let scopes = object.scopes()
    let directory = object.directory
    let hasUser = object.userIsAddress()
    if client.path == nil, token.path == nil, client.isSound, token.isSound {
      object.reportMissing(
        "client",
        remedy: "download credentials.json and set \"client\": \"credentials.json\"")
    }
    guard let accountDependencies, hasUser, client.isSound, token.isSound,
      client.path != nil || token.path != nil,
      !scopes.isGiven || scopes.scopes != nil
    else { return nil }
    return { (use) throws(Diagnostic) in
      try use.validateUser()
      return account(
        use, client: client.path, token: token.path, scopes: scopes.scopes, directory: directory,
        accountDependencies)
    }
  }

  private func account(
    _ use: AccountContext, client path: String?, token: String?, scopes: [String]?, directory: String,
    _ dependencies: AccountDependencies
  ) -> OAuthAccount {
    let needed = scopes ?? GoogleScopes.needed(by: use.uses)
    let readClient: @Sendable () throws(TokenError) -> OAuthClient = { () throws(TokenError) in
      guard let path else {
        throw TokenError(
          .setUp, "a login needs the OAuth client", remedy: "set it: \"client\": \"credentials.json\"",
          step: .client, errorKind: .configuration)
      }
      do throws(SecretFileError) {
        return try OAuthClient.google(path)
      } catch {
        var failure = TokenError(error)
        failure.step = .client
        if error.isMissing {
          failure.remedy = "download the desktop client's JSON from the Google Cloud console to this path"
        }
        throw failure
      }
    }
    let tokenGrant = RefreshTokenGrant(
      issuer: .google, account: use.name,
      client: { () throws(TokenError) in
        // The token file names its client, so credentials.json may be removed after the login.
        guard let path, OAuthAccount.mayExist(path) else { return nil }
        return try readClient()
      }, standardEndpoint: Self.tokenEndpoint)
    let plan = LoginPlan(
      flow: .browser, scopes: needed, client: readClient,
      parameters: [("access_type", "offline"), ("prompt", "consent"), ("login_hint", use.user)])
    return OAuthAccount(
      use, provider: name, issuer: .google, neededScopes: needed,
      scopeSets: GoogleScopes.scopeSets(use.uses, configured: scopes),
      file: TokenLocation.file(token, account: use.name, directory: directory), tokenGrant: tokenGrant,
      login: plan,
      dependencies: dependencies)
  }
}

/// Google's scopes for sending mail, and the scopes that each transport needs.
enum GoogleScopes {
  /// Sending through Gmail's REST API only.
  static let send = "https://www.googleapis.com/auth/gmail.send"
  /// Full access to the mailbox: required by smtp.gmail.com, and sufficient for the REST API.
  static let mail = "https://mail.google.com/"

  /// Reading through Gmail's REST API.
  static let readonly = "https://www.googleapis.com/auth/gmail.readonly"

  // developers.google.com/gmail/api/reference/rest/v1/users.messages/send
  private static let sending = [
    "https://www.googleapis.com/auth/gmail.modify", "https://www.googleapis.com/auth/gmail.compose",
  ]

  /// The scopes that make Google say whose mailbox it is (OpenID Connect).
  ///
  /// Requested only with `--confirm-user`, because with more than one scope Google's consent page has checkboxes that
  /// have to be selected (developers.google.com/identity/protocols/oauth2/resources/granular-permissions).
  static let identity = ["openid", "email"]
  // Requested by the short name, granted by the long one.
  private static let longNames = [
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
  ]

  /// Returns the scopes that transports with these uses need; without any, those that suffice for every transport.
  static func needed(by uses: [AccountUse]) -> [String] {
    let all = scopeSets(uses, configured: nil).reduce(into: [String]()) { all, scopes in
      all += scopes.filter { !all.contains($0) }
    }
    // Full access includes sending.
    return all.filter { scope in !missing([scope], in: all.filter { $0 != scope }).isEmpty }
  }

  /// Returns the scopes that each transport needs on its own; those of a plugin that declares none are known only from
  /// the configuration (`configured`).
  static func scopeSets(_ uses: [AccountUse], configured: [String]?) -> [[String]] {
    let scopeSets = uses.map { use in
      use.scope(provider: "google").map { [$0] } ?? configured ?? [mail]
    }
    return scopeSets.isEmpty ? [configured ?? [mail]] : scopeSets
  }

  /// Returns the needed scopes that `granted` doesn't cover.
  static func missing(_ needed: [String], in granted: [String]) -> [String] {
    needed.filter { scope in
      !granted.contains(scope) && !granted.contains(longNames[scope] ?? scope)
        && !(scope.contains("/auth/gmail.") && granted.contains(mail))
        && !(scope == send && granted.contains { sending.contains($0) })
    }
  }

  /// Returns what a scope allows, for a person; `nil` if it isn't known.
  static func meaning(_ scope: String) -> String? {
    switch scope {
    case send: "send mail through Gmail's REST API, without reading any"
    case mail: "send mail by SMTP and REST; includes reading, because Google has no narrower scope for SMTP"
    case readonly: "read mail through Gmail's REST API, for bounces"
    case "openid": "identify the mailbox that logs in"
    case "email", "https://www.googleapis.com/auth/userinfo.email": "see the email address"
    default: nil
    }
  }
}
