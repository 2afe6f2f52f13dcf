public import PabalCore
internal import PabalFormats

/// The provider `oauth2`: any other authorization server.
public struct OAuth2Provider: AccountProvider {
  /// `oauth2`.
  public let name = "oauth2"
  private let dependencies: AccountDependencies

  /// Creates the provider.
  public init(dependencies: AccountDependencies = .system) { self.dependencies = dependencies }

  /// Reads the endpoints and the keys `client_id`, `client_secret`, `scopes`, `flow`, `token` and `proxy`.
  public func read(_ object: ObjectDecoder) -> AccountOpener? {
    let accountDependencies = dependencies.withProxy(of: object)
    let token = object.required(
      "token_endpoint", remedy: "see the server's /.well-known/openid-configuration")?
      .endpoint()
    let authorization = object.optional("authorization_endpoint")
    let device = object.optional("device_authorization_endpoint")
    let revocation = object.optional("revocation_endpoint")
    let optional = [authorization, device, revocation].compactMap(\.self).map { ($0.path, $0.endpoint()) }
    func endpoint(_ value: FieldDecoder?) -> HTTPEndpoint? {
      optional.first { $0.0 == value?.path }?.1
    }
    let settings = ClientSettings(object)
    if !object.members.contains(where: { $0.key == "scopes" }) {
      object.reportMissing("scopes", remedy: "list the scopes that allow sending mail")
    }
    guard let accountDependencies, let token, let settings, let scopes = settings.scopes,
      optional.allSatisfy({ $0.1 != nil })
    else {
      return nil
    }
    let missing: String? =
      switch settings.flow {
      case .browser where authorization == nil: "authorization_endpoint"
      case .device where device == nil: "device_authorization_endpoint"
      default: nil
      }
    if let missing {
      object.value.report(
        "the flow \(settings.flow.rawValue) needs the key “\(missing)”",
        remedy: "see the server's /.well-known/openid-configuration")
      return nil
    }
    let endpoints = ClientEndpoints(
      authorization: endpoint(authorization), token: token, device: endpoint(device),
      revocation: endpoint(revocation))
    return { use in
      settings.account(
        use, provider: name, issuer: .other, scopes: scopes, endpoints: endpoints, host: "127.0.0.1",
        parameters: [("login_hint", use.user)], dependencies: accountDependencies)
    }
  }
}

/// Returns every provider that obtains tokens by OAuth 2.0.
public func oauthProviders(dependencies: AccountDependencies = .system) -> [any AccountProvider] {
  [
    GoogleProvider(dependencies: dependencies), ServiceAccountProvider(dependencies: dependencies),
    MicrosoftProvider(dependencies: dependencies), OAuth2Provider(dependencies: dependencies),
  ]
}
