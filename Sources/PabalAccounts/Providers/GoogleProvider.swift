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
      object.reportMissing(
        "client",
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
      file: TokenLocation.file(token, account: use.name, directory: directory), tokenGrant: tokenGrant,
      login: plan,
      dependencies: dependencies)
  }
}

/// Google's scopes for sending mail, and which transport needs which.
enum GoogleScopes {
  /// Gmail's REST API, sending only.
  static let send = "https://www.googleapis.com/auth/gmail.send"
  /// All of the mailbox: what smtp.gmail.com asks for, and enough for REST.
  static let mail = "https://mail.google.com/"

  // developers.google.com/gmail/api/reference/rest/v1/users.messages/send
  private static let sending = [
    "https://www.googleapis.com/auth/gmail.modify", "https://www.googleapis.com/auth/gmail.compose",
  ]

  /// What makes Google say whose mailbox it is (OpenID Connect).
  ///
  /// Not asked for by itself: beside it Google's consent page gets a box that has to be ticked, which a page with one
  /// scope alone hasn't (developers.google.com/identity/protocols/oauth2/resources/granular-permissions).
  static let identity = ["openid", "email"]
  // Asked for by the short name, granted by the long one.
  private static let longNames = [
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
  ]

  /// What the transports by `plugins` need; without any, what serves every transport.
  static func needed(by plugins: [String]) -> [String] {
    !plugins.isEmpty && plugins.allSatisfy { name($0) == "gmail" } ? [send] : [mail]
  }

  /// What each of `plugins` needs by itself; of one that isn't ours nobody knows more than what the configuration
  /// says, `configured`.
  static func scopeSets(_ plugins: [String], configured: [String]?) -> [[String]] {
    let scopeSets = plugins.map { plugin in
      ["gmail", "smtp"].contains(name(plugin)) ? needed(by: [plugin]) : configured ?? needed(by: [plugin])
    }
    return scopeSets.isEmpty ? [configured ?? needed(by: [])] : scopeSets
  }

  private static func name(_ plugin: String) -> String {
    let file = plugin.split(separator: "/").last.map(String.init) ?? plugin
    return file.hasPrefix("libpabal-") && file.hasSuffix(".so") ? String(file.dropFirst(9).dropLast(3)) : file
  }

  /// Those of `needed` that nothing in `granted` serves.
  static func missing(_ needed: [String], in granted: [String]) -> [String] {
    needed.filter { scope in
      !granted.contains(scope) && !granted.contains(longNames[scope] ?? scope)
        && !(scope.contains("/auth/gmail.") && granted.contains(mail))
        && !(scope == send && granted.contains { sending.contains($0) })
    }
  }

  /// What a scope lets Pabal do, in a person's words.
  static func meaning(_ scope: String) -> String? {
    switch scope {
    case send: "send mail by Gmail's REST API, read nothing"
    case mail: "send mail by SMTP and REST; Google has no smaller one for SMTP, so it includes reading"
    case "openid": "tell which mailbox logs in"
    case "email", "https://www.googleapis.com/auth/userinfo.email": "see its address"
    default: nil
    }
  }
}
