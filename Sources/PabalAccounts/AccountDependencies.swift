internal import Glibc
public import PabalCore

/// What an account takes from the world besides its files and the network, so that tests give their own.
public struct AccountDependencies: Sendable {
  /// The time.
  public var now: @Sendable () -> Timestamp
  /// Waits; blocks.
  public var pause: @Sendable (Duration) -> Void
  /// So many bytes that nobody can guess.
  public var random: @Sendable (Int) -> [UInt8]
  /// Waits without a thread; throws when its task is cancelled.
  public var sleep: @Sendable (Duration) async throws -> Void

  /// What an account takes from the world.
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

  /// This system's clock and randomness.
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

  /// `duration`, up to a tenth longer or shorter.
  func jittered(_ duration: Duration) -> Duration {
    let byte = random(1).first ?? 128
    return duration * (0.9 + 0.2 * Double(byte) / 255)
  }
}
