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
