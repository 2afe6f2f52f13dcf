/// A date of the proleptic Gregorian calendar, a time of the day, and their offset from UTC.
///
/// Leap seconds are not counted: `23:59:60` is the same moment as `00:00:00` of the next day.
public struct CivilDateTime: Sendable, Hashable {
  /// The year; 0 is the year before 1. Conversion to a moment needs a year within ±100,000,000.
  public var year: Int
  /// The month, 1 to 12.
  public var month: Int
  /// The day of the month, 1 to 31.
  public var day: Int
  /// The hour, 0 to 23.
  public var hour: Int
  /// The minute, 0 to 59.
  public var minute: Int
  /// The second, 0 to 60.
  public var second: Int
  /// The millisecond, 0 to 999.
  public var millisecond: Int
  /// How far the clock is ahead of UTC, in seconds; negative west of Greenwich.
  public var offset: Int

  /// A date and time as given; nothing is checked.
  public init(
    year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, millisecond: Int = 0,
    offset: Int = 0
  ) {
    self.year = year
    self.month = month
    self.day = day
    self.hour = hour
    self.minute = minute
    self.second = second
    self.millisecond = millisecond
    self.offset = offset
  }

  /// The date and time of a moment on a clock that is `offset` seconds ahead of UTC, less than a day.
  public init(millisecondsSince1970 milliseconds: Int64, offset: Int = 0) {
    let (seconds, millisecond) = Int(milliseconds).flooredDivision(by: 1_000)
    self.init(seconds, millisecond, offset)
  }

  /// The date and time of a moment on a clock that is `offset` seconds ahead of UTC, less than a day.
  ///
  /// `seconds` is at least a day away from the ends of its type.
  public init(secondsSince1970 seconds: Int64, offset: Int = 0) { self.init(Int(seconds), 0, offset) }

  private init(_ seconds: Int, _ millisecond: Int, _ offset: Int) {
    let (days, time) = (seconds + offset).flooredDivision(by: 86_400)
    (year, month, day) = CivilDateTime.date(daysSince1970: days)
    hour = time / 3_600
    minute = time / 60 % 60
    second = time % 60
    self.millisecond = millisecond
    self.offset = offset
  }

  /// Whole seconds since 1970-01-01 00:00 UTC; milliseconds are dropped.
  public var secondsSince1970: Int64 {
    let days = CivilDateTime.daysSince1970(year: year, month: month, day: day)
    return Int64(days * 86_400 + hour * 3_600 + minute * 60 + second - offset)
  }

  /// Milliseconds since 1970-01-01 00:00 UTC.
  public var millisecondsSince1970: Int64 { secondsSince1970 * 1_000 + Int64(millisecond) }

  /// The day of the week, 0 for Sunday to 6 for Saturday.
  public var weekday: Int {
    (CivilDateTime.daysSince1970(year: year, month: month, day: day) + 4).flooredDivision(by: 7).remainder
  }

  /// Whether the date and the time exist, none of the fields being negative; the second may be 60.
  var isInRange: Bool {
    1...12 ~= month && day >= 1 && day <= CivilDateTime.daysIn(month: month, of: year) && hour < 24
      && minute < 60 && second <= 60
  }

  /// The number of days in a month, 28 to 31.
  public static func daysIn(month: Int, of year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that the leap day
  // is the last of its year, and 400 years, an era, always have 146,097 days.

  /// The days from 1970-01-01 to a date, negative before it.
  public static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
    let (era, yearOfEra) = (month > 2 ? year : year - 1).flooredDivision(by: 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  /// The date `days` after 1970-01-01, before it if negative.
  static func date(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
    let (era, dayOfEra) = (days + 719_468).flooredDivision(by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (
      yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    )
  }
}

extension Int {
  /// The quotient rounded down, and the remainder, which is never negative.
  func flooredDivision(by divisor: Int) -> (quotient: Int, remainder: Int) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}

extension Span<UInt8> {
  /// Whether `text` is at `offset`.
  func has(_ text: StaticString, at offset: Int) -> Bool {
    guard offset + text.utf8CodeUnitCount <= count else { return false }
    for i in 0..<text.utf8CodeUnitCount where self[offset + i] != text.utf8Start[i] { return false }
    return true
  }

  /// The number in exactly `digits` digits at `offset`; `nil` if one of them is another character.
  func number(at offset: Int, digits: Int) -> Int? {
    guard offset + digits <= count else { return nil }
    var number = 0
    for i in offset..<(offset + digits) {
      guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= self[i] else { return nil }
      number = number * 10 + Int(self[i] - UInt8(ascii: "0"))
    }
    return number
  }
}

extension UnsafeMutableBufferPointer<UInt8> {
  /// Writes a number of 0 to 99 as two digits.
  func putTwoDigits(_ number: Int, at offset: Int) {
    self[offset] = UInt8(truncatingIfNeeded: 0x30 + number / 10)
    self[offset + 1] = UInt8(truncatingIfNeeded: 0x30 + number % 10)
  }

  /// Writes the last four digits of a number that is not negative.
  func putFourDigits(_ number: Int, at offset: Int) {
    putTwoDigits(number / 100 % 100, at: offset)
    putTwoDigits(number % 100, at: offset + 2)
  }
}
