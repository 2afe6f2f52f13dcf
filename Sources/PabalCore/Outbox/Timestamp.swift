internal import PabalFormats

/// A moment of the calendar, in milliseconds since 1970-01-01 00:00 UTC, as stores keep it.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Milliseconds since 1970-01-01 00:00 UTC, leap seconds left out.
  public let milliseconds: Int64

  /// The moment so many milliseconds after 1970-01-01 00:00 UTC.
  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  /// The present moment by the system's clock, which may be set back.
  public static func now() -> Timestamp {
    Timestamp(milliseconds: WallClock.milliseconds())
  }

  /// In UTC to the second below, as RFC 3339 has it: `2026-11-23T04:05:06Z`.
  public var text: String { RFC3339.string(millisecondsSince1970: milliseconds) }
  /// The same as `text`.
  public var description: String { text }

  /// Whole seconds since 1970-01-01 00:00 UTC, rounded down.
  public var seconds: Int64 {
    milliseconds >= 0 ? milliseconds / 1_000 : -((999 - milliseconds) / 1_000)
  }

  /// Whether the left moment is the earlier one.
  public static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.milliseconds < right.milliseconds
  }

  /// The moment `duration` later, to the millisecond below.
  public static func + (moment: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(milliseconds: moment.milliseconds + duration.wholeMilliseconds)
  }

  /// The moment `duration` earlier.
  public static func - (moment: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(milliseconds: moment.milliseconds - duration.wholeMilliseconds)
  }

  /// The time from the right moment to the left one.
  public static func - (later: Timestamp, earlier: Timestamp) -> Duration {
    .milliseconds(later.milliseconds - earlier.milliseconds)
  }
}

extension Duration {
  fileprivate var wholeMilliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
  }
}
