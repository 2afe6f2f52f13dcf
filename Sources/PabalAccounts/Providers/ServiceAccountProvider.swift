internal import Crypto
internal import CryptoExtras
public import PabalCore
internal import PabalFormats

/// The provider `google-service-account`: a Workspace mailbox, by domain-wide delegation.
public struct ServiceAccountProvider: AccountProvider {
  /// `google-service-account`.
  public let name = "google-service-account"
  private let dependencies: AccountDependencies

  /// Creates the provider.
  public init(dependencies: AccountDependencies = .system) { self.dependencies = dependencies }

  /// Reads the keys `key`, `token`, `scopes` and `proxy`.
  public func read(_ object: ObjectDecoder) -> AccountOpener? {
    let accountDependencies = dependencies.withProxy(of: object)
    let key = object.required(
      "key", remedy: "set the service account's key: \"key\": \"service-account.json\"")?
      .filePath()
    let token = object.tokenFile()
    let scopes = object.scopes()
    let directory = object.directory
    let hasUser = object.userIsAddress()
    guard let accountDependencies, hasUser, let key, token.isSound, !scopes.isGiven || scopes.scopes != nil
    else { return nil }
    return { (use) throws(Diagnostic) in
      try use.validateUser()
      let needed = scopes.scopes ?? GoogleScopes.needed(by: use.uses)
      return OAuthAccount(
        use, provider: name, issuer: .workspace, neededScopes: needed,
        file: TokenLocation.file(token.path, account: use.name, directory: directory),
        tokenGrant: ServiceAccountGrant(account: use.name, path: key, subject: use.user, scopes: needed),
        login: nil, dependencies: accountDependencies)
    }
  }
}

/// Renewal with an assertion signed by the key of a service account (RFC 7523).
struct ServiceAccountGrant: TokenGrant {
  let account: String
  /// The path of the key.
  let path: String
  /// The mailbox to act for, by domain-wide delegation.
  let subject: String
  let scopes: [String]

  var usesRefreshToken: Bool { false }

  // The longest lifetime that Google accepts, in seconds.
  private static let lifetime: Int64 = 3600

  func fingerprint(of stored: StoredToken?) throws(TokenError) -> String {
    let key = try key()
    return PabalAccounts.fingerprint(ofSecret: "\(key.id) \(subject) \(scopes.joined(separator: " "))")
  }

  func refresh(_ stored: StoredToken?, in dependencies: AccountDependencies) throws(TokenError) -> StoredToken
  {
    let key = try key()
    let assertion = try assertion(key, at: dependencies.now())
    let request = TokenRequest(
      form: URLEncodedForm([
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion),
      ]), endpoint: key.tokenEndpoint,
      classifier: OAuthErrorClassifier(
        issuer: .workspace, operation: .grant, account: account, now: dependencies.now()),
      dependencies: dependencies)
    let (root, now) = try request.perform()
    let response = try TokenResponse(root, at: now)
    return StoredToken(
      accessToken: response.accessToken, expiry: response.expiry, lifetime: response.lifetime,
      scopes: response.scopes ?? scopes, user: subject)
  }

  private func key() throws(TokenError) -> ServiceAccountKey {
    do throws(SecretFileError) {
      return try ServiceAccountKey(path)
    } catch {
      var failure = TokenError(error)
      failure.step = .serviceAccountKey
      throw failure
    }
  }

  private func assertion(_ key: ServiceAccountKey, at now: Timestamp) throws(TokenError) -> String {
    let header = JSONValue.object([
      ("typ", .string("JWT")), ("alg", .string("RS256")), ("kid", .string(key.id)),
    ])
    let claims = JSONValue.object([
      ("iss", .string(key.email)), ("sub", .string(subject)),
      ("scope", .string(scopes.joined(separator: " "))),
      ("aud", .string(key.tokenEndpoint.description)), ("iat", .number(now.seconds)),
      ("exp", .number(now.seconds + Self.lifetime)),
    ])
    let signed = base64URL(JSONWriter.bytes(header)) + "." + base64URL(JSONWriter.bytes(claims))
    do {
      let signature = try key.privateKey.signature(
        for: SHA256.hash(data: Array(signed.utf8)), padding: .insecurePKCS1v1_5)
      return signed + "." + base64URL(Array(signature.rawRepresentation))
    } catch {
      throw TokenError(
        .setUp, "the key \(path) can't sign", remedy: "create a new key", step: .serviceAccountKey)
    }
  }
}

/// The key file of a service account, as downloaded from Google Cloud.
struct ServiceAccountKey: RedactedDescription {
  let id: String
  let email: String
  let tokenEndpoint: HTTPEndpoint
  let privateKey: _RSA.Signing.PrivateKey

  var description: String { "a service account's key" }

  init(_ path: String) throws(SecretFileError) {
    let root = try SecretDocument.read(path, as: "service account's key").root
    guard root["type"]?.text == "service_account" else {
      let isClient = root["installed"] != nil || root["web"] != nil
      throw SecretFileError(
        message: isClient
          ? "\(path) is an OAuth client, not the key of a service account"
          : "\(path) isn't the key of a service account",
        remedy: isClient
          ? "set \"provider\" to \"google\" and \"client\" to the file"
          : "create a JSON key for the service account in the Google Cloud console")
    }
    guard let id = root["private_key_id"]?.text, let email = root["client_email"]?.text,
      let pem = root["private_key"]?.text, let token = root["token_uri"]?.text
    else {
      throw SecretFileError(
        message: "\(path) lacks \"private_key_id\", \"private_key\", \"client_email\" or \"token_uri\"",
        remedy: "create a new key and download it")
    }
    guard let endpoint = try? HTTPEndpoint(token) else {
      throw SecretFileError(
        message: "\(path) would send assertions over an unencrypted connection",
        remedy: "use an https token_uri")
    }
    do {
      privateKey = try _RSA.Signing.PrivateKey(pemRepresentation: Self.repaired(pem))
    } catch {
      throw SecretFileError(
        message: "the private key in \(path) is damaged or isn't an RSA key of at least 2048 bits",
        remedy: "create a new key and download it")
    }
    (self.id, self.email, tokenEndpoint) = (id, email, endpoint)
  }

  /// Returns the PEM text with the line breaks that it should have: programs that copy a key through an environment
  /// variable escape them once more, or replace them by spaces.
  static func repaired(_ pem: String) -> String {
    let text = pem.replacing(#/\\+[rn]/#, with: "\n")
    guard let match = text.firstMatch(of: #/-----BEGIN ([A-Z ]+)-----([^-]*)-----END \1-----/#) else {
      return text
    }
    let digits = match.2.filter { !$0.isWhitespace && $0 != "\\" && $0 != "\"" }
    var lines = ["-----BEGIN \(match.1)-----"]
    var rest = digits[...]
    while !rest.isEmpty {
      lines.append(String(rest.prefix(64)))
      rest = rest.dropFirst(64)
    }
    return (lines + ["-----END \(match.1)-----", ""]).joined(separator: "\n")
  }
}
