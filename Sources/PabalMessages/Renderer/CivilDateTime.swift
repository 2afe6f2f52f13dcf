/// A moment on a wall's calendar and clock.
struct CivilDateTime: Sendable, Hashable {
  let year: Int
  let month: Int
  let day: Int
  let hour: Int
  let minute: Int

  /// The moment `offset` seconds east of UTC.
  init(secondsSince1970: Int64, offset: Int) {
    let local = secondsSince1970 + Int64(offset)
    var days = local / 86_400
    var seconds = local % 86_400
    if seconds < 0 {
      seconds += 86_400
      days -= 1
    }
    hour = Int(seconds / 3600)
    minute = Int(seconds % 3600 / 60)

    // Howard Hinnant, chrono-Compatible Low-Level Date Algorithms, civil_from_days.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
    year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
  }

  /// The days from 1970-01-01 to a date of the Gregorian calendar.
  private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// Reads RFC 3339, `2026-01-02T15:24:00+09:00`; fractions of a second are dropped.
  static func reading(_ text: String) -> (secondsSince1970: Int64, offset: Int)? {
    let bytes = Array(text.utf8)
    func number(_ start: Int, _ count: Int) -> Int64? {
      guard start + count <= bytes.count else { return nil }
      var number: Int64 = 0
      for byte in bytes[start..<(start + count)] {
        guard (0x30...0x39).contains(byte) else { return nil }
        number = number * 10 + Int64(byte - 0x30)
      }
      return number
    }
    func matches(_ character: Unicode.Scalar, at index: Int) -> Bool {
      index < bytes.count && bytes[index] == UInt8(ascii: character)
    }
    guard let year = number(0, 4), year >= 1, matches("-", at: 4), let month = number(5, 2),
      (1...12).contains(month), matches("-", at: 7), let day = number(8, 2),
      day >= 1, day <= daysInMonth(month, of: year),
      matches("T", at: 10) || matches("t", at: 10) || matches(" ", at: 10),
      let hour = number(11, 2), hour < 24, matches(":", at: 13), let minute = number(14, 2), minute < 60,
      matches(":", at: 16), let second = number(17, 2), second <= 60
    else { return nil }

    var index = 19
    if matches(".", at: index) {
      index += 1
      guard number(index, 1) != nil else { return nil }
      while number(index, 1) != nil { index += 1 }
    }
    var offset: Int64 = 0
    if matches("Z", at: index) || matches("z", at: index) {
      index += 1
    } else {
      guard matches("+", at: index) || matches("-", at: index), let hours = number(index + 1, 2), hours < 24,
        matches(":", at: index + 3), let minutes = number(index + 4, 2), minutes < 60
      else { return nil }
      offset = (hours * 3600 + minutes * 60) * (matches("-", at: index) ? -1 : 1)
      index += 6
    }
    guard index == bytes.count else { return nil }
    let local = days(year: year, month: month, day: day) * 86_400 + hour * 3600 + minute * 60 + second
    return (local - offset, Int(offset))
  }

  private static func daysInMonth(_ month: Int64, of year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}
