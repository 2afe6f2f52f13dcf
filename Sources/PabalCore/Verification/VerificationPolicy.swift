/// A maximum number of events within a sliding window.
public struct RateLimit: Sendable, Hashable {
  /// The maximum number of events.
  public var count: Int
  /// The length of the window.
  public var window: Duration

  /// At most `count` events within `window`.
  public init(_ count: Int, per window: Duration) {
    self.count = count
    self.window = window
  }
}

/// The lifetimes and limits of codes. Proving-an-address.md has the sources of the defaults.
public struct VerificationPolicy: Sendable, Hashable {
  /// The name of the message that carries the code.
  public var message = "verification"
  /// The name of the message that a notice sends, which has no code.
  public var notice = "registered"
  /// The number of digits of a code, 6 to 10.
  public var digits = 6
  /// How long a code is valid, 2 minutes to 24 hours.
  public var lifetime = Duration.seconds(600)
  /// How many codes may be entered before a verification is exhausted, 1 to 10. A resend doesn't reset the count.
  public var attempts = 5
  /// How many verifications of one recipient and purpose may be pending at once, 1 to 3. They share the attempts of one.
  /// With 1, a newer start replaces an older one.
  public var simultaneous = 1
  /// The minimum time between two mails to a recipient; may be zero.
  public var cooldown = Duration.seconds(60)
  /// The maximum number of mails of one verification.
  public var sends = 5
  /// The caps of mails to one recipient for one purpose. Setting them sets `mailbox` to twice as many.
  public var recipient = [
    RateLimit(5, per: .seconds(3_600)), RateLimit(10, per: .seconds(86_400)),
  ]
  {
    didSet { mailbox = recipient.map { RateLimit($0.count * 2, per: $0.window) } }
  }
  /// The caps of mails to one recipient for all purposes together. Spellings that reach the same mailbox count as one.
  public var mailbox = [
    RateLimit(10, per: .seconds(3_600)), RateLimit(20, per: .seconds(86_400)),
  ]
  /// The caps of starts and resends from one client's address.
  public var clientStarts = [
    RateLimit(10, per: .seconds(600)), RateLimit(50, per: .seconds(86_400)),
  ]
  /// The caps of checks from one client's address.
  public var clientChecks = [RateLimit(30, per: .seconds(300))]
  /// The maximum number of mails in 24 hours; `nil`: unlimited. Starts may use 80 % of it, resends all of it.
  public var quota: Int?
  /// How many consecutive wrong codes block a recipient and purpose, over all of its verifications.
  public var failures = 100
  /// How long such a block lasts.
  public var block = Duration.seconds(86_400)
  /// How long after the approval a proof can be redeemed.
  public var proofLifetime = Duration.seconds(900)
  /// How long a verification is kept after it has ended.
  public var retention = Duration.seconds(86_400)

  /// The default policy.
  public init() {}

  /// The part of the quota that starts may use.
  var startQuota: Int? { quota.map { $0 - $0 / 5 } }
  static let day = Duration.seconds(86_400)
  /// In this time a recipient gets at most one refund for a rejected mail, so that a dead address isn't mailed without
  /// end.
  package static let refundInterval = Duration.seconds(3_600)
  /// How long a count of wrong codes is kept after the last one.
  static let failureRetention = Duration.seconds(30 * 86_400)

  /// The longest window of all caps. Older events can be deleted.
  var longestWindow: Duration {
    (recipient + mailbox + clientStarts + clientChecks).map(\.window).reduce(
      max(cooldown, VerificationPolicy.day), max)
  }
}

/// Expires and deletes verifications and their events, for programs that run as long as the store is in use.
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

  /// Deletes all expired rows, up to `limit` of each kind in one transaction so that others can run in between. Stops
  /// early if the task is cancelled.
  public func sweep(limit: Int = 500) async throws(StorageError) {
    let sweep = policy.sweep(at: now(), limit: limit)
    while try await store.sweep(sweep), !Task.isCancelled {}
  }
}

extension VerificationPolicy {
  /// Returns the housekeeping due at `now`.
  func sweep(at now: Timestamp, limit: Int) -> VerificationSweep {
    VerificationSweep(
      now: now, ended: now - retention, events: now - longestWindow,
      refunds: now - VerificationPolicy.refundInterval,
      failures: now - VerificationPolicy.failureRetention, limit: limit)
  }
}
