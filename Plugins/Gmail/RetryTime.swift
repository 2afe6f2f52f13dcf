/// When to try again, as Gmail writes it into its words: `Retry after 2026-09-16T03:57:19.386Z`.
enum RetryTime {
  /// A sending limit lasts up to a day (support.google.com/a/answer/166852).
  static let maxWait = 86_400

  /// The seconds from `now` (seconds since 1970) to the time in `text`, 1 to a day; `nil`: none, or it is past.
  static func seconds(in text: String, now: Int) -> Int? {
    guard let mark = text.firstRange(of: "etry after") else { return nil }
    guard let time = time(in: Array(text[mark.upperBound...].utf8.drop { $0 == 0x20 })) else { return nil }
    return time > now ? min(time - now, maxWait) : nil
  }

  /// RFC 3339 in seconds since 1970, a fraction rounded up.
  private static func time(in text: [UInt8]) -> Int? {
    guard text.count >= 20, text[4] == 0x2D, text[7] == 0x2D, text[10] | 0x20 == UInt8(ascii: "t"),
      text[13] == 0x3A, text[16] == 0x3A
    else { return nil }
    guard let year = number(text[0..<4]), let month = number(text[5..<7]), let day = number(text[8..<10]),
      let hour = number(text[11..<13]), let minute = number(text[14..<16]),
      let second = number(text[17..<19]),
      (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
    else { return nil }
    var rest = text[19...]
    var roundedUp = 0
    if rest.first == UInt8(ascii: ".") {
      let digits = rest.dropFirst().prefix { (0x30...0x39).contains($0) }
      guard !digits.isEmpty else { return nil }
      if digits.contains(where: { $0 != 0x30 }) { roundedUp = 1 }
      rest = rest[digits.endIndex...]
    }
    guard let zone = offset(rest) else { return nil }
    let seconds = hour * 3_600 + minute * 60 + second
    return days(year, month, day) * 86_400 + seconds + roundedUp - zone
  }

  /// Seconds east of UTC.
  private static func offset(_ text: ArraySlice<UInt8>) -> Int? {
    guard let sign = text.first else { return nil }
    if sign | 0x20 == UInt8(ascii: "z") { return 0 }
    let digits = Array(text.dropFirst().prefix(5))
    guard sign == 0x2B || sign == 0x2D, digits.count == 5, digits[2] == 0x3A,
      let hours = number(digits[0..<2]), let minutes = number(digits[3..<5]), hours < 24, minutes < 60
    else { return nil }
    return (hours * 3_600 + minutes * 60) * (sign == 0x2D ? -1 : 1)
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
    var value = 0
    for digit in digits {
      guard (0x30...0x39).contains(digit) else { return nil }
      value = value * 10 + Int(digit - 0x30)
    }
    return value
  }

  /// Days since 1970-01-01 in the Gregorian calendar: years begin in March, so that leap days end them.
  private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let year = month > 2 ? year : year - 1
    let century = year / 100
    let daysToMonth = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5
    return year * 365 + year / 4 - century + century / 4 + daysToMonth + day - 1 - 719_468
  }
}
