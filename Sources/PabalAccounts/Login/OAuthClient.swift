internal import PabalCore

/// What a program is to an authorization server, and where that server is asked.
struct OAuthClient: Sendable, RedactedDescription {
  var id: String
  var secret: String?
  var authorizationEndpoint: OAuthEndpoint?
  var tokenEndpoint: OAuthEndpoint
  var deviceEndpoint: OAuthEndpoint?
  var revocationEndpoint: OAuthEndpoint?
  /// The addresses a web client may send its users back to; `nil` for an installed one, which may choose.
  var redirects: [String]?

  var description: String { "an OAuth client" }
}

extension OAuthClient {
  /// Reads Google's `credentials.json`, of an installed or a web client.
  static func google(_ path: String) throws(SecretFileError) -> OAuthClient {
    let document = try SecretDocument.read(path, as: "credentials.json")
    // Google's library looks in this order.
    let kinds = ["web", "installed"]
    guard let kind = kinds.first(where: { document.root[$0] != nil }), let client = document.root[kind] else {
      let isKey = document.root["type"]?.text == "service_account"
      throw SecretFileError(
        message: isKey
          ? "\(path) is a service account's key, no OAuth client"
          : "\(path) holds neither \"installed\" nor \"web\", so it is no OAuth client",
        remedy: isKey
          ? "let \"provider\" be \"google-service-account\" and name the file in \"key\""
          : "make a desktop client in the Google Cloud console and download its JSON")
    }
    guard let id = client["client_id"]?.text, let authorization = client["auth_uri"]?.text,
      let token = client["token_uri"]?.text
    else {
      throw SecretFileError(
        message: "\(path) lacks \"client_id\", \"auth_uri\" or \"token_uri\"", remedy: "download it anew")
    }
    guard let authorizationEndpoint = OAuthEndpoint(authorization), let tokenEndpoint = OAuthEndpoint(token) else {
      throw SecretFileError(
        message: "\(path) sends secrets over a connection that isn't safe", remedy: "use https endpoints")
    }
    return OAuthClient(
      id: id, secret: client["client_secret"]?.text, authorizationEndpoint: authorizationEndpoint,
      tokenEndpoint: tokenEndpoint, revocationEndpoint: tokenEndpoint.sibling("revoke"),
      redirects: kind == "web" ? client["redirect_uris"]?.words ?? [] : nil)
  }
}
