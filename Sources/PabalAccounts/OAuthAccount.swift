public import PabalCore
internal import Synchronization

/// An account whose access tokens Pabal obtains and renews itself, by OAuth 2.0.
public final class OAuthAccount: AccessTokenSource {
  /// The key of the account in `accounts`.
  public let name: String
  /// The name of the provider, such as `google`.
  public let provider: String
  /// The mailbox the tokens are for.
  public let user: String
  /// The scopes that the configured transports need.
  public let neededScopes: [String]
  /// The service that its tokens are for, such as `graph`, if the provider issues tokens for one service each.
  public let resource: String?
  /// The account's name, with its service if there are several or if it isn't the usual one: `office (graph)`.
  public let title: String
  /// The same account at the provider's other services, each with a login and tokens of its own.
  public let others: [OAuthAccount]

  let issuer: OAuthErrorClassifier.Issuer
  /// The scopes of each configured transport; mail can be sent if all scopes of one of them are granted.
  let scopeSets: [[String]]
  var file: TokenFile { storage.file }
  let storage: TokenStorage
  let tokenGrant: any TokenGrant
  /// How a person logs in; `nil` if the provider has no login.
  let login: LoginPlan?
  let dependencies: AccountDependencies

  /// How long before its expiry a token is no longer handed out, as in Google's library: 3 min 45 s.
  public static let expiryMargin = Duration.seconds(225)
  /// The longest wait of a running service after failed renewals: 10 min.
  public static let maxRetryDelay = Duration.seconds(600)
  /// The wait of a running service before it tries again to store tokens: 1 min.
  static let storageRetryDelay = Duration.seconds(60)
  /// How long before its expiry a running service renews a token, so that no mail waits for it: 10 min.
  public static let refreshMargin = Duration.seconds(600)

  private let current = Mutex(Current())
  /// Held during a renewal.
  private let refreshLock = Mutex(())
  /// The number of completed renewals, successful or not.
  private let refreshCount = Atomic(0)
  private let storesEveryRenewal = Atomic(false)

  private struct Current {
    var token: (text: String, expiry: Timestamp, life: Duration?)?
    var failure: (failure: TokenError, rejected: String?)?
    /// The number of consecutive failures of renewals ahead of expiry.
    var failures = 0
    /// The token that replaced a rejected one. If it is rejected too, another renewal won't help.
    var replacement: (text: String, at: Timestamp)?
  }

  init(
    _ use: AccountContext, provider: String, issuer: OAuthErrorClassifier.Issuer, neededScopes: [String],
    scopeSets: [[String]]? = nil, file: TokenFile, tokenGrant: any TokenGrant, login: LoginPlan?,
    resource: String? = nil, service: String? = nil, others: [OAuthAccount] = [],
    dependencies: AccountDependencies
  ) {
    self.resource = resource
    title = service.map { "\(use.name) (\($0))" } ?? use.name
    self.others = others
    name = use.name
    user = use.user
    self.provider = provider
    self.issuer = issuer
    self.neededScopes = neededScopes
    self.scopeSets = scopeSets ?? [neededScopes]
    storage = .of(file)
    self.tokenGrant = tokenGrant
    self.login = login
    self.dependencies = dependencies
  }

  /// The path of the token file.
  public var tokenFile: String { file.path }

  /// This account and the same one at other services.
  public var all: [OAuthAccount] { [self] + others }

  /// Returns the account for the service that a transport with these scopes needs.
  public func source(for scopes: [AccountScope], given: (String) -> Bool) -> any AccessTokenSource {
    guard !others.isEmpty, let scope = scopes.scope(provider: provider, given: given) else { return self }
    let resource = MicrosoftResource(scope).name
    return all.first { $0.resource == resource } ?? self
  }

  /// Returns the current token, or a renewed one if it is missing, about to expire, or `rejected`. Concurrent callers
  /// share one renewal.
  public func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken {
    let seen = refreshCount.load(ordering: .acquiring)
    if let token = token(excluding: rejected, for: .use) { return token }
    let result = refreshLock.withLock { _ -> Result<AccessToken, TokenError> in
      if let token = token(excluding: rejected, for: .use) { return .success(token) }
      // The renewal of another thread failed while this call waited for the lock.
      if refreshCount.load(ordering: .relaxed) != seen,
        let failure = current.withLock({ $0.failure?.failure })
      {
        return lastResort(failure, rejected: rejected)
      }
      return refreshLocked(rejected: rejected, for: .use)
    }
    do throws(TokenError) {
      return try result.get()
    } catch {
      throw error.problem(account: name)
    }
  }

