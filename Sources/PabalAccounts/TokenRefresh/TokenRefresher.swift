public import PabalCore

/// Renews the tokens of accounts ahead of their expiry while a service runs, so that no mail waits for one.
///
/// ```swift
/// let refresher = TokenRefresher(sources) { line in log(line) }
/// let task = Task { await refresher.run() }   // cancel it to stop
/// ```
public struct TokenRefresher: Sendable {
  private let accounts: [OAuthAccount]
  private let log: @Sendable (String) -> Void

  /// Creates a refresher for the OAuth accounts in `sources`. `log` receives a line, which never contains a token,
  /// whenever the state of an account changes.
  public init(_ sources: [any AccessTokenSource], log: @escaping @Sendable (String) -> Void) {
    accounts = sources.compactMap { $0 as? OAuthAccount }
    self.log = log
  }

  /// Runs until its task is cancelled, and returns after renewals in progress. Doesn't block the caller's threads.
  public func run() async {
    guard !accounts.isEmpty else { return }
    // One thread per account, because a renewal may block for minutes and must not delay the other accounts.
    let threads = WorkerThreads(count: accounts.count)
    defer { threads.stop() }
    await withTaskGroup(of: Void.self) { group in
      for account in accounts { group.addTask { await refreshLoop(account, threads) } }
    }
  }

  private func refreshLoop(_ account: OAuthAccount, _ threads: WorkerThreads) async {
    var lastMessage: String?
    while !Task.isCancelled {
      let (wait, state) = await threads.run { (account.refreshIfDue(), account.attentionMessage()) }
      if state != lastMessage, lastMessage != nil || state != nil {
        log("account \(account.title): \(state ?? "its tokens are renewed again")")
      }
      lastMessage = state
      do {
        try await account.dependencies.sleep(wait)
      } catch {
        return
      }
    }
  }
}

extension OAuthAccount {
  /// Whether an operator has to act: a renewal fails, or the login has expired or is about to.
  public var needsAttention: Bool { attentionMessage() != nil }

  /// Returns what an operator should read in the log; `nil` if nothing is wrong.
  ///
  /// A transport's account can be asked at any time; it reads files.
  ///
  /// The text stays the same while the problem does, so that it is logged once.
  public func attentionMessage() -> String? {
    let status = status()
    if let problem = lastErrorText { return problem }
    switch status.state {
    case .fresh:
      guard losesLoginUnstored, let problem = storageProblem else { return nil }
      return unstoredText(problem)
    case .dead:
      return [status.cause, status.remedy].compactMap(\.self).joined(separator: "; ")
    case .expiring:
      guard let end = status.refreshTokenExpiry else { return nil }
      // The text changes on the last day, so that it is logged again.
      let isLastDay = end - dependencies.now() < .seconds(86_400)
      return "the login expires at \(end)\(isLastDay ? ", within a day" : "")"
        + (status.remedy.map { "; \($0)" } ?? "")
    }
  }
}

/// How long a token must still be valid, by its use.
///
/// A fraction of the lifetime limits it, because a short-lived token would otherwise be renewed on every use.
enum TokenFreshness: Sendable {
  /// For immediate use: 3 min 45 s, as in Google's library.
  case use
  /// For a running service, which renews before a token is needed.
  case ahead
  /// If a renewal fails: long enough for one login at the server.
  case fallback

  /// Returns the shortest remaining validity of a token with this lifetime; `nil` if the lifetime is unknown.
  func minimumRemaining(of life: Duration?) -> Duration {
    let (most, divisor): (Duration, Int) =
      switch self {
      case .use: (OAuthAccount.expiryMargin, 4)
      case .ahead: (OAuthAccount.refreshMargin, 2)
      case .fallback: (.seconds(20), 10)
      }
    return life.map { min(most, $0 / divisor) } ?? most
  }
}
