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

  let issuer: Refusals.Issuer
  /// What each configured transport needs; mail can leave where one of them has it all.
  let ways: [[String]]
  let file: TokenFile
  let renewal: any Renewal
  /// How a person logs in, where one does.
  let login: LoginPlan?
  let surroundings: Surroundings

  /// How long before its end a token is no longer given away, as Google's library has it: 3 min 45 s.
  public static let margin = Duration.seconds(225)
  /// The longest between two attempts of a running service to renew a token that it couldn't: 10 min.
  public static let longestWait = Duration.seconds(600)
  /// How long before its end a running service renews a token, so that nobody waits for it: 10 min.
  public static let foresight = Duration.seconds(600)

  private let current = Mutex(Current())
  /// Held by the one thread that renews.
  private let turn = Mutex(())
  /// How many renewals have ended.
  private let renewals = Atomic(0)

  private struct Current {
    var token: (text: String, expiry: UTCTime, life: Duration?)?
    /// What would be stored if the file could be written, or were ours, and the refresh token that it holds.
    var unwritten: (token: StoredToken, over: String?)?
    var writeProblem: String?
    var failure: (failure: TokenFailure, rejected: String?)?
    /// How many renewals ahead of time have failed since the last that didn't.
    var failures = 0
    /// The token got because another was refused: refused as well, it is no use to get a third.
    var replacement: (text: String, at: UTCTime)?
  }

  init(
    _ use: AccountUse, provider: String, issuer: Refusals.Issuer, neededScopes: [String],
    ways: [[String]]? = nil, file: TokenFile, renewal: any Renewal, login: LoginPlan?,
    surroundings: Surroundings
  ) {
    name = use.name
    user = use.user
    self.provider = provider
    self.issuer = issuer
    self.neededScopes = neededScopes
    self.ways = ways ?? [neededScopes]
    self.file = file
    self.renewal = renewal
    self.login = login
    self.surroundings = surroundings
  }

  /// The token at hand, or where there is none or it was rejected, a renewed one, which whoever asks meanwhile gets too.
  public func accessToken(rejected: String?) throws(AccessTokenProblem) -> AccessToken {
    let seen = renewals.load(ordering: .acquiring)
    if let token = token(besides: rejected, for: .use) { return token }
    let result = turn.withLock { _ -> Result<AccessToken, TokenFailure> in
      if let token = token(besides: rejected, for: .use) { return .success(token) }
      // It failed while this call waited for its turn.
      if renewals.load(ordering: .relaxed) != seen, let failure = current.withLock({ $0.failure?.failure }) {
        return lastResort(failure, rejected: rejected)
      }
      return renewInTurn(rejected: rejected, for: .use)
    }
    do throws(TokenFailure) {
      return try result.get()
    } catch {
      throw error.problem(account: name)
    }
  }

  /// Renews ahead of expiry, for a running service; blocks. Answers after how long to call again.
  ///
  /// Those who ask for a token meanwhile get the old one at once.
  public func keepFresh() -> Duration {
    let now = surroundings.now()
    let token = current.withLock(\.token)
    let left = token.map { $0.expiry - now } ?? .zero
    let due = left - Reserve.ahead.least(of: token?.life)
    if due > .zero { return min(due, .seconds(3600)) }
    // While it can't be renewed a token that still lives is answered all the same.
    _ = turn.withLock { _ in renewInTurn(rejected: nil, for: .ahead) }
    let (failure, renewed) = current.withLock { ($0.failure?.failure, $0.token) }
    guard failure == nil, let renewed else { return patience(after: failure) }
    current.withLock { $0.failures = 0 }
    let ahead = Reserve.ahead.least(of: renewed.life)
    let least = min(max(ahead / 2, .seconds(5)), .seconds(60))
    return min(max(renewed.expiry - surroundings.now() - ahead, least), .seconds(3600))
  }

  /// How long a running service waits after a renewal that failed: a minute at first, then twice as long each time.
  private func patience(after failure: TokenFailure?) -> Duration {
    // Nobody is asked: only the file is looked at, for a new login.
    if failure?.kind == .dead { return .seconds(60) }
    let failures = current.withLock { current in
      current.failures += 1
      return current.failures
    }
    let wait = min(Duration.seconds(60) * (1 << min(failures - 1, 8)), Self.longestWait)
    return surroundings.around(max(wait, min(failure?.retryAfter ?? .zero, .seconds(3600))))
  }

  /// Why the last renewal failed, if it did; one sentence.
  var lastProblem: String? { current.withLock { $0.failure?.failure.sentence } }

  /// Renews whatever is at hand, also where the account counts as dead, and so finds out how it is; blocks.
  public func renewNow() throws(AccessTokenProblem) {
    let result = turn.withLock { _ in renewInTurn(rejected: nil, for: nil) }
    do throws(TokenFailure) {
      _ = try result.get()
    } catch {
      throw error.problem(account: name)
    }
  }

  /// Why the tokens couldn't be stored, if so; they are lost with this process then.
  var writeProblem: String? { current.withLock(\.writeProblem) }

  /// Forgets what is at hand; the next call looks at the file again.
  func forget() { current.withLock { $0 = Current() } }

  private func token(besides rejected: String?, for reserve: Reserve) -> AccessToken? {
    let now = surroundings.now()
    return current.withLock { current in
      guard let token = current.token, token.text != rejected,
        token.expiry - now > reserve.least(of: token.life)
      else { return nil }
      return AccessToken(text: token.text, expiresIn: token.expiry - now)
    }
  }

  /// A token that still lives, where no better one is to be had; else the failure.
  private func lastResort(_ failure: TokenFailure, rejected: String?) -> Result<AccessToken, TokenFailure> {
    if let token = token(besides: rejected, for: .last) { return .success(token) }
    return .failure(failure)
  }

  /// Renews, in this process's turn; `reserve` is what a token that another process got must still have,
  /// `nil` for a renewal in any case.
  private func renewInTurn(rejected: String?, for reserve: Reserve?) -> Result<AccessToken, TokenFailure> {
    defer { renewals.add(1, ordering: .releasing) }
    do throws(TokenFailure) {
      try refuseThird(rejected)
      let stored = try renewed(rejected: rejected, for: reserve)
      let text = stored.accessToken ?? ""
      let expiry = stored.expiry ?? surroundings.now()
      current.withLock { current in
        current.token = (text, expiry, stored.lifetime)
        current.failure = nil
        if rejected != nil { current.replacement = (text, surroundings.now()) }
      }
      return .success(AccessToken(text: text, expiresIn: expiry - surroundings.now()))
    } catch {
      current.withLock { $0.failure = (error, rejected) }
      // Who wants to find out how the account is isn't served with a token from before.
      return reserve == nil ? .failure(error) : lastResort(error, rejected: rejected)
    }
  }

  private func refuseThird(_ rejected: String?) throws(TokenFailure) {
    let now = surroundings.now()
    let replacement = current.withLock(\.replacement)
    guard let rejected, let replacement, replacement.text == rejected,
      (.zero..<(.seconds(60))).contains(now - replacement.at)
    else { return }
    throw TokenFailure(
      .setUp,
      "the far side refuses a token that was renewed for it a moment ago, so the token isn't what is wrong",
      cure:
        "see whether \(user) is the mailbox that logged in\(issuer == .google ? " (pabal account login \(name) --confirm-user asks Google)" : ""), "
        + "and whether the login has the scope: pabal account status",
      retryAfter: .seconds(60))
  }

  private func renewed(rejected: String?, for reserve: Reserve?) throws(TokenFailure) -> StoredToken {
    let began = surroundings.now()
    let lock = try lock()
    return try withExtendedLifetime(lock) { () throws(TokenFailure) in
      let stored = try stored()
      if let reserve, let stored, let text = stored.accessToken, let expiry = stored.expiry, text != rejected,
        expiry - surroundings.now() > reserve.least(of: stored.lifetime)
      {
        return stored
      }
      let fingerprint = try renewal.fingerprint(of: stored)
      if reserve != nil,
        let failure = file.lastFailure?.standing(against: fingerprint, since: began, now: surroundings.now())
      {
        adopt(stored, besides: rejected)
        throw failure
      }
      do throws(TokenFailure) {
        let renewed = try renewal.renew(stored, in: surroundings)
        store(renewed, over: stored)
        return renewed
      } catch {
        adopt(stored, besides: rejected)
        file.record(RecordedFailure(error, about: fingerprint, at: surroundings.now()))
        throw error
      }
    }
  }

  // What the file holds may still live for a while, and this process may not have seen it yet.
  private func adopt(_ stored: StoredToken?, besides rejected: String?) {
    guard let text = stored?.accessToken, let expiry = stored?.expiry, text != rejected else { return }
    current.withLock { $0.token = (text, expiry, stored?.lifetime) }
  }

  private func lock() throws(TokenFailure) -> FileLock? {
    let lock: FileLock?
    do throws(WriteProblem) {
      lock = try file.lock(surroundings)
    } catch {
      // A folder that can't be written to has no lock, and needs none: nobody writes the token there either.
      return nil
    }
    guard let lock else {
      throw TokenFailure(
        .passing, "another process has been renewing the token for too long", retryAfter: .seconds(30))
    }
    return lock
  }

  /// What the file holds, or what was renewed over it and couldn't be written.
  func stored() throws(TokenFailure) -> StoredToken? {
    let stored: StoredToken?
    do throws(SecretFileProblem) {
      stored = try file.read()
    } catch {
      throw TokenFailure(error)
    }
    // After a login since then the file has another refresh token.
    let unwritten = current.withLock(\.unwritten)
    return unwritten?.over == stored?.refreshToken ? unwritten?.token ?? stored : stored
  }

  private func store(_ renewed: StoredToken, over stored: StoredToken?) {
    file.record(nil)
    var problem: String?
    if stored?.isGcloud != true {
      do throws(WriteProblem) {
        try file.write(renewed)
        current.withLock { ($0.unwritten, $0.writeProblem) = (nil, nil) }
        return
      } catch {
        problem = error.what
      }
    }
    current.withLock { current in
      // What the file says, not what the last unwritten renewal made of it.
      let over = current.unwritten?.over ?? stored?.refreshToken
      current.unwritten = (renewed, over)
      current.writeProblem = problem
    }
  }
}