  /// Renews the token ahead of its expiry, for a running service; blocks. Returns how long to wait before the next call.
  ///
  /// Other threads get the old token without waiting.
  public func refreshIfDue() -> Duration {
    let now = dependencies.now()
    let token = current.withLock(\.token)
    let left = token.map { $0.expiry - now } ?? .zero
    let due = left - TokenFreshness.ahead.minimumRemaining(of: token?.life)
    if due > .zero { return min(due, storeUnwritten() ? .seconds(3600) : Self.storageRetryDelay) }
    // If the renewal fails, the current token stays in use until it expires.
    _ = refreshLock.withLock { _ in refreshLocked(rejected: nil, for: .ahead) }
    let (failure, refreshed) = current.withLock { ($0.failure?.failure, $0.token) }
    guard failure == nil, let refreshed else { return retryDelay(after: failure) }
    current.withLock { $0.failures = 0 }
    let ahead = TokenFreshness.ahead.minimumRemaining(of: refreshed.life)
    let minimumRemaining = min(max(ahead / 2, .seconds(5)), .seconds(60))
    let wait = max(refreshed.expiry - dependencies.now() - ahead, minimumRemaining)
    return min(wait, storage.problem == nil ? .seconds(3600) : Self.storageRetryDelay)
  }

  /// Tries again to store tokens that couldn't be stored; blocks. Returns whether nothing is left to store.
  @discardableResult
  public func storeUnwritten() -> Bool {
    guard storage.problem != nil else { return true }
    return refreshLock.withLock { _ in
      guard let lock = try? file.lock(dependencies) else { return false }
      return withExtendedLifetime(lock) { TerminationDelay.protect { storage.storeUnwritten() } }
    }
  }

  /// From now on, renews no token with a refresh token unless the answer can be stored: for a command that only checks.
  public func storeEveryRenewal() { storesEveryRenewal.store(true, ordering: .relaxed) }

  /// Returns the wait after a failed renewal: one minute, doubled for each further failure.
  private func retryDelay(after failure: TokenError?) -> Duration {
    // No request is sent for a dead login: only the file is checked for a new one.
    if failure?.kind == .dead { return .seconds(60) }
    let failures = current.withLock { current in
      current.failures += 1
      return current.failures
    }
    let wait = min(Duration.seconds(60) * (1 << min(failures - 1, 8)), Self.maxRetryDelay)
    return dependencies.jittered(max(wait, min(failure?.retryAfter ?? .zero, .seconds(3600))))
  }

  /// Why the last renewal failed; `nil` if it succeeded. One sentence.
  var lastErrorText: String? { current.withLock { $0.failure?.failure.sentence } }

  /// Renews the token unconditionally, even if the account counts as dead, to find out its state; blocks.
  public func refreshNow() throws(AccessTokenError) {
    let result = refreshLock.withLock { _ in refreshLocked(rejected: nil, for: nil) }
    do throws(TokenError) {
      _ = try result.get()
    } catch {
      throw error.problem(account: name)
    }
  }

  /// Discards the state in memory; the next call reads the token file.
  func forget() {
    storage.forget()
    current.withLock { $0 = Current() }
  }

  private func token(excluding rejected: String?, for freshness: TokenFreshness) -> AccessToken? {
    let now = dependencies.now()
    return current.withLock { current in
      guard let token = current.token, token.text != rejected,
        token.expiry - now > freshness.minimumRemaining(of: token.life)
      else { return nil }
      return AccessToken(text: token.text, expiresIn: token.expiry - now)
    }
  }

  /// Returns a token that is still valid for a short time, or the failure if there is none.
  private func lastResort(_ failure: TokenError, rejected: String?) -> Result<AccessToken, TokenError> {
    if let token = token(excluding: rejected, for: .fallback) { return .success(token) }
    return .failure(failure)
  }

  /// Renews the token while `refreshLock` is held. A token stored by another process is used if it satisfies
  /// `freshness`; `nil` always renews.
  private func refreshLocked(rejected: String?, for freshness: TokenFreshness?) -> Result<
    AccessToken, TokenError
  > {
    defer { refreshCount.add(1, ordering: .releasing) }
    do throws(TokenError) {
      try rejectRepeatedRefusal(rejected)
      let stored = try refreshed(rejected: rejected, for: freshness)
      let text = stored.accessToken ?? ""
      let expiry = stored.expiry ?? dependencies.now()
      current.withLock { current in
        current.token = (text, expiry, stored.lifetime)
        current.failure = nil
        if rejected != nil { current.replacement = (text, dependencies.now()) }
      }
      return .success(AccessToken(text: text, expiresIn: expiry - dependencies.now()))
    } catch {
      current.withLock { $0.failure = (error, rejected) }
      // `refreshNow` has to report the failure instead of an older token.
      return freshness == nil ? .failure(error) : lastResort(error, rejected: rejected)
    }
  }

