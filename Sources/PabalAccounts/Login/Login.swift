public import PabalCore

/// How a person wants to log in.
public struct LoginOptions: Sendable {
  /// Whether a browser is opened here; else the address is told.
  public var opensBrowser: Bool
  /// The port of 127.0.0.1 that the browser comes back to; any free one where it is `nil`.
  public var port: UInt16?
  /// Where the address of the page that failed may be pasted, line by line.
  public var input: Int32?
  /// `browser` or `device` in place of the configured way.
  public var flow: String?
  /// How long the browser may take.
  public var timeout: Duration
  /// Whether the server is asked, too, which mailbox logged in, and another than `user` is refused.
  public var confirmsUser: Bool

  /// How a person wants to log in.
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

/// What a person is told during a login.
public enum LoginEvent: Sendable {
  /// What is asked for, and what that is good for where it is known.
  case scope(String, meaning: String?)
  /// The browser was opened at this address.
  case openedBrowser(String)
  /// This address is to be opened somewhere; the browser comes back to this port.
  case openURL(String, port: UInt16)
  /// The code is to be typed in at this address before then.
  case enterCode(code: String, at: String, until: Timestamp)
  /// Something came that is no answer to this login.
  case ignoredInput(String)
  /// Something takes longer than a person expects.
  case waiting(String)
}

/// What a login gave.
public struct LoginResult: Sendable {
  /// What was granted.
  public var scopes: [String]
  /// When the login ends, where the server said so.
  public var refreshTokenExpiry: Timestamp?
  /// Whether it ends because the app's publishing status is Testing.
  public var isTesting: Bool
  /// The token file.
  public var file: String
  /// Whether the server said that it was `user` who logged in.
  public var isUserConfirmed: Bool
}

extension OAuthAccount {
  /// Whether the server can say at a login which mailbox it was.
  public var canConfirmUser: Bool { login != nil && issuer == .google }

