public import PabalCore

/// Keeps the tokens of accounts fresh while a service runs, so that no mail waits for one.
///
/// ```swift
/// let keeper = TokenRefresher(sources) { line in log(line) }
/// let keeping = Task { await keeper.run() }   // cancel it to stop
/// ```
public struct TokenRefresher: Sendable {
  private let accounts: [OAuthAccount]
  private let log: @Sendable (String) -> Void

  /// For those of `sources` that renew themselves; `log` gets a line, never with a token in it, whenever an
  /// account's state changes.
  public init(_ sources: [any AccessTokenSource], log: @escaping @Sendable (String) -> Void) {
    accounts = sources.compactMap { $0 as? OAuthAccount }
    self.log = log
  }

  /// Runs until its task is cancelled; a renewal under way then ends first. Blocks no thread of the caller's.
  public func run() async {
    guard !accounts.isEmpty else { return }
    // A renewal blocks, at worst for minutes, and one slow server must not keep the others' tokens waiting.
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
        log("account \(account.name): \(state ?? "its tokens renew themselves again")")
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
  /// Whether an operator should look after it: a renewal fails, or the login is over or soon will be.
  public var needsAttention: Bool { attentionMessage() != nil }

  /// What an operator should read in a service's log; `nil` while all is well.
  ///
  /// The same words as long as the same is wrong, so that a log has them once.
  func attentionMessage() -> String? {
    let status = status()
    if let problem = lastErrorText { return problem }
    switch status.state {
    case .fresh: return nil
    case .dead:
      return [status.cause, status.remedy].compactMap(\.self).joined(separator: "; ")
    case .expiring:
      guard let end = status.refreshTokenExpiry else { return nil }
      // Again on the last day, when there is still time.
      let isLastDay = end - dependencies.now() < .seconds(86_400)
      return "the login ends at \(end)\(isLastDay ? ", within a day" : "")"
        + (status.remedy.map { "; \($0)" } ?? "")
    }
  }
}

/// How much of its life a token must still have, by what it is for.
///
/// A token that lives shortly would else be renewed by everybody who asks for it.
enum TokenFreshness: Sendable {
  /// For whoever needs one now; Google's library has 3 min 45 s.
  case use
  /// For a running service, so that nobody waits.
  case ahead
  /// Where no better one is to be had: long enough for one login at the far side.
  case fallback

  /// The least that must be left of `life`; `nil` where nobody knows how long that is.
  func minimumRemaining(of life: Duration?) -> Duration {
    let (most, part): (Duration, Int) =
      switch self {
      case .use: (OAuthAccount.expiryMargin, 4)
      case .ahead: (OAuthAccount.refreshMargin, 2)
      case .fallback: (.seconds(20), 10)
      }
    return life.map { min(most, $0 / part) } ?? most
  }
}