  private func rejectRepeatedRefusal(_ rejected: String?) throws(TokenError) {
    let now = dependencies.now()
    let replacement = current.withLock(\.replacement)
    guard let rejected, let replacement, replacement.text == rejected,
      (.zero..<(.seconds(60))).contains(now - replacement.at)
    else { return }
    throw TokenError(
      .setUp,
      "the server rejects a token that was renewed a moment ago, so the token isn't the cause",
      remedy:
        "check that \(user) is the mailbox that logged in\(issuer == .google ? " (pabal account login \(name) --confirm-user asks Google)" : "") "
        + "and that the login has the scope (pabal account status)",
      retryAfter: .seconds(60))
  }

  private func refreshed(rejected: String?, for freshness: TokenFreshness?) throws(TokenError) -> StoredToken
  {
    let began = dependencies.now()
    let lock = try lock()
    return try withExtendedLifetime(lock) { () throws(TokenError) in
      let stored = try stored()
      if let freshness, let stored, let text = stored.accessToken, let expiry = stored.expiry,
        text != rejected,
        expiry - dependencies.now() > freshness.minimumRemaining(of: stored.lifetime)
      {
        return stored
      }
      let fingerprint = try tokenGrant.fingerprint(of: stored)
      if freshness != nil,
        let failure = file.lastError?.blockingError(
          against: fingerprint, since: began, now: dependencies.now())
      {
        adopt(stored, excluding: rejected)
        throw failure
      }
      let preparation = storage.prepare(for: stored)
      if let problem = preparation.problem, storesEveryRenewal.load(ordering: .relaxed),
        tokenGrant.usesRefreshToken
      {
        return try unrenewed(stored, excluding: rejected, problem)
      }
      return try TerminationDelay.protect { () throws(TokenError) in
        try renewed(stored, rejected: rejected, fingerprint, preparation)
      }
    }
  }

  /// Requests a new token and stores it.
  private func renewed(
    _ stored: StoredToken?, rejected: String?, _ fingerprint: String, _ preparation: TokenStorage.Preparation
  ) throws(TokenError) -> StoredToken {
    do throws(TokenError) {
      var refreshed = try tokenGrant.refresh(stored, in: dependencies)
      // RFC 6749 section 5.1: a server leaves the scopes out if they are the requested ones.
      if refreshed.scopes.isEmpty, issuer == .other { refreshed.scopes = neededScopes }
      let hadUnwritten = storage.hasUnwritten
      let problem = storage.store(refreshed, replacing: stored, preparation)
      guard let problem else {
        file.record(nil)
        return refreshed
      }
      let text = unstoredText(problem)
      // In case the login ends, and the file can be written by then. Later ones aren't about the token in the file.
      if !hadUnwritten {
        file.record(
          RecordedError(
            TokenError(.transient, text), about: fingerprint, at: dependencies.now(),
            storageProblem: problem.message))
      }
      // A service account loses nothing but time.
      if tokenGrant.usesRefreshToken { dependencies.report(.unstored(account: name, text)) }
      return refreshed
    } catch {
      adopt(stored, excluding: rejected)
      let last = file.lastError
      let earlier = last?.fingerprint == fingerprint ? last?.storageProblem : nil
      let failure = explained(
        explainingMissingScopes(error, in: stored), storageProblem: preparation.problem, earlier: earlier)
      file.record(RecordedError(failure, about: fingerprint, at: dependencies.now(), storageProblem: earlier))
      throw failure
    }
  }

  // The stored token may still be valid for a while and may be new to this process.
  private func adopt(_ stored: StoredToken?, excluding rejected: String?) {
    guard let text = stored?.accessToken, let expiry = stored?.expiry, text != rejected else { return }
    current.withLock { $0.token = (text, expiry, stored?.lifetime) }
  }

  private func lock() throws(TokenError) -> TokenFileLock? {
    let lock: TokenFileLock?
    do throws(FileWriteError) {
      lock = try file.lock(dependencies) {
        dependencies.report(
          .waiting(account: name, "waiting for another process that has locked \(file.path)"))
      }
    } catch {
      // Two processes that renew at the same time can end a login.
      guard !error.isLocking else { throw TokenError(.setUp, error.message, remedy: error.remedy) }
      // Without a file that can be opened, no other process can renew this login.
      return nil
    }
    guard let lock else {
      throw TokenError(
        .transient, "another process has been renewing the token for too long; retry later",
        retryAfter: .seconds(30))
    }
    return lock
  }

  /// Returns the token of the file, or the renewed one that couldn't be stored.
  func stored() throws(TokenError) -> StoredToken? { try storage.read() }
}
