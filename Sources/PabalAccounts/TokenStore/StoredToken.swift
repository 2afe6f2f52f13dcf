internal import PabalCore
internal import PabalFormats

/// A token file: what google-auth calls an authorized user, or gcloud's application default credentials.
///
/// What Pabal doesn't know in it stays in it. No description shows any of it.
struct StoredToken: Sendable, RedactedDescription {
  var accessToken: String?
  var expiry: Timestamp?
  var refreshToken: String?
  var clientID: String?
  var clientSecret: String?
  var tokenEndpoint: String?
  var scopes: [String]
  var user: String?
  /// When the refresh token dies, where the server said so.
  var refreshTokenExpiry: Timestamp?
  /// How long the refresh token was to live at the login, where the server said so.
  var refreshTokenLifetime: Duration?
  /// How long the access token lives from its first moment on, where that is known.
  var lifetime: Duration?
  /// Whether the file is gcloud's own, which Pabal reads and never writes.
  var isGcloud = false
  private var others: [JSONValue.Member] = []

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

  /// Reads a token file's root.
  init(_ document: SecretDocument) throws(SecretFileError) {
    let root = document.root
    if let type = root["type"]?.text, type != "authorized_user" {
      let remedy =
        switch type {
        case "service_account": "let \"provider\" be \"google-service-account\" and name the file in \"key\""
        default: "name a file that pabal account login, google-auth or gcloud wrote"
        }
      throw SecretFileError(
        message: "\(document.path) is of the type \(printable(type)), no token file", remedy: remedy)
    }
    if root["installed"] != nil || root["web"] != nil {
      throw SecretFileError(
        message: "\(document.path) is an OAuth client, no token file",
        remedy: "name it in \"client\", not in \"token\"")
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
    isGcloud = root["type"] != nil && accessToken == nil
    guard accessToken != nil || refreshToken != nil else {
      throw SecretFileError(
        message: "\(document.path) holds neither a token nor a refresh token",
        remedy: "name a file that pabal account login or google-auth wrote")
    }
    if case .object(let members) = root.content { others = members.filter { !Self.known.contains($0.key) } }
  }

  private static let known = [
    "token", "refresh_token", "token_uri", "client_id", "client_secret", "scopes", "account", "expiry",
    "refresh_token_expiry", "refresh_token_lifetime", "token_lifetime",
  ]

  /// The file's text: google-auth's members in its order, then what others put there.
  var text: String {
    var members: [(String, JSONValue)] = []
    func add(_ key: String, _ text: String?) { if let text { members.append((key, .string(text))) } }
    add("token", accessToken)
    add("refresh_token", refreshToken)
    add("token_uri", tokenEndpoint)
    add("client_id", clientID)
    // google-auth reads no file without one, and public clients have none.
    add("client_secret", clientSecret ?? (refreshToken == nil ? nil : ""))
    members.append(("scopes", JSONValue(.array(scopes.map(JSONValue.string)))))
    add("account", user ?? "")
    add("expiry", expiry?.text)
    add("refresh_token_expiry", refreshTokenExpiry?.text)
    for (key, duration) in [("refresh_token_lifetime", refreshTokenLifetime), ("token_lifetime", lifetime)] {
      guard let duration else { continue }
      members.append((key, .number(duration.components.seconds)))
    }
    return JSONWriter.string(.object(members + others.map { ($0.key, $0.value) }))
  }

  /// This token after a server's answer; what the answer doesn't say stays.
  func refreshed(by response: TokenResponse) -> StoredToken {
    var refreshed = self
    refreshed.accessToken = response.accessToken
    refreshed.expiry = response.expiry
    refreshed.lifetime = response.lifetime
    if let token = response.refreshToken { refreshed.refreshToken = token }
    if let scopes = response.scopes, !scopes.isEmpty { refreshed.scopes = scopes }
    if let end = response.refreshTokenExpiry {
      // The same refresh token gets no longer life by being used; and what a second's rounding makes of its end is no news.
      let isOlder =
        response.refreshToken == nil && refreshTokenExpiry.map { $0 < end + .seconds(60) } ?? false
      refreshed.refreshTokenExpiry = isOlder ? refreshTokenExpiry : end
    }
    return refreshed
  }
}
