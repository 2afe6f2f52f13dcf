internal import PabalFormats

/// When to try again, as Gmail writes it into its words: `Retry after 2026-09-16T03:57:19.386Z`.
enum RetryTime {
  /// A sending limit lasts up to a day (support.google.com/a/answer/166852).
  static let maxWait = 86_400

  /// The seconds from `now` (seconds since 1970) to the time in `text`, 1 to a day; `nil`: none, or it is past.
  static func seconds(in text: String, now: Int) -> Int? {
    guard let mark = text.firstRange(of: "etry after") else { return nil }
    let rest = Array(text[mark.upperBound...].utf8.drop { $0 == 0x20 })
    guard let date = try? RFC3339.parse(rest.span, .trailingText, rounding: .up) else { return nil }
    let time = Int((date.millisecondsSince1970 + 999) / 1_000)
    return time > now ? min(time - now, maxWait) : nil
  }
}
