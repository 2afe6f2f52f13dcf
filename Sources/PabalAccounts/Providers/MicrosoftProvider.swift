public import PabalCore
internal import PabalFormats

/// The provider `microsoft`: a Microsoft 365 mailbox, for Microsoft Graph, SMTP, or both.
public struct MicrosoftProvider: AccountProvider {
  /// `microsoft`.
  public let name = "microsoft"
  private let dependencies: AccountDependencies

  /// Creates the provider.
  public init(dependencies: AccountDependencies = .system) { self.dependencies = dependencies }

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
    let settings = ClientSettings(object, resources: ["graph"])
    guard object.userIsAddress(), let accountDependencies, let name, let authority, let settings else {
      return nil
    }
    let root = (authority.description.hasSuffix("/") ? "" : "/") + name + "/oauth2/v2.0/"
    func endpoint(_ last: String) -> HTTPEndpoint? { try? HTTPEndpoint(authority.description + root + last) }
    guard let token = endpoint("token") else { return nil }
    let endpoints = ClientEndpoints(
      authorization: endpoint("authorize"), token: token, device: endpoint("devicecode"))
    return { (use) throws(Diagnostic) in
      try use.validateUser()
      func account(
        _ scopes: [String], resource: String?, service: String? = nil, others: [OAuthAccount] = []
      ) -> OAuthAccount {
        // Microsoft accepts any port only for the loopback name localhost.
        settings.account(
          use, provider: self.name, issuer: .microsoft, scopes: scopes, endpoints: endpoints,
          host: "localhost", parameters: [("login_hint", use.user), ("prompt", "select_account")],
          resource: resource, service: service, others: others, dependencies: accountDependencies)
      }
      if let scopes = settings.scopes { return account(scopes, resource: nil) }
      let resources = MicrosoftResource.all(neededBy: use.uses)
      func scopes(_ resource: MicrosoftResource) -> [String] {
        settings.flow == .app ? [resource.appScope] : resource.scopes + ["offline_access"]
      }
      func service(_ resource: MicrosoftResource) -> String? {
        resource.name ?? (resources.count > 1 ? "smtp" : nil)
      }
      let others = resources.dropFirst().map {
        account(scopes($0), resource: $0.name, service: service($0))
      }
      return account(
        scopes(resources[0]), resource: resources[0].name, service: service(resources[0]), others: others)
    }
  }
}

/// A service of Microsoft 365 that mail is sent through. A token is valid for one of them only.
struct MicrosoftResource: Hashable {
  /// The service's URL, as in `https://graph.microsoft.com`.
  let url: String
  /// The scopes that transports need there.
  var scopes: [String]

  /// The service that `scope` belongs to, and that scope.
  init(_ scope: String) {
    url = scope.lastIndex(of: "/").map { String(scope[..<$0]) } ?? scope
    scopes = [scope]
  }

  /// Returns what a scope allows; `nil` for scopes that no transport needs.
  static func meaning(_ scope: String) -> String? {
    switch scope {
    case "https://graph.microsoft.com/Mail.Send": "send mail as the mailbox through Microsoft Graph"
    case "https://graph.microsoft.com/Mail.Send.Shared":
      "send mail through Microsoft Graph as the mailbox and as others that let it"
    case smtpScope: "send mail as the mailbox by SMTP"
    case "https://outlook.office.com/IMAP.AccessAsUser.All": "read mail by IMAP, for bounces"
    case "offline_access": "stay logged in"
    default: nil
    }
  }

  /// The scope for SMTP.
  static let smtpScope = "https://outlook.office.com/SMTP.Send"

  /// The service in the names of token files, as in `office.graph.json`; `nil` for SMTP, whose file has no such part.
  var name: String? {
    switch url {
    case "https://outlook.office.com": nil
    case "https://graph.microsoft.com": "graph"
    default: String(url.drop { $0 != ":" }.drop { $0 == ":" || $0 == "/" })
    }
  }

  /// The scope of an app that sends with its own secret: all application permissions that were consented to.
  var appScope: String {
    // For SMTP, Microsoft documents another host than for users; its permission is SMTP.SendAsApp.
    (url == "https://outlook.office.com" ? "https://outlook.office365.com" : url) + "/.default"
  }

  /// Returns the services that transports with these uses need, in the order of the transports; SMTP if none is known.
  static func all(neededBy uses: [AccountUse]) -> [MicrosoftResource] {
    var all: [MicrosoftResource] = []
    for scope in uses.compactMap({ $0.scope(provider: "microsoft") }) {
      let resource = MicrosoftResource(scope)
      if let index = all.firstIndex(where: { $0.url == resource.url }) {
        if !all[index].scopes.contains(scope) { all[index].scopes.append(scope) }
      } else {
        all.append(resource)
      }
    }
    return all.isEmpty ? [MicrosoftResource(smtpScope)] : all
  }
}
