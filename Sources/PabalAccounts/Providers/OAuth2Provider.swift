public import PabalCore

/// Provider `oauth2`: any other authorization server.
public struct OAuth2Provider: AccountProvider {
  /// `oauth2`.
  public let name = "oauth2"
  private let surroundings: Surroundings

  /// The provider `oauth2`.
  public init(surroundings: Surroundings = .system) { self.surroundings = surroundings }

  /// Reads the endpoints and the keys `client_id`, `client_secret`, `scopes`, `flow` and `token`.
  public func read(_ object: ConfigurationObject) -> AccountOpening? {
    let token = object.required("token_endpoint", cure: "see the server's /.well-known/openid-configuration")?
      .endpoint()
    let authorization = object.optional("authorization_endpoint")
    let device = object.optional("device_authorization_endpoint")
    let revocation = object.optional("revocation_endpoint")
    let optional = [authorization, device, revocation].compactMap(\.self).map { ($0.path, $0.endpoint()) }
    func endpoint(_ value: ConfigurationValue?) -> Endpoint? {
      optional.first { $0.0 == value?.path }?.1
    }
    let settings = ClientSettings(object)
    if !object.members.contains(where: { $0.key == "scopes" }) {
      object.value.complain("the key “scopes” is missing", cure: "name those that let mail be sent")
    }
    guard let token, let settings, let scopes = settings.scopes, optional.allSatisfy({ $0.1 != nil }) else {
      return nil
    }
    let missing: String? =
      switch settings.flow {
      case .browser where authorization == nil: "authorization_endpoint"
      case .device where device == nil: "device_authorization_endpoint"
      default: nil
      }
    if let missing {
      object.value.complain(
        "the flow \(settings.flow.rawValue) needs the key “\(missing)”",
        cure: "see the server's /.well-known/openid-configuration")
      return nil
    }
    let endpoints = ClientEndpoints(
      authorization: endpoint(authorization), token: token, device: endpoint(device),
      revocation: endpoint(revocation))
    return { use in
      settings.account(
        use, provider: name, issuer: .other, scopes: scopes, endpoints: endpoints, host: "127.0.0.1",
        parameters: [("login_hint", use.user)], surroundings: surroundings)
    }
  }
}
