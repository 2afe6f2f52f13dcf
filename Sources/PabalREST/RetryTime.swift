internal import PabalFormats

/// Finds in Gmail's error messages the time before which a retry is useless: `Retry after 2026-09-16T03:57:19.386Z`.
package enum RetryTime {
  /// The longest wait in seconds: a sending limit lasts up to a day (support.google.com/a/answer/166852).
  package static let maxWait = 86_400

  /// Returns the seconds from `now` (seconds since 1970) to the time in `text`, at most `maxWait`; `nil` if the text
  /// contains no future time.
  package static func seconds(in text: String, now: Int) -> Int? {
    guard let mark = text.firstRange(of: "etry after") else { return nil }
    let rest = Array(text[mark.upperBound...].utf8.drop { $0 == 0x20 })
    guard let date = try? RFC3339.parse(rest.span, .trailingText, rounding: .up) else { return nil }
    let time = Int((date.millisecondsSince1970 + 999) / 1_000)
    return time > now ? min(time - now, maxWait) : nil
  }
}
