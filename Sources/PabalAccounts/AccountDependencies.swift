internal import Glibc
public import PabalCore

/// The clock, sleep and randomness that accounts use; tests substitute their own.
public struct AccountDependencies: Sendable {
  /// Returns the current time.
  public var now: @Sendable () -> Timestamp
  /// Sleeps; blocks the thread.
  public var pause: @Sendable (Duration) -> Void
  /// Returns this number of cryptographically secure random bytes.
  public var random: @Sendable (Int) -> [UInt8]
  /// Suspends the task; throws when the task is cancelled.
  public var sleep: @Sendable (Duration) async throws -> Void
  /// The account's proxy; `nil` without one.
  var proxy: AccountProxy?

  /// Creates dependencies from functions.
  public init(
    now: @escaping @Sendable () -> Timestamp, pause: @escaping @Sendable (Duration) -> Void,
    random: @escaping @Sendable (Int) -> [UInt8],
    sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) {
    self.now = now
    self.pause = pause
    self.random = random
    self.sleep = sleep
  }

  /// The system's clock and random number generator.
  public static let system = AccountDependencies(
    now: { .now() },
    pause: { duration in
      let (seconds, attoseconds) = duration.components
      var rest = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
      var left = rest
      while nanosleep(&rest, &left) != 0, errno == EINTR { rest = left }
    },
    random: { count in
      var generator = SystemRandomNumberGenerator()
      return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    })

  /// Returns `duration`, changed at random by up to a tenth.
  func jittered(_ duration: Duration) -> Duration {
    let byte = random(1).first ?? 128
    return duration * (0.9 + 0.2 * Double(byte) / 255)
  }
}
