internal import Glibc
public import PabalCore

/// The options of a login.
public struct LoginOptions: Sendable {
  /// Whether a browser is opened on this machine; otherwise the URL is reported.
  public var opensBrowser: Bool
  /// The port on 127.0.0.1 that the browser returns to; `nil` for any free port.
  public var port: UInt16?
  /// The descriptor from which pasted URLs are read, line by line; `nil` for none.
  public var input: Int32?
  /// `browser` or `device`, instead of the configured flow.
  public var flow: String?
  /// How long to wait for the browser.
  public var timeout: Duration
  /// Whether the server is asked which mailbox logged in, so that any other than `user` is rejected.
  public var confirmsUser: Bool

  /// Creates login options.
  public init(
    opensBrowser: Bool = true, port: UInt16? = nil, input: Int32? = nil, flow: String? = nil,
    timeout: Duration = .seconds(900), confirmsUser: Bool = false
  ) {
    self.opensBrowser = opensBrowser
    self.port = port
    self.input = input
    self.flow = flow
    self.timeout = timeout
    self.confirmsUser = confirmsUser
  }
}

/// An event during a login that a person should see.
public enum LoginEvent: Sendable {
  /// A requested scope, and what it allows if that is known.
  case scope(String, meaning: String?)
  /// A browser was opened with this URL.
  case openedBrowser(String)
  /// The person has to open this URL; the browser returns to this port.
  case openURL(String, port: UInt16)
  /// The person has to enter the code at this URL before it expires.
  case enterCode(code: String, at: String, until: Timestamp)
  /// Input or a request that doesn't belong to this login was ignored.
  case ignoredInput(String)
  /// The login is waiting for something else than the person.
  case waiting(String)
}

/// The result of a login.
public struct LoginResult: Sendable {
  /// The granted scopes.
  public var scopes: [String]
  /// When the login expires, if the server said so.
  public var refreshTokenExpiry: Timestamp?
  /// Whether the login expires because the app's publishing status is Testing.
  public var isTesting: Bool
  /// The path of the token file.
  public var file: String
  /// Whether the server confirmed that `user` logged in.
  public var isUserConfirmed: Bool
}

extension OAuthAccount {
  /// Whether the server can say which mailbox logged in.
  public var canConfirmUser: Bool { login != nil && issuer == .google }

  /// Logs in with the help of a person and stores the tokens; blocks. Stored tokens are kept until the login succeeds.
  public func logIn(
    _ options: LoginOptions, notify: (LoginEvent) -> Void
  ) throws(AccountError) -> LoginResult {
    do throws(TokenError) {
      guard var login else {
        throw TokenError(
          .setUp, "the provider \(provider) doesn't need a login",
          remedy: "check that it works: pabal check", errorKind: .usage)
      }
      var flow = login.flow
      if let wanted = options.flow {
        guard let known = LoginPlan.Flow(rawValue: wanted) else {
          throw TokenError(
            .setUp, "unknown flow \(wanted)", remedy: "use browser or device",
            errorKind: .usage)
        }
        flow = known
      }
      try checkTokenFile(notify)
      let client = try login.client()
      if options.confirmsUser {
        login.scopes += GoogleScopes.identity.filter { !login.scopes.contains($0) }
      }
      for scope in login.scopes {
        notify(.scope(scope, meaning: GoogleScopes.meaning(scope) ?? MicrosoftResource.meaning(scope)))
      }
      func store(_ response: TokenResponse, _ storage: LockedStorage) throws(TokenError) -> LoginResult {
        try self.store(response, login, client, confirmsUser: options.confirmsUser, storage)
      }
      switch flow {
      case .browser:
        let login = BrowserLogin(
          plan: login, client: client, account: self, options: options, pkce: PKCE(dependencies))
        return try login.run(notify: notify, store: store)
      case .device:
        return try DeviceLogin(plan: login, client: client, account: self).run(notify: notify, store: store)
      }
    } catch {
      throw error.accountError
    }
  }

  // Checked first, so that a person doesn't log in for nothing.
  private func checkTokenFile(_ notify: (LoginEvent) -> Void) throws(TokenError) {
    let stored: StoredToken?
    do throws(SecretFileError) {
      stored = try file.read()
    } catch {
      throw TokenError(
        .setUp, error.message,
        remedy: error.remedy.map { remedy in
          // If a command fixes it, the file doesn't have to be moved.
          ["move it away", "chmod go", "sudo"].contains { remedy.hasPrefix($0) }
            ? remedy : "\(remedy), or move the file away"
        })
    }
    guard stored?.isGcloud != true else {
      throw TokenError(
        .setUp, "\(file.path) belongs to gcloud, and a login would overwrite it",
        remedy: "set \"token\" to another file")
    }
    _ = try lockedStorage("the login wasn't started", notify)
  }

  /// A locked token file that is ready to store the tokens of a login.
  struct LockedStorage {
    let lock: TokenFileLock
    let prepared: PreparedFile
  }

  /// Locks the token file and prepares to store tokens in it, before they are requested. If the lock can't be acquired,
  /// throws an error that ends in `consequence`.
  func lockedStorage(
    _ consequence: String, _ notify: (LoginEvent) -> Void
  ) throws(TokenError) -> LockedStorage {
    var prepared: PreparedFile?
    var lock: TokenFileLock?
    try withTokenFileLock(consequence, notify) { (held) throws(FileWriteError) in
      prepared = try file.prepare()
      lock = held
    }
    guard let prepared, let lock else { preconditionFailure("it throws without a lock") }
    return LockedStorage(lock: lock, prepared: prepared)
  }

