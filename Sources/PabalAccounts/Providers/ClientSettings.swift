internal import PabalCore

/// A client that stands in the configuration itself, for `microsoft` and `oauth2`.
struct ClientSettings: Sendable {
  /// How tokens are had.
  enum Flow: String, CaseIterable {
    case browser = "browser"
    case device = "device"
    /// Without a person, by the client's own secret.
    case app = "app"
  }

  let id: ConfiguredText
  let secret: ConfiguredText?
  let flow: Flow
  let token: String?
  let scopes: [String]?
  let directory: String

  /// Reads `client_id`, `client_secret`, `flow`, `token` and `scopes`; `nil` after an error.
  init?(_ object: ConfigurationObject) {
    let id = object.required("client_id", cure: "copy it from the app's registration")?.configuredText()
    let secret = object.optional("client_secret")
    let secretText = secret?.configuredText()
    let flow = object.optional("flow")
    var chosen: Flow? = .browser
    if let flow {
      chosen = flow.text().flatMap { Flow(rawValue: $0) }
      if chosen == nil, case .string = flow.node.value {
        flow.complain("there is no such flow", cure: "browser, device and app are known")
      }
    }
    let token = object.tokenFile()
    let scopes = object.scopes()
    if chosen == .app, secret == nil {
      object.value.complain(
        "the flow app needs the key “client_secret”",
        cure: "give it as {\"env\": …}, {\"file\": …} or {\"command\": …}")
      return nil
    }
    guard let id, let chosen, secret == nil || secretText != nil, token.isSound,
      !scopes.isGiven || scopes.scopes != nil
    else { return nil }
    self.id = id
    self.secret = secretText
    self.flow = chosen
    self.token = token.path
    self.scopes = scopes.scopes
    directory = object.directory
  }

  /// The client, its secret fetched now.
  func client(_ endpoints: ClientEndpoints) throws(TokenFailure) -> OAuthClient {
    do throws(Diagnostic) {
      return OAuthClient(
        id: try id.fetch(), secret: try secret?.fetch(), authorizationEndpoint: endpoints.authorization,
        tokenEndpoint: endpoints.token, deviceEndpoint: endpoints.device,
        revocationEndpoint: endpoints.revocation)
    } catch {
      throw TokenFailure(error)
    }
  }

  /// The account that these settings make.
  func account(
    _ use: AccountUse, provider: String, issuer: Refusals.Issuer, scopes: [String],
    endpoints: ClientEndpoints,
    host: String, parameters: [(name: String, value: String)], surroundings: Surroundings
  ) -> OAuthAccount {
    let client: @Sendable () throws(TokenFailure) -> OAuthClient = { () throws(TokenFailure) in
      try self.client(endpoints)
    }
    let renewal: any Renewal
    var plan: LoginPlan?
    if let way = LoginPlan.Flow(rawValue: flow.rawValue) {
      renewal = RefreshTokenRenewal(
        issuer: issuer, account: use.name, client: { () throws(TokenFailure) in try client() },
        scopes: issuer == .microsoft ? scopes : [])
      plan = LoginPlan(flow: way, scopes: scopes, client: client, host: host, parameters: parameters)
    } else {
      renewal = ClientCredentialsRenewal(
        issuer: issuer, account: use.name, user: use.user, scopes: scopes, client: client)
    }
    return OAuthAccount(
      use, provider: provider, issuer: issuer, neededScopes: scopes,
      file: TokenPlace.file(token, account: use.name, directory: directory), renewal: renewal, login: plan,
      surroundings: surroundings)
  }
}

/// Where an authorization server is asked what.
struct ClientEndpoints: Sendable {
  var authorization: Endpoint?
  var token: Endpoint
  var device: Endpoint?
  var revocation: Endpoint?
}

extension ConfigurationValue {
  /// A URL that secrets may go to.
  func endpoint() -> Endpoint? {
    guard let text = nonEmptyText() else { return nil }
    guard let endpoint = Endpoint(text) else {
      complain(
        "no URL that secrets may go to", cure: "write it as https://…; http:// only for this machine itself")
      return nil
    }
    return endpoint
  }
}
