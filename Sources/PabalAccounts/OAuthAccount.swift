public import PabalCore
internal import Synchronization

/// An account whose access tokens Pabal gets and renews itself, by OAuth 2.0.
public final class OAuthAccount: AccessTokenSource {
  /// Its key in `accounts`.
  public let name: String
  /// Its provider's name, such as `google`.
  public let provider: String
  /// The mailbox the tokens are for.
  public let user: String
  /// What the configured transports need.
  public let neededScopes: [String]

  let issuer: OAuthErrorClassifier.Issuer
  /// What each configured transport needs; mail can leave where one of them has it all.
  let scopeSets: [[String]]
  let file: TokenFile
  let tokenGrant: any TokenGrant
  /// How a person logs in, where one does.
  let login: LoginPlan?
  let dependencies: AccountDependencies

  /// How long before its end a token is no longer given away, as Google's library has it: 3 min 45 s.
  public static let expiryMargin = Duration.seconds(225)
  /// The longest between two attempts of a running service to renew a token that it couldn't: 10 min.
  public static let maxRetryDelay = Duration.seconds(600)
  /// How long before its end a running service renews a token, so that nobody waits for it: 10 min.
  public static let refreshMargin = Duration.seconds(600)

  private let current = Mutex(Current())
  /// Held by the one thread that renews.
  private let refreshLock = Mutex(())
  /// How many renewals have ended.
  private let refreshCount = Atomic(0)

  private struct Current {
    var token: (text: String, expiry: Timestamp, life: Duration?)?
    /// What would be stored if the file could be written, or were ours, and the refresh token that it holds.
    var unwritten: (token: StoredToken, replacing: String?)?
    var writeError: String?
    var failure: (failure: TokenError, rejected: String?)?
    /// How many renewals ahead of time have failed since the last that didn't.
    var failures = 0
    /// The token got because another was refused: refused as well, it is no use to get a third.
    var replacement: (text: String, at: Timestamp)?
  }

  init(
    _ use: AccountContext, provider: String, issuer: OAuthErrorClassifier.Issuer, neededScopes: [String],
    scopeSets: [[String]]? = nil, file: TokenFile, tokenGrant: any TokenGrant, login: LoginPlan?,
    dependencies: AccountDependencies
  ) {
    name = use.name
    user = use.user
    self.provider = provider
    self.issuer = issuer
    self.neededScopes = neededScopes
    self.scopeSets = scopeSets ?? [neededScopes]
    self.file = file
    self.tokenGrant = tokenGrant
    self.login = login
    self.dependencies = dependencies
  }

