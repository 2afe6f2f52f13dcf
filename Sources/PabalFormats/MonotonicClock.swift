internal import Glibc

/// A clock that never goes back, for timeouts and durations.
public enum MonotonicClock {
  /// Whole milliseconds since an unspecified moment (`CLOCK_MONOTONIC`). Time in suspension is not counted.
  public static func milliseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
  }
}

/// The system's calendar clock, which may be set back.
public enum WallClock {
  /// Whole milliseconds since 1970-01-01 00:00 UTC, leap seconds not counted (`CLOCK_REALTIME`).
  public static func milliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }
}
