public import PabalCore
internal import PabalFormats

/// The provider `microsoft`: a Microsoft 365 mailbox, for SMTP.
public struct MicrosoftProvider: AccountProvider {
  /// `microsoft`.
  public let name = "microsoft"
  private let dependencies: AccountDependencies

  /// Creates the provider.
  public init(dependencies: AccountDependencies = .system) { self.dependencies = dependencies }

  /// The scopes for SMTP, which rejects tokens for Microsoft Graph.
  static let scopes = ["https://outlook.office.com/SMTP.Send", "offline_access"]
  /// The scope of an app that sends with its own secret; its permission is SMTP.SendAsApp.
  static let appScopes = ["https://outlook.office365.com/.default"]

  /// Reads the keys `tenant`, `authority`, `client_id`, `client_secret`, `flow`, `token`, `scopes` and
  /// `proxy`.
  public func read(_ object: ObjectDecoder) -> AccountOpener? {
    let accountDependencies = dependencies.withProxy(of: object)
    let tenant = object.required(
      "tenant",
      remedy: "copy the Directory (tenant) ID from the app's Overview page, or write \"organizations\"")
    var name: String?
    if let tenant, let text = tenant.nonEmptyText() {
      let fits = text.utf8.allSatisfy { byte in
        Unicode.Scalar(byte).properties.isAlphabetic || 0x30...0x39 ~= byte || byte == 0x2D
          || byte == 0x2E
      }
      if fits, text.utf8.allSatisfy({ $0 < 0x80 }) {
        name = text
      } else {
        tenant.report(
          "not a tenant: only letters, digits, - and . are allowed",
          remedy: "copy it from the app's Overview page")
      }
    }
    let given = object.optional("authority")
    let authority = given == nil ? try? HTTPEndpoint("https://login.microsoftonline.com") : given?.endpoint()
    let settings = ClientSettings(object)
    guard object.userIsAddress(), let accountDependencies, let name, let authority, let settings else {
      return nil
    }
    let root = (authority.description.hasSuffix("/") ? "" : "/") + name + "/oauth2/v2.0/"
    func endpoint(_ last: String) -> HTTPEndpoint? { try? HTTPEndpoint(authority.description + root + last) }
    guard let token = endpoint("token") else { return nil }
    let endpoints = ClientEndpoints(
      authorization: endpoint("authorize"), token: token, device: endpoint("devicecode"))
    let scopes = settings.scopes ?? (settings.flow == .app ? Self.appScopes : Self.scopes)
    return { (use) throws(Diagnostic) in
      try use.validateUser()
      // Microsoft accepts any port only for the loopback name localhost.
      return settings.account(
        use, provider: self.name, issuer: .microsoft, scopes: scopes, endpoints: endpoints, host: "localhost",
        parameters: [("login_hint", use.user), ("prompt", "select_account")],
        dependencies: accountDependencies)
    }
  }
}
