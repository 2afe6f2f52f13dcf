/// So many within so long, over a window that slides.
public struct RateLimit: Sendable, Hashable {
  /// How many are allowed.
  public var count: Int
  /// Within how long.
  public var window: Duration

  /// `count` within `window`.
  public init(_ count: Int, per window: Duration) {
    self.count = count
    self.window = window
  }
}

/// How long codes live and how often they may be tried and sent; the defaults' sources stand in the catalog.
public struct VerificationPolicy: Sendable, Hashable {
  /// The message whose words carry the code.
  public var message = "verification"
  /// The message, without a code, that a notice sends.
  public var notice = "registered"
  /// How many digits a code has, 6 to 10.
  public var digits = 6
  /// How long a code is valid, 2 minutes to 24 hours.
  public var lifetime = Duration.seconds(600)
  /// How many codes are judged before a verification is exhausted, 1 to 10; a resend gives none back.
  public var attempts = 5
  /// How long after a mail to a recipient the next one may go out; zero: at once.
  public var cooldown = Duration.seconds(60)
  /// How many mails one verification may send.
  public var sends = 5
  /// How many mails a recipient may get for one purpose.
  public var recipient = [
    RateLimit(5, per: .seconds(3_600)), RateLimit(10, per: .seconds(86_400)),
  ]
  /// How many verifications a client's address may start.
  public var clientStarts = [
    RateLimit(10, per: .seconds(600)), RateLimit(50, per: .seconds(86_400)),
  ]
  /// How many codes a client's address may have checked.
  public var clientChecks = [RateLimit(30, per: .seconds(300))]
  /// How many mails the transports take in 24 hours; starts may use 80 % of it, resends all; `nil`: any number.
  public var quota: Int?
  /// How many wrong codes in a row, over all verifications of a recipient and purpose, block it.
  public var failures = 100
  /// How long it is blocked then.
  public var block = Duration.seconds(86_400)
  /// How long an approved verification's proof can be redeemed.
  public var proofLifetime = Duration.seconds(900)
  /// How long a final verification still answers truthfully; then it is deleted.
  public var retention = Duration.seconds(86_400)

  /// The defaults.
  public init() {}

  /// How many mails in 24 hours all starts together may cause.
  var startQuota: Int? { quota.map { $0 - $0 / 5 } }
  static let day = Duration.seconds(86_400)
  /// How long a row of wrong codes is remembered after the last of them.
  static let failureRetention = Duration.seconds(30 * 86_400)

  /// The longest window of any cap: older notes limit nothing.
  var longestWindow: Duration {
    (recipient + clientStarts + clientChecks).map(\.window).reduce(max(cooldown, VerificationPolicy.day), max)
  }
}

/// Ends and deletes verifications and their notes in their time, for whoever runs as long as the store is used.
public struct VerificationCleanup: Sendable {
  private let store: any VerificationStore
  private let policy: VerificationPolicy
  private let now: @Sendable () -> Timestamp

  /// The housekeeping of `store` by `policy`.
  public init(
    store: any VerificationStore, policy: VerificationPolicy = VerificationPolicy(),
    now: @escaping @Sendable () -> Timestamp = Timestamp.now
  ) {
    self.store = store
    self.policy = policy
    self.now = now
  }

  /// Deletes all that was kept long enough, `limit` rows of each kind in a transaction, so that others get theirs
  /// in between; ends early when the task is cancelled.
  public func sweep(limit: Int = 500) async throws(StorageError) {
    let sweep = policy.sweep(at: now(), limit: limit)
    while try await store.sweep(sweep), !Task.isCancelled {}
  }
}

extension VerificationPolicy {
  /// What is due at `now`.
  func sweep(at now: Timestamp, limit: Int) -> VerificationSweep {
    VerificationSweep(
      now: now, ended: now - retention, events: now - longestWindow,
      failures: now - VerificationPolicy.failureRetention, limit: limit)
  }
}
