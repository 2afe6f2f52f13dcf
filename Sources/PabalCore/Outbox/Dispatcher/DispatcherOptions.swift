/// When a dispatcher retries mail, when it suspends transports, and how much it does at once.
public struct DispatcherOptions: Sendable {
  /// When failed attempts on one mail are repeated.
  public struct RetryPolicy: Sendable {
    /// The wait after the first attempt.
    public var initialDelay: Duration
    /// The factor by which each wait is longer than the one before.
    public var factor: Double
    /// The longest wait, before jitter.
    public var maxDelay: Duration
    /// The number of retries after which the mail expires.
    public var maxRetries: Int
    /// The age at which a mail expires after a failed attempt.
    public var maxAge: Duration

    /// The longest wait, with jitter.
    var longestWait: Duration { maxDelay * 1.2 }

    /// Returns the wait after attempt number `attempt`.
    ///
    /// `jitter`, in 0..<1, spreads it by up to a fifth up or down, so that mails that failed together are not
    /// retried together.
    func wait(after attempt: Int, jitter: Double) -> Duration {
      var wait = initialDelay
      for _ in 1..<max(2, min(attempt, 64)) where attempt > 1 {
        if wait >= maxDelay { break }
        wait = wait * factor
      }
      return min(wait, maxDelay) * (0.8 + 0.4 * jitter)
    }
  }

  /// How many attempts run at once. One of them is reserved for codes.
  public var maxConcurrentAttempts = 8
  /// How long a claim lasts. The process renews it while the mail is in flight.
  public var leaseDuration: Duration = .seconds(60)
  /// How often maintenance runs, and so the longest time until mail that another process added is noticed.
  public var pollInterval: Duration = .seconds(1)
  /// How long mail in a final state is kept: a day, as GOV.UK Notify does.
  public var retention: Duration = .seconds(86_400)
  /// The paces by transport name. Other transports send without limit.
  public var paces: [String: Pace] = [:]
  /// The retries of codes: five, as Ory Kratos makes, after 5, 15, 45, 135 and 300 seconds.
  public var codeRetry = RetryPolicy(
    initialDelay: .seconds(5), factor: 3, maxDelay: .seconds(300), maxRetries: 5, maxAge: .seconds(86_400))
  /// The retries of other mail: after one minute up to two hours, for five days (RFC 5321, 4.5.4.1: 4 to 5 days).
  public var otherRetry = RetryPolicy(
    initialDelay: .seconds(60), factor: 2, maxDelay: .seconds(7_200), maxRetries: .max,
    maxAge: .seconds(432_000))
  /// The retries of a mail that is held by itself. It waits until the account or configuration is fixed.
  public var heldRetry = RetryPolicy(
    initialDelay: .seconds(300), factor: 2, maxDelay: .seconds(3_600), maxRetries: .max,
    maxAge: .seconds(432_000))
  /// How many attempts may end `unknown`, or in the death of the process, for a mail with `UnknownPolicy.resend`.
  public var maxUnknownAttempts = DispatcherOptions.maxUnknownAttempts
  /// The default: three.
  package static let maxUnknownAttempts = 3
  /// The number of failures in a row after which a transport is paused.
  public var breakerThreshold = 5
  /// How long that pause is at first and at most. It doubles with each further failure.
  public var breakerDelay: ClosedRange<Duration> = .seconds(30)...(.seconds(600))
  /// How long a held transport waits for its probe at first and at most. It doubles with each further failure.
  public var suspensionDelay: ClosedRange<Duration> = .seconds(60)...(.seconds(900))
  /// How long an attempt waits for its transport's pace before the mail returns to the queue.
  public var paceWaitLimit: Duration = .seconds(1)
  /// The same for a mail that a caller waits for.
  public var interactivePaceWaitLimit: Duration = .seconds(10)
  /// The wait for a transport's pace above which mail takes the next transport that has a send sooner.
  ///
  /// Gmail's pace of 60 a minute never causes a wait that long.
  public var failoverDelay: Duration = .seconds(10)
  /// How often a settlement that a caller waits for is tried, one second apart.
  public var maxSettlementTries = 5
  /// How the senders of submitted mail are informed.
  public var reports = DeliveryReportOptions()
  /// How long a code waits before `DispatcherEvent.codesDelayed` is reported.
  public var codeAlertDelay: Duration = .seconds(30)

  /// The defaults.
  public init() {}

  /// Returns the retries of mail of `lane`.
  func retryPolicy(_ lane: Lane) -> RetryPolicy { lane == .code ? codeRetry : otherRetry }
}

extension Dispatcher {
  /// The clock and randomness that a dispatcher uses; replaced in tests.
  public struct Dependencies: Sendable {
    /// Returns the current time.
    public var now: @Sendable () -> Timestamp
    /// Returns after the duration, or when the task is cancelled.
    public var sleep: @Sendable (Duration) async -> Void
    /// Returns a random number in 0..<1.
    public var jitter: @Sendable () -> Double
    /// Returns an instant of a monotonic clock, which times attempts.
    public var instant: @Sendable () -> ContinuousClock.Instant
    /// The addresses that get no bulk mail; `nil`: none.
    public var suppression: SuppressionList?
    /// Returns the identity of a report.
    package var identity: @Sendable () -> MailIdentity = MailIdentity.now
    /// Returns the trace of a mail that was sent, by the id that the next hop gave it; `nil`: bounces aren't read.
    public var trace: (@Sendable (_ mail: Mail, _ remoteID: String?) -> OutboxTrace?)?

    /// The system's clocks and random numbers, unless others are given.
    public init(
      now: @escaping @Sendable () -> Timestamp = Timestamp.now,
      sleep: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) },
      jitter: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) },
      instant: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
    ) {
      self.now = now
      self.sleep = sleep
      self.jitter = jitter
      self.instant = instant
    }
  }
}
