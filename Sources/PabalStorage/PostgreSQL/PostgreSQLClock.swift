internal import Glibc
internal import PabalCore
internal import Synchronization

/// The time of the server, which all nodes share: their own clocks may differ by minutes.
///
/// Now is the last time that the server said, plus what has passed since by a clock that nothing sets.
final class PostgreSQLClock: Sendable {
  private struct Reading {
    /// The server's time minus this machine's monotonic time, in milliseconds.
    var offset: Int64
    /// The monotonic time of the reading, in milliseconds.
    var at: Int64
  }

  /// How long a reading is used. Two clocks drift apart by some milliseconds in that time.
  private static let interval: Int64 = 60_000

  private let reading = Mutex<Reading?>(nil)

  /// Selects the server's time in milliseconds since 1970.
  static let statement = PostgreSQLStatement(
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")

  /// The current time by the server's clock; by this machine's until the server has been asked.
  var now: Timestamp {
    guard let offset = reading.withLock({ $0?.offset }) else { return .now() }
    return Timestamp(milliseconds: offset + Self.monotonic())
  }

  /// Whether the server has to be asked again.
  var isDue: Bool {
    let now = Self.monotonic()
    return reading.withLock { $0.map { now - $0.at >= Self.interval } ?? true }
  }

  /// Asks the server.
  func read(_ connection: PostgreSQLConnection) throws(PostgreSQLError) {
    let before = Self.monotonic()
    let time = try connection.run([Self.statement])[0].rows.first?.number(0)
    let after = Self.monotonic()
    guard let time else { throw .corrupt }
    // The server looked at its clock in between.
    reading.withLock { $0 = Reading(offset: time - (before + after) / 2, at: after) }
  }

  /// Milliseconds since the machine was started, including the time that it was suspended.
  private static func monotonic() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }
}
