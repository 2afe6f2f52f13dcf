internal import Glibc

/// A moment, to the millisecond; leap seconds don't count.
public struct UTCTime: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Milliseconds since 1970-01-01T00:00:00Z.
  public var milliseconds: Int64

  /// A moment.
  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  /// The system's time.
  public static var now: UTCTime {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UTCTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }

  /// Orders moments from the earlier to the later.
  public static func < (a: UTCTime, b: UTCTime) -> Bool { a.milliseconds < b.milliseconds }

  /// The moment a duration later, its fraction of a millisecond dropped.
  public static func + (time: UTCTime, duration: Duration) -> UTCTime {
    let (seconds, attoseconds) = duration.components
    return UTCTime(milliseconds: time.milliseconds + seconds * 1000 + attoseconds / 1_000_000_000_000_000)
  }

  /// How long after `other` it is; negative when it is before.
  public static func - (time: UTCTime, other: UTCTime) -> Duration {
    .milliseconds(time.milliseconds - other.milliseconds)
  }

  /// Whole seconds since 1970.
  public var seconds: Int64 {
    milliseconds >= 0 ? milliseconds / 1000 : -((999 - milliseconds) / 1000)
  }

  /// `2026-11-23T04:05:06Z`, fractions dropped: the form that google-auth reads back as UTC.
  public var description: String {
    let days = seconds >= 0 ? seconds / 86_400 : -((86_399 - seconds) / 86_400)
    let rest = seconds - days * 86_400
    let (year, month, day) = Self.date(ofDay: days)
    func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let digits = String(repeating: "0", count: max(0, 4 - "\(year)".count)) + "\(year)"
    return "\(digits)-\(two(month))-\(two(day))T\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))Z"
  }

  /// `2026-11-23 04:05 UTC`, for a person.
  var displayText: String {
    let text = description
    return "\(text.prefix(10))\u{A0}\(text.dropFirst(11).prefix(5))\u{A0}UTC"
  }

  /// Reads RFC 3339, or what google-auth writes: the zone may be missing and is then UTC, a fraction
  /// may have any number of digits.
  public init?(_ text: String) {
    var rest = Array(text.utf8)[...]
    func number(_ digits: Int) -> Int64? {
      guard rest.count >= digits, rest.prefix(digits).allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
      defer { rest = rest.dropFirst(digits) }
      return rest.prefix(digits).reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }
    func take(_ bytes: String) -> Bool {
      guard let first = rest.first, bytes.utf8.contains(first) else { return false }
      rest = rest.dropFirst()
      return true
    }
    guard let year = number(4), take("-"), let month = number(2), take("-"), let day = number(2),
      take("Tt "), let hour = number(2), take(":"), let minute = number(2), take(":"), let second = number(2)
    else { return nil }
    guard 1...12 ~= month, day >= 1, day <= Self.length(ofMonth: month, in: year), hour < 24, minute < 60,
      second <= 60
    else { return nil }
    var fraction: Int64 = 0
    if take(".") {
      var scale: Int64 = 100
      guard let first = rest.first, 0x30...0x39 ~= first else { return nil }
      while let digit = number(1) {
        fraction += digit * scale
        scale /= 10
      }
    }
    var offset: Int64 = 0
    if !rest.isEmpty, !take("Zz") {
      let sign: Int64 = take("+") ? 1 : -1
      guard sign == 1 || take("-"), let hours = number(2), take(":"), let minutes = number(2) else {
        return nil
      }
      offset = sign * (hours * 60 + minutes)
    }
    guard rest.isEmpty else { return nil }
    let days = Self.day(year, month, day)
    let seconds = days * 86_400 + hour * 3600 + (minute - offset) * 60 + second
    milliseconds = seconds * 1000 + fraction
  }

  /// Reads the date of an HTTP header, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
  init?(httpDate text: String) {
    let words = text.split(separator: " ").map(String.init)
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    guard words.count == 6, words[5] == "GMT", words[1].utf8.count == 2,
      let month = months.firstIndex(of: words[2])
    else { return nil }
    let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
    self.init("\(words[3])-\(number)-\(words[1])T\(words[4])Z")
  }

  private static func length(ofMonth month: Int64, in year: Int64) -> Int64 {
    let (nextYear, nextMonth) = month == 12 ? (year + 1, 1) : (year, month + 1)
    return day(nextYear, nextMonth, 1) - day(year, month, 1)
  }

  // Counted from 1 March, so that the leap day is a year's last (Hinnant, "chrono-compatible low-level
  // date algorithms").
  private static func day(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month > 2 ? year : year - 1
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = day + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * dayOfYear + 2) / 153
    let number = month < 10 ? month + 3 : month - 9
    return (yearOfEra + era * 400 + (number <= 2 ? 1 : 0), number, dayOfYear - (153 * month + 2) / 5 + 1)
  }
}
