internal import PabalCore

/// What a program is to an authorization server, and where that server is asked.
struct OAuthClient: Sendable, Unshown {
  var id: String
  var secret: String?
  var authorizationEndpoint: Endpoint?
  var tokenEndpoint: Endpoint
  var deviceEndpoint: Endpoint?
  var revocationEndpoint: Endpoint?
  /// The addresses a web client may send its users back to; `nil` for an installed one, which may choose.
  var redirects: [String]?

  var description: String { "an OAuth client" }
}

extension OAuthClient {
  /// Reads Google's `credentials.json`, of an installed or a web client.
  static func google(_ path: String) throws(SecretFileProblem) -> OAuthClient {
    let document = try SecretDocument.read(path, as: "credentials.json")
    // Google's library looks in this order.
    let kinds = ["web", "installed"]
    guard let kind = kinds.first(where: { document.root[$0] != nil }), let client = document.root[kind] else {
      let isKey = document.root["type"]?.text == "service_account"
      throw SecretFileProblem(
        what: isKey
          ? "\(path) is a service account's key, no OAuth client"
          : "\(path) holds neither \"installed\" nor \"web\", so it is no OAuth client",
        cure: isKey
          ? "let \"provider\" be \"google-service-account\" and name the file in \"key\""
          : "make a desktop client in the Google Cloud console and download its JSON")
    }
    guard let id = client["client_id"]?.text, let authorization = client["auth_uri"]?.text,
      let token = client["token_uri"]?.text
    else {
      throw SecretFileProblem(
        what: "\(path) lacks \"client_id\", \"auth_uri\" or \"token_uri\"", cure: "download it anew")
    }
    guard let authorizationEndpoint = Endpoint(authorization), let tokenEndpoint = Endpoint(token) else {
      throw SecretFileProblem(
        what: "\(path) sends secrets over a connection that isn't safe", cure: "use https endpoints")
    }
    return OAuthClient(
      id: id, secret: client["client_secret"]?.text, authorizationEndpoint: authorizationEndpoint,
      tokenEndpoint: tokenEndpoint, revocationEndpoint: tokenEndpoint.sibling("revoke"),
      redirects: kind == "web" ? client["redirect_uris"]?.words ?? [] : nil)
  }
}
