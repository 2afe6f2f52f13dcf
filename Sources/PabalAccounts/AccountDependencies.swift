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
  /// Called with what a person should see at once; on any thread.
  public var report: @Sendable (AccountEvent) -> Void

  /// Creates dependencies from functions.
  public init(
    now: @escaping @Sendable () -> Timestamp, pause: @escaping @Sendable (Duration) -> Void,
    random: @escaping @Sendable (Int) -> [UInt8],
    sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
    report: @escaping @Sendable (AccountEvent) -> Void = { _ in }
  ) {
    self.now = now
    self.pause = pause
    self.random = random
    self.sleep = sleep
    self.report = report
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

  /// Returns these dependencies with another function for events.
  public func reporting(_ report: @escaping @Sendable (AccountEvent) -> Void) -> AccountDependencies {
    var dependencies = self
    dependencies.report = report
    return dependencies
  }

  /// Returns `duration`, changed at random by up to a tenth.
  func jittered(_ duration: Duration) -> Duration {
    let byte = random(1).first ?? 128
    return duration * (0.9 + 0.2 * Double(byte) / 255)
  }
}

/// An event of an account that a person should see while it happens.
public enum AccountEvent: Sendable, Hashable {
  /// Something takes longer than usual; the text says what is waited for.
  case waiting(account: String, String)
  /// Renewed tokens can't be stored; the text says why and what to do.
  case unstored(account: String, String)
}