  /// The token at hand, or where there is none or it was rejected, a renewed one, which whoever asks meanwhile gets too.
  public func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken {
    let seen = refreshCount.load(ordering: .acquiring)
    if let token = token(excluding: rejected, for: .use) { return token }
    let result = refreshLock.withLock { _ -> Result<AccessToken, TokenError> in
      if let token = token(excluding: rejected, for: .use) { return .success(token) }
      // It failed while this call waited for its turn.
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

  /// Renews ahead of expiry, for a running service; blocks. Answers after how long to call again.
  ///
  /// Those who ask for a token meanwhile get the old one at once.
  public func refreshIfDue() -> Duration {
    let now = dependencies.now()
    let token = current.withLock(\.token)
    let left = token.map { $0.expiry - now } ?? .zero
    let due = left - TokenFreshness.ahead.minimumRemaining(of: token?.life)
    if due > .zero { return min(due, .seconds(3600)) }
    // While it can't be renewed a token that still lives is answered all the same.
    _ = refreshLock.withLock { _ in refreshLocked(rejected: nil, for: .ahead) }
    let (failure, refreshed) = current.withLock { ($0.failure?.failure, $0.token) }
    guard failure == nil, let refreshed else { return retryDelay(after: failure) }
    current.withLock { $0.failures = 0 }
    let ahead = TokenFreshness.ahead.minimumRemaining(of: refreshed.life)
    let minimumRemaining = min(max(ahead / 2, .seconds(5)), .seconds(60))
    return min(max(refreshed.expiry - dependencies.now() - ahead, minimumRemaining), .seconds(3600))
  }

  /// How long a running service waits after a renewal that failed: a minute at first, then twice as long each time.
  private func retryDelay(after failure: TokenError?) -> Duration {
    // Nobody is asked: only the file is looked at, for a new login.
    if failure?.kind == .dead { return .seconds(60) }
    let failures = current.withLock { current in
      current.failures += 1
      return current.failures
    }
    let wait = min(Duration.seconds(60) * (1 << min(failures - 1, 8)), Self.maxRetryDelay)
    return dependencies.jittered(max(wait, min(failure?.retryAfter ?? .zero, .seconds(3600))))
  }

  /// Why the last renewal failed, if it did; one sentence.
  var lastErrorText: String? { current.withLock { $0.failure?.failure.sentence } }

  /// Renews whatever is at hand, also where the account counts as dead, and so finds out how it is; blocks.
  public func refreshNow() throws(AccessTokenError) {
    let result = refreshLock.withLock { _ in refreshLocked(rejected: nil, for: nil) }
    do throws(TokenError) {
      _ = try result.get()
    } catch {
      throw error.problem(account: name)
    }
  }

  /// Why the tokens couldn't be stored, if so; they are lost with this process then.
  var writeError: String? { current.withLock(\.writeError) }

  /// Forgets what is at hand; the next call looks at the file again.
  func forget() { current.withLock { $0 = Current() } }

  private func token(excluding rejected: String?, for freshness: TokenFreshness) -> AccessToken? {
    let now = dependencies.now()
    return current.withLock { current in
      guard let token = current.token, token.text != rejected,
        token.expiry - now > freshness.minimumRemaining(of: token.life)
      else { return nil }
      return AccessToken(text: token.text, expiresIn: token.expiry - now)
    }
  }

  /// A token that still lives, where no better one is to be had; else the failure.
  private func lastResort(_ failure: TokenError, rejected: String?) -> Result<AccessToken, TokenError> {
    if let token = token(excluding: rejected, for: .fallback) { return .success(token) }
    return .failure(failure)
  }

  /// Renews, in this process's turn; `freshness` is what a token that another process got must still have,
  /// `nil` for a renewal in any case.
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
      // Who wants to find out how the account is isn't served with a token from before.
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
      "the far side refuses a token that was renewed for it a moment ago, so the token isn't what is wrong",
      remedy:
        "see whether \(user) is the mailbox that logged in\(issuer == .google ? " (pabal account login \(name) --confirm-user asks Google)" : ""), "
        + "and whether the login has the scope: pabal account status",
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
      do throws(TokenError) {
        let refreshed = try tokenGrant.refresh(stored, in: dependencies)
        store(refreshed, replacing: stored)
        return refreshed
      } catch {
        adopt(stored, excluding: rejected)
        file.record(RecordedError(error, about: fingerprint, at: dependencies.now()))
        throw error
      }
    }
  }

  // What the file holds may still live for a while, and this process may not have seen it yet.
  private func adopt(_ stored: StoredToken?, excluding rejected: String?) {
    guard let text = stored?.accessToken, let expiry = stored?.expiry, text != rejected else { return }
    current.withLock { $0.token = (text, expiry, stored?.lifetime) }
  }

  private func lock() throws(TokenError) -> FileLock? {
    let lock: FileLock?
    do throws(FileWriteError) {
      lock = try file.lock(dependencies)
    } catch {
      // A folder that can't be written to has no lock, and needs none: nobody writes the token there either.
      return nil
    }
    guard let lock else {
      throw TokenError(
        .transient, "another process has been renewing the token for too long", retryAfter: .seconds(30))
    }
    return lock
  }

  /// What the file holds, or what was renewed over it and couldn't be written.
  func stored() throws(TokenError) -> StoredToken? {
    let stored: StoredToken?
    do throws(SecretFileError) {
      stored = try file.read()
    } catch {
      throw TokenError(error)
    }
    // After a login since then the file has another refresh token.
    let unwritten = current.withLock(\.unwritten)
    return unwritten?.replacing == stored?.refreshToken ? unwritten?.token ?? stored : stored
  }

  private func store(_ refreshed: StoredToken, replacing stored: StoredToken?) {
    file.record(nil)
    var problem: String?
    if stored?.isGcloud != true {
      do throws(FileWriteError) {
        try file.write(refreshed)
        current.withLock { ($0.unwritten, $0.writeError) = (nil, nil) }
        return
      } catch {
        problem = error.message
      }
    }
    current.withLock { current in
      // What the file says, not what the last unwritten renewal made of it.
      let replacing = current.unwritten?.replacing ?? stored?.refreshToken
      current.unwritten = (refreshed, replacing)
      current.writeError = problem
    }
  }
}