  /// Runs `work` while the token file is locked. If the lock can't be acquired, throws an error that ends in
  /// `consequence`.
  func withTokenFileLock(
    _ consequence: String, _ notify: (LoginEvent) -> Void,
    _ work: (TokenFileLock) throws(FileWriteError) -> Void
  ) throws(TokenError) {
    do throws(FileWriteError) {
      let lock = try file.lock(dependencies) {
        notify(.waiting("waiting for another process that has locked \(file.path)"))
      }
      if let lock {
        try withExtendedLifetime(lock) { () throws(FileWriteError) in try work(lock) }
        return
      }
    } catch {
      throw unwritable(error)
    }
    throw TokenError(
      .transient, "another process has locked \(file.lockPath) for too long, so \(consequence)",
      remedy: "find it with fuser -v \(file.lockPath), and try again when it has ended",
      korean: "다른 프로세스가 \(file.lockPath) 파일을 잠그고 있습니다.")
  }

  private func unwritable(_ error: FileWriteError) -> TokenError {
    TokenError(
      .setUp, error.message,
      remedy: [EACCES, EPERM].contains(error.number)
        ? "run it as the user who will own the tokens, or change \"token\"" : error.remedy,
      korean: "\(file.path) 파일에 쓸 수 없습니다.")
  }

  private func store(
    _ response: TokenResponse, _ login: LoginPlan, _ client: OAuthClient, confirmsUser: Bool,
    _ storage: LockedStorage
  ) throws(TokenError) -> LoginResult {
    try checkMailbox(response, confirmsUser: confirmsUser)
    // RFC 6749 section 5.1: if the server leaves them out, they are the requested ones.
    let granted = response.scopes ?? neededScopes
    let missing = missingScopes(in: granted)
    guard missing.isEmpty else {
      var failure = TokenError(
        .setUp,
        issuer == .google
          ? "the login lacks \(missing.joined(separator: " ")): its checkbox wasn't selected"
          : "the server didn't grant \(missing.joined(separator: " "))",
        remedy: issuer == .google
          ? "log in again and select every checkbox"
          : "allow the scope for this client in the server's console, or correct \"scopes\"",
        step: issuer == .google ? .login : nil)
      failure.missingScopes = missing
      throw failure
    }
    guard let refreshToken = response.refreshToken else {
      throw TokenError(
        .setUp, "the server issued no refresh token, so the login would expire within an hour",
        remedy: issuer == .google
          ? "remove Pabal's access at myaccount.google.com/connections, then log in again"
          : "request a scope such as offline_access",
        korean: "서버가 갱신 토큰을 발급하지 않아 로그인이 한 시간 안에 만료됩니다.")
    }
    var token = StoredToken(
      accessToken: response.accessToken, expiry: response.expiry, refreshToken: refreshToken,
      clientID: client.id,
      clientSecret: client.secret, tokenEndpoint: client.tokenEndpoint.description, scopes: granted,
      user: user)
    token.lifetime = response.lifetime
    token.refreshTokenExpiry = response.refreshTokenExpiry
    token.refreshTokenLifetime = response.refreshTokenLifetime
    token.clientAuthentication = login.authentication?.method
    do throws(FileWriteError) {
      try withExtendedLifetime(storage.lock) { () throws(FileWriteError) in
        try storage.prepared.store(Array(token.text.utf8))
        file.record(nil)
      }
    } catch {
      throw unwritable(error)
    }
    forget()
    return LoginResult(
      scopes: granted, refreshTokenExpiry: token.refreshTokenExpiry,
      isTesting: LoginExpiry(token, issuer) == .testing, file: file.path,
      isUserConfirmed: response.user != nil && issuer == .google)
  }

  /// Rejects the login of another mailbox than `user`, if the server says which one it was.
  ///
  /// Only for Google, because with Microsoft the user of a shared mailbox has another name, and other servers may use
  /// any kind of name.
  private func checkMailbox(_ response: TokenResponse, confirmsUser: Bool) throws(TokenError) {
    guard let who = response.user else {
      guard confirmsUser else { return }
      if let granted = response.scopes {
        let missingConsent = GoogleScopes.missing(["email"], in: granted)
        guard missingConsent.isEmpty else {
          var failure = TokenError(
            .setUp,
            "the server doesn't say which mailbox logged in: the checkbox for the email address wasn't selected",
            remedy: "log in again and select the checkbox for the email address too", step: .login)
          failure.missingScopes = missingConsent
          throw failure
        }
      }
      throw TokenError(
        .setUp, "the server doesn't say which mailbox logged in", remedy: "log in without --confirm-user",
        korean: "서버가 어느 계정으로 로그인했는지 알려 주지 않습니다.")
    }
    guard issuer == .google, !isSameMailbox(who, user) else { return }
    throw TokenError(
      .setUp, "\(who) logged in, but \"user\" is \(user)",
      remedy: "log in again and choose \(user) on Google's page, or set \"user\" to \(who)", step: .login,
      korean: "브라우저에서 \(who) 계정으로 로그인했는데, 설정의 \"user\"는 \(user)입니다.")
  }
}

/// How a person logs in to an account.
struct LoginPlan: Sendable {
  /// The OAuth flow of a login.
  enum Flow: String, Sendable, CaseIterable {
    /// A browser on this or another machine that returns to a listener here (RFC 8252).
    case browser = "browser"
    /// A code that is entered on another device (RFC 8628).
    case device = "device"
  }

  let flow: Flow
  var scopes: [String]
  /// Returns the client with its current credentials.
  let client: @Sendable () throws(TokenError) -> OAuthClient
  /// How the client proves its identity, if that has to be found out.
  var authentication: ClientAuthentication?
  /// The host of the redirect URI: `127.0.0.1`, or the one that the server expects.
  var host = "127.0.0.1"
  /// Parameters of the authorization URL besides those of RFC 6749 and RFC 7636.
  var parameters: [(name: String, value: String)] = []
}
