internal import PabalCore
internal import PabalFormats

/// The content of a token file: an "authorized user" of google-auth, or gcloud's application default credentials.
///
/// Unknown members are kept. The description shows none of the content.
struct StoredToken: Sendable, RedactedDescription {
  var accessToken: String?
  var expiry: Timestamp?
  var refreshToken: String?
  var clientID: String?
  var clientSecret: String?
  var tokenEndpoint: String?
  var scopes: [String]
  var user: String?
  /// When the refresh token expires, if the server said so.
  var refreshTokenExpiry: Timestamp?
  /// The lifetime of the refresh token at the login, if the server said so.
  var refreshTokenLifetime: Duration?
  /// The whole lifetime of the access token, if it is known.
  var lifetime: Duration?
  /// How the client proves its identity to the token endpoint, if it isn't by the form.
  var clientAuthentication: ClientAuthentication.Method?
  /// Whether the file belongs to gcloud; Pabal reads but never writes it.
  var isGcloud = false
  private var unknownMembers: [JSONValue.Member] = []

  var description: String { "a token file's content" }

  init(
    accessToken: String? = nil, expiry: Timestamp? = nil, lifetime: Duration? = nil,
    refreshToken: String? = nil, clientID: String? = nil,
    clientSecret: String? = nil, tokenEndpoint: String? = nil, scopes: [String] = [], user: String? = nil
  ) {
    self.accessToken = accessToken
    self.expiry = expiry
    self.lifetime = lifetime
    self.refreshToken = refreshToken
    self.clientID = clientID
    self.clientSecret = clientSecret
    self.tokenEndpoint = tokenEndpoint
    self.scopes = scopes
    self.user = user
  }

  /// Reads a token file.
  init(_ document: SecretDocument) throws(SecretFileError) {
    let root = document.root
    if let type = root["type"]?.text, type != "authorized_user" {
      let remedy =
        switch type {
        case "service_account": "set \"provider\" to \"google-service-account\" and \"key\" to the file"
        default: "use a file written by pabal account login, google-auth or gcloud"
        }
      throw SecretFileError(
        message: "\(document.path) has the type \(printable(type)), so it isn't a token file", remedy: remedy)
    }
    if root["installed"] != nil || root["web"] != nil {
      throw SecretFileError(
        message: "\(document.path) is an OAuth client, not a token file",
        remedy: "set \"client\" to the file instead of \"token\"")
    }
    accessToken = root["token"]?.text
    expiry = root["expiry"]?.text.flatMap { Timestamp($0) }
    refreshToken = root["refresh_token"]?.text
    clientID = root["client_id"]?.text
    clientSecret = root["client_secret"]?.text
    tokenEndpoint = root["token_uri"]?.text
    scopes = root["scopes"]?.words ?? []
    user = root["account"]?.text
    refreshTokenExpiry = root["refresh_token_expiry"]?.text.flatMap { Timestamp($0) }
    refreshTokenLifetime = root["refresh_token_lifetime"]?.wholeNumber.map { .seconds($0) }
    lifetime = root["token_lifetime"]?.wholeNumber.map { .seconds($0) }
    clientAuthentication = root["token_endpoint_auth_method"]?.text.flatMap {
      ClientAuthentication.Method(rawValue: $0)
    }
    isGcloud = root["type"] != nil && accessToken == nil
    guard accessToken != nil || refreshToken != nil else {
      throw SecretFileError(
        message: "\(document.path) contains neither a token nor a refresh token",
        remedy: "use a file written by pabal account login or google-auth")
    }
    if case .object(let members) = root.content {
      unknownMembers = members.filter { !Self.known.contains($0.key) }
    }
  }

  private static let known = [
    "token", "refresh_token", "token_uri", "client_id", "client_secret", "scopes", "account", "expiry",
    "refresh_token_expiry", "refresh_token_lifetime", "token_lifetime",
    "token_endpoint_auth_method",
  ]

  /// The text of the file: the members of google-auth in its order, then unknown members.
  var text: String {
    var members: [(String, JSONValue)] = []
    func add(_ key: String, _ text: String?) { if let text { members.append((key, .string(text))) } }
    add("token", accessToken)
    add("refresh_token", refreshToken)
    add("token_uri", tokenEndpoint)
    add("client_id", clientID)
    // google-auth doesn't read a file without a secret, and public clients have none.
    add("client_secret", clientSecret ?? (refreshToken == nil ? nil : ""))
    members.append(("scopes", JSONValue(.array(scopes.map(JSONValue.string)))))
    add("account", user ?? "")
    add("expiry", expiry?.text)
    add("refresh_token_expiry", refreshTokenExpiry?.text)
    add("token_endpoint_auth_method", clientAuthentication?.rawValue)
    for (key, duration) in [("refresh_token_lifetime", refreshTokenLifetime), ("token_lifetime", lifetime)] {
      guard let duration else { continue }
      members.append((key, .number(duration.components.seconds)))
    }
    return JSONWriter.string(.object(members + unknownMembers.map { ($0.key, $0.value) }))
  }

  /// Returns the token updated by a response; values missing in the response are kept.
  func refreshed(by response: TokenResponse) -> StoredToken {
    var refreshed = self
    refreshed.accessToken = response.accessToken
    refreshed.expiry = response.expiry
    refreshed.lifetime = response.lifetime
    if let token = response.refreshToken { refreshed.refreshToken = token }
    if let scopes = response.scopes, !scopes.isEmpty { refreshed.scopes = scopes }
    if let end = response.refreshTokenExpiry {
      // Using a refresh token doesn't extend its lifetime, and differences below a minute are rounding.
      let isOlder =
        response.refreshToken == nil && refreshTokenExpiry.map { $0 < end + .seconds(60) } ?? false
      refreshed.refreshTokenExpiry = isOlder ? refreshTokenExpiry : end
    }
    return refreshed
  }
}
