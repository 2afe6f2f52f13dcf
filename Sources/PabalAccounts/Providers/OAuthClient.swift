internal import PabalCore
internal import PabalFormats

/// An OAuth client: its credentials and the endpoints of its authorization server.
struct OAuthClient: Sendable, RedactedDescription {
  var id: String
  var secret: String?
  var authorizationEndpoint: HTTPEndpoint?
  var tokenEndpoint: HTTPEndpoint
  var deviceEndpoint: HTTPEndpoint?
  var revocationEndpoint: HTTPEndpoint?
  /// The registered redirect URIs of a web client; `nil` for an installed client, which can use any port.
  var redirects: [String]?

  var description: String { "an OAuth client" }
}

extension OAuthClient {
  /// Reads Google's `credentials.json`, of an installed or a web client.
  static func google(_ path: String) throws(SecretFileError) -> OAuthClient {
    let document = try SecretDocument.read(path, as: "credentials.json")
    // The order of Google's library.
    let kinds = ["web", "installed"]
    guard let kind = kinds.first(where: { document.root[$0] != nil }), let client = document.root[kind] else {
      let isKey = document.root["type"]?.text == "service_account"
      throw SecretFileError(
        message: isKey
          ? "\(path) is the key of a service account, not an OAuth client"
          : "\(path) contains neither \"installed\" nor \"web\", so it isn't an OAuth client",
        remedy: isKey
          ? "set \"provider\" to \"google-service-account\" and \"key\" to the file"
          : "create a desktop client in the Google Cloud console and download its JSON")
    }
    guard let id = client["client_id"]?.text, let authorization = client["auth_uri"]?.text,
      let token = client["token_uri"]?.text
    else {
      throw SecretFileError(
        message: "\(path) lacks \"client_id\", \"auth_uri\" or \"token_uri\"", remedy: "download it again")
    }
    guard let authorizationEndpoint = try? HTTPEndpoint(authorization),
      let tokenEndpoint = try? HTTPEndpoint(token)
    else {
      throw SecretFileError(
        message: "\(path) would send secrets over an unencrypted connection", remedy: "use https endpoints")
    }
    return OAuthClient(
      id: id, secret: client["client_secret"]?.text, authorizationEndpoint: authorizationEndpoint,
      tokenEndpoint: tokenEndpoint, revocationEndpoint: tokenEndpoint.sibling("revoke"),
      redirects: kind == "web" ? client["redirect_uris"]?.words ?? [] : nil)
  }
}

/// A client defined in the configuration itself, for `microsoft` and `oauth2`.
struct ClientSettings: Sendable {
  /// How tokens are obtained.
  enum Flow: String, CaseIterable {
    case browser = "browser"
    case device = "device"
    /// Without a person, with the client's own secret.
    case app = "app"
  }

  let id: ConfiguredValue
  let secret: ConfiguredValue?
  let flow: Flow
  let token: String?
  let scopes: [String]?
  let directory: String

  /// Reads `client_id`, `client_secret`, `flow`, `token` and `scopes`; `nil` after an error. There may be a token file
  /// for each of `resources`, too.
  init?(_ object: ObjectDecoder, resources: [String] = []) {
    let id = object.required("client_id", remedy: "copy it from the app's registration")?.configuredValue()
    let secret = object.optional("client_secret")
    let secretText = secret?.configuredSecret()
    let flow = object.optional("flow")
    var chosen: Flow? = .browser
    if let flow {
      chosen = flow.text().flatMap { Flow(rawValue: $0) }
      if chosen == nil, case .string = flow.node.content {
        flow.report("unknown flow", remedy: "use browser, device or app")
      }
    }
    let token = object.tokenFile(resources: resources)
    let scopes = object.scopes()
    if chosen == .app, secret == nil {
      object.value.report(
        "the flow app needs the key “client_secret”",
        remedy: "set it to {\"env\": …}, {\"file\": …} or {\"command\": …}")
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

  /// Returns the client; fetches its secret.
  func client(_ endpoints: ClientEndpoints) throws(TokenError) -> OAuthClient {
    do throws(Diagnostic) {
      return OAuthClient(
        id: try id.fetch(), secret: try secret?.fetch(), authorizationEndpoint: endpoints.authorization,
        tokenEndpoint: endpoints.token, deviceEndpoint: endpoints.device,
        revocationEndpoint: endpoints.revocation)
    } catch {
      throw TokenError(error)
    }
  }

  /// Returns the account with these settings.
  func account(
    _ use: AccountContext, provider: String, issuer: OAuthErrorClassifier.Issuer, scopes: [String],
    endpoints: ClientEndpoints,
    host: String, parameters: [(name: String, value: String)], resource: String? = nil,
    service: String? = nil, others: [OAuthAccount] = [], dependencies: AccountDependencies
  ) -> OAuthAccount {
    let client: @Sendable () throws(TokenError) -> OAuthClient = { () throws(TokenError) in
      try self.client(endpoints)
    }
    let tokenGrant: any TokenGrant
    var plan: LoginPlan?
    // Google and Microsoft document the form.
    let authentication = issuer == .other ? ClientAuthentication() : nil
    if let loginFlow = LoginPlan.Flow(rawValue: flow.rawValue) {
      tokenGrant = RefreshTokenGrant(
        issuer: issuer, account: use.name, client: { () throws(TokenError) in try client() },
        scopes: issuer == .microsoft ? scopes : [], authentication: authentication)
      plan = LoginPlan(
        flow: loginFlow, scopes: scopes, client: client, authentication: authentication, host: host,
        parameters: parameters)
    } else {
      tokenGrant = ClientCredentialsGrant(
        issuer: issuer, account: use.name, user: use.user, scopes: scopes, client: client,
        authentication: authentication)
    }
    return OAuthAccount(
      use, provider: provider, issuer: issuer, neededScopes: scopes,
      file: TokenLocation.file(token, account: use.name, directory: directory, resource: resource),
      tokenGrant: tokenGrant, login: plan, resource: resource, service: service, others: others,
      dependencies: dependencies)
  }
}

/// The endpoints of an authorization server.
struct ClientEndpoints: Sendable {
  var authorization: HTTPEndpoint?
  var token: HTTPEndpoint
  var device: HTTPEndpoint?
  var revocation: HTTPEndpoint?
}

extension FieldDecoder {
  /// Reads a URL that secrets may be sent to; reports an error otherwise.
  func endpoint() -> HTTPEndpoint? {
    guard let text = nonEmptyText() else { return nil }
    guard let endpoint = try? HTTPEndpoint(text) else {
      report(
        "not a URL that secrets may be sent to",
        remedy: "use https://…; http:// is allowed only for this machine"
      )
      return nil
    }
    return endpoint
  }
}
