/// When mail is tried again, when a transport is left alone, and how much happens at once.
public struct DispatcherOptions: Sendable {
  /// The times between attempts on one mail.
  public struct RetryPolicy: Sendable {
    /// The first wait.
    public var initialDelay: Duration
    /// By what each wait is longer than the one before.
    public var factor: Double
    /// The longest wait.
    public var maxDelay: Duration
    /// After how many retries nothing more is tried.
    public var maxRetries: Int
    /// How long after it was added nothing more is tried.
    public var maxAge: Duration

    /// The longest wait, spread.
    var longestWait: Duration { maxDelay * 1.2 }

    /// The wait after attempt number `attempt`, spread by a fifth up or down, so that mails that failed
    /// together don't come back together; `jitter` is from 0 up to 1.
    func wait(after attempt: Int, jitter: Double) -> Duration {
      var wait = initialDelay
      for _ in 1..<max(2, min(attempt, 64)) where attempt > 1 {
        if wait >= maxDelay { break }
        wait = wait * factor
      }
      return min(wait, maxDelay) * (0.8 + 0.4 * jitter)
    }
  }

  /// How many attempts run at once; one of them is for codes alone.
  public var maxConcurrentAttempts = 8
  /// How long a mail is a process's own without a word from it; extended while the process lives.
  public var leaseDuration: Duration = .seconds(60)
  /// How long another process's new mail may go unseen.
  public var pollInterval: Duration = .seconds(1)
  /// How long mail in a final state is shown: a day (reference: GOV.UK Notify deletes after one).
  public var retention: Duration = .seconds(86_400)
  /// By transport's name; the others have no pace.
  public var paces: [String: Pace] = [:]
  /// Codes: five retries (as Ory Kratos makes), after 5, 15, 45, 135 and 300 seconds.
  public var codeRetry = RetryPolicy(
    initialDelay: .seconds(5), factor: 3, maxDelay: .seconds(300), maxRetries: 5, maxAge: .seconds(86_400))
  /// Everything else: from a minute to two hours, for five days (RFC 5321, 4.5.4.1: 4 to 5 days).
  public var otherRetry = RetryPolicy(
    initialDelay: .seconds(60), factor: 2, maxDelay: .seconds(7_200), maxRetries: .max,
    maxAge: .seconds(432_000))
  /// A mail that is held by itself: until somebody mends the set-up, for as long as it takes.
  public var heldRetry = RetryPolicy(
    initialDelay: .seconds(300), factor: 2, maxDelay: .seconds(3_600), maxRetries: .max,
    maxAge: .seconds(432_000))
  /// How many attempts may end `unknown`, or kill the process, for a mail that may be sent twice.
  public var maxUnknownAttempts = DispatcherOptions.maxUnknownAttempts
  /// The usual number of them: three.
  package static let maxUnknownAttempts = 3
  /// After so many failures in a row a transport's breaker opens.
  public var breakerThreshold = 5
  /// How long it stays open at first, and at most.
  public var breakerDelay: ClosedRange<Duration> = .seconds(30)...(.seconds(600))
  /// How long a transport that is held is left alone at first, and at most.
  public var suspensionDelay: ClosedRange<Duration> = .seconds(60)...(.seconds(900))
  /// How long an attempt waits for its transport's pace before the mail is put back.
  public var paceWaitLimit: Duration = .seconds(1)
  /// The same where somebody waits for this mail alone.
  public var interactivePaceWaitLimit: Duration = .seconds(10)
  /// For how much longer a transport's pace must be spent for mail to take the next transport of the route that has
  /// a send sooner; Gmail's 60 a minute are never spent for so long, however many codes leave.
  public var failoverDelay: Duration = .seconds(10)
  /// How often a settlement is tried, a second apart, by a process that can't wait for ever.
  public var maxSettlementTries = 5
  /// How long a code waits before somebody is told.
  public var codeAlertDelay: Duration = .seconds(30)

  /// The usual rules.
  public init() {}

  func retryPolicy(_ lane: Lane) -> RetryPolicy { lane == .code ? codeRetry : otherRetry }
}

extension Dispatcher {
  /// What a dispatcher gets from the world; replaced in tests.
  public struct Dependencies: Sendable {
    /// The present moment.
    public var now: @Sendable () -> Timestamp
    /// Returns after so long, or when the task is cancelled.
    public var sleep: @Sendable (Duration) async -> Void
    /// A number from 0 up to 1.
    public var jitter: @Sendable () -> Double
    /// Times attempts.
    public var instant: @Sendable () -> ContinuousClock.Instant

    /// The system's clock and chance.
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