  /// Logs in, with a person's help, and stores the tokens; blocks. What was stored before stays until it succeeds.
  public func logIn(
    _ options: LoginOptions, notify: (LoginEvent) -> Void
  ) throws(AccountError) -> LoginResult {
    do throws(TokenError) {
      guard var login else {
        throw TokenError(
          .setUp, "the provider \(provider) needs no login",
          remedy: "see whether it works: pabal check", errorKind: .usage)
      }
      var flow = login.flow
      if let wanted = options.flow {
        guard let known = LoginPlan.Flow(rawValue: wanted) else {
          throw TokenError(
            .setUp, "there is no login called \(wanted)", remedy: "browser and device are known",
            errorKind: .usage)
        }
        flow = known
      }
      try checkTokenFile(notify)
      let client = try login.client()
      if options.confirmsUser {
        login.scopes += GoogleScopes.identity.filter { !login.scopes.contains($0) }
      }
      for scope in login.scopes { notify(.scope(scope, meaning: GoogleScopes.meaning(scope))) }
      func store(_ response: TokenResponse) throws(TokenError) -> LoginResult {
        try self.store(response, client, confirmsUser: options.confirmsUser, notify)
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

  // Found out before somebody takes the trouble to log in.
  private func checkTokenFile(_ notify: (LoginEvent) -> Void) throws(TokenError) {
    let stored: StoredToken?
    do throws(SecretFileError) {
      stored = try file.read()
    } catch {
      throw TokenError(
        .setUp, error.message,
        remedy: error.remedy.map { remedy in
          // What is set right by a command needs no moving.
          ["move it away", "chmod go", "sudo"].contains { remedy.hasPrefix($0) }
            ? remedy : "\(remedy), or move the file away"
        })
    }
    guard stored?.isGcloud != true else {
      throw TokenError(
        .setUp, "\(file.path) is gcloud's own, and a login here would overwrite gcloud's",
        remedy: "let \"token\" name another file")
    }
    try withTokenFileLock("nothing was begun", notify) { () throws(FileWriteError) in try file.checkWritable()
    }
  }

  /// Does what needs the token file's lock, and nothing without it; `consequence` is what follows then.
  func withTokenFileLock(
    _ consequence: String, _ notify: (LoginEvent) -> Void, _ work: () throws(FileWriteError) -> Void
  ) throws(TokenError) {
    do throws(FileWriteError) {
      let lock = try file.lock(dependencies) {
        notify(.waiting("another process holds the lock of \(file.path); waiting for it"))
      }
      if let lock {
        try withExtendedLifetime(lock) { () throws(FileWriteError) in try work() }
        return
      }
    } catch {
      throw TokenError(
        .setUp, error.message, remedy: "run as the user whose tokens they will be, or change \"token\"",
        korean: "\(file.path) 파일에 쓸 수 없습니다.")
    }
    throw TokenError(
      .transient, "another process has held \(file.lockPath) for too long, so \(consequence)",
      remedy: "see which one it is (fuser -v \(file.lockPath)), and try again when it has ended",
      korean: "다른 프로세스가 \(file.lockPath) 파일을 잠그고 있습니다.")
  }

  private func store(
    _ response: TokenResponse, _ client: OAuthClient, confirmsUser: Bool, _ notify: (LoginEvent) -> Void
  ) throws(TokenError) -> LoginResult {
    try checkMailbox(response, confirmsUser: confirmsUser)
    // RFC 6749 section 5.1: left out, they are those asked for.
    let granted = response.scopes ?? neededScopes
    let missing = missingScopes(in: granted)
    guard missing.isEmpty else {
      var failure = TokenError(
        .setUp, "the login lacks \(missing.joined(separator: " ")): its box was not ticked",
        remedy: "log in again and tick every box", step: issuer == .google ? .login : nil)
      failure.missingScopes = missing
      throw failure
    }
    guard let refreshToken = response.refreshToken else {
      throw TokenError(
        .setUp, "the server gave no refresh token, so the login would end within the hour",
        remedy: issuer == .google
          ? "withdraw Pabal's access at myaccount.google.com/connections, and log in again"
          : "ask for a scope such as offline_access",
        korean: "서버가 갱신 토큰을 주지 않아 로그인이 한 시간 안에 끝납니다.")
    }
    var token = StoredToken(
      accessToken: response.accessToken, expiry: response.expiry, refreshToken: refreshToken,
      clientID: client.id,
      clientSecret: client.secret, tokenEndpoint: client.tokenEndpoint.description, scopes: granted,
      user: user)
    token.lifetime = response.lifetime
    token.refreshTokenExpiry = response.refreshTokenExpiry
    token.refreshTokenLifetime = response.refreshTokenLifetime
    try withTokenFileLock("the login's tokens weren't stored", notify) { [token] () throws(FileWriteError) in
      try file.write(token)
      file.record(nil)
    }
    forget()
    return LoginResult(
      scopes: granted, refreshTokenExpiry: token.refreshTokenExpiry,
      isTesting: LoginExpiry(token, issuer) == .testing, file: file.path,
      isUserConfirmed: response.user != nil && issuer == .google)
  }

  /// Refuses the login of another mailbox than `user`, where the server says whose it is.
  ///
  /// Only Google's: a shared mailbox of Microsoft's has a name of its own, and others may use names of any kind.
  private func checkMailbox(_ response: TokenResponse, confirmsUser: Bool) throws(TokenError) {
    guard let who = response.user else {
      guard confirmsUser else { return }
      if let granted = response.scopes {
        let missingConsent = GoogleScopes.missing(["email"], in: granted)
        guard missingConsent.isEmpty else {
          var failure = TokenError(
            .setUp,
            "the server doesn't say which mailbox logged in: the box for the email address was not ticked",
            remedy: "log in again and tick the email box, too", step: .login)
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
      .setUp, "the browser logged in \(who), and \"user\" is \(user)",
      remedy: "log in again and choose \(user) on Google's page, or let \"user\" be \(who)", step: .login,
      korean: "브라우저에서 \(who) 계정으로 로그인했는데, 설정의 \"user\"는 \(user)입니다.")
  }
}

/// How a person logs an account in.
struct LoginPlan: Sendable {
  /// Which way the tokens come.
  enum Flow: String, Sendable, CaseIterable {
    /// The browser on this or another machine, which comes back to a listener here (RFC 8252).
    case browser = "browser"
    /// A code typed in on any device (RFC 8628).
    case device = "device"
  }

  let flow: Flow
  var scopes: [String]
  /// The client as the configuration has it now.
  let client: @Sendable () throws(TokenError) -> OAuthClient
  /// The host of the address the browser comes back to: `127.0.0.1`, or what the server has registered.
  var host = "127.0.0.1"
  /// What goes into the browser's URL besides what RFC 6749 and 7636 say.
  var parameters: [(name: String, value: String)] = []
}
