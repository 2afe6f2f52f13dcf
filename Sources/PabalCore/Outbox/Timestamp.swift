internal import PabalFormats

/// A point in time, in whole milliseconds since 1970-01-01 00:00 UTC.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Milliseconds since 1970-01-01 00:00 UTC, not counting leap seconds.
  public let milliseconds: Int64

  /// The time `milliseconds` after 1970-01-01 00:00 UTC.
  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  /// Returns the current time by the system's clock, which may be set back.
  public static func now() -> Timestamp {
    Timestamp(milliseconds: WallClock.milliseconds())
  }

  /// The time in UTC, rounded down to the second, in the format of RFC 3339: `2026-11-23T04:05:06Z`.
  public var text: String { RFC3339.string(millisecondsSince1970: milliseconds) }
  /// The same as `text`.
  public var description: String { text }

  /// Whole seconds since 1970-01-01 00:00 UTC, rounded down.
  public var seconds: Int64 {
    milliseconds >= 0 ? milliseconds / 1_000 : -((999 - milliseconds) / 1_000)
  }

  /// Whether `left` is earlier than `right`.
  public static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.milliseconds < right.milliseconds
  }

  /// Returns the time `duration` later. Fractions of a millisecond are dropped.
  public static func + (moment: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(milliseconds: moment.milliseconds + duration.wholeMilliseconds)
  }

  /// Returns the time `duration` earlier.
  public static func - (moment: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(milliseconds: moment.milliseconds - duration.wholeMilliseconds)
  }

  /// Returns the duration from `earlier` to `later`.
  public static func - (later: Timestamp, earlier: Timestamp) -> Duration {
    .milliseconds(later.milliseconds - earlier.milliseconds)
  }
}

extension Duration {
  /// The duration in seconds, rounded up: a wait this long is long enough.
  public var wholeSecondsUp: Int64 {
    let (seconds, attoseconds) = components
    return attoseconds > 0 ? seconds + 1 : seconds
  }

  /// Its whole milliseconds; fractions are dropped.
  package var wholeMilliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
  }
}
