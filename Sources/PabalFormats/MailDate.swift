/// The date of a mail's header (RFC 5322, section 3.3): `Thu, 29 Feb 2024 09:00:00 +0900`.
public enum MailDate {
  // Static strings, because every mail has a date.
  private static var pattern: StaticString { "www, dd mmm yyyy hh:mm:ss +zzzz" }
  fileprivate static var weekdays: StaticString { "SunMonTueWedThuFriSat" }
  fileprivate static var months: StaticString { "JanFebMarAprMayJunJulAugSepOctNovDec" }

  /// Returns the text of a moment on a clock that is `offset` seconds ahead of UTC.
  ///
  /// The moment is in the years 0 to 9999; the offset is less than a day, and its seconds are dropped.
  public static func string(millisecondsSince1970 milliseconds: Int64, offset: Int) -> String {
    let seconds = Int(milliseconds).flooredDivision(by: 1_000).quotient
    let (days, time) = (seconds + offset).flooredDivision(by: 86_400)
    let (year, month, day) = CivilDateTime.date(daysSince1970: days)
    let weekday = (days + 4).flooredDivision(by: 7).remainder
    return String(unsafeUninitializedCapacity: pattern.utf8CodeUnitCount) { text in
      for i in 0..<pattern.utf8CodeUnitCount { text[i] = pattern.utf8Start[i] }
      for i in 0..<3 {
        text[i] = weekdays.utf8Start[3 * weekday + i]
        text[8 + i] = months.utf8Start[3 * (month - 1) + i]
      }
      text.putTwoDigits(day, at: 5)
      text.putFourDigits(year, at: 12)
      text.putTwoDigits(time / 3_600, at: 17)
      text.putTwoDigits(time / 60 % 60, at: 20)
      text.putTwoDigits(time % 60, at: 23)
      text[26] = UInt8(ascii: offset < 0 ? "-" : "+")
      text.putTwoDigits(abs(offset) / 3_600, at: 27)
      text.putTwoDigits(abs(offset) / 60 % 60, at: 29)
      return pattern.utf8CodeUnitCount
    }
  }
}

/// The date of an HTTP header (RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
public enum HTTPDate {
  /// The moment in UTC; `nil` unless `text`, blanks around it dropped, has the preferred form.
  ///
  /// The two obsolete forms are not read. The name of the weekday is not compared with the date.
  public static func parse(_ text: Span<UInt8>) -> CivilDateTime? {
    var (start, end) = (0, text.count)
    while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
    while end > start, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
    guard end - start == 29 else { return nil }
    let text = text.extracting(start..<end)
    guard text.has(", ", at: 3), text.has(" ", at: 7), text.has(" ", at: 11),
      text.has(" ", at: 16), text.has(":", at: 19), text.has(":", at: 22),
      text.has(" GMT", at: 25), let day = text.number(at: 5, digits: 2),
      let month = (1...12).first(where: { text.has(name: $0 - 1, of: MailDate.months, at: 8) }),
      let year = text.number(at: 12, digits: 4), let hour = text.number(at: 17, digits: 2),
      let minute = text.number(at: 20, digits: 2), let second = text.number(at: 23, digits: 2),
      (0..<7).contains(where: { text.has(name: $0, of: MailDate.weekdays, at: 0) })
    else { return nil }
    let date = CivilDateTime(
      year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    return date.isInRange ? date : nil
  }
}

extension Span<UInt8> {
  /// Whether the three letters at `offset` are those of a name in `names`, by its number from 0.
  fileprivate func has(name: Int, of names: StaticString, at offset: Int) -> Bool {
    (0..<3).allSatisfy { self[offset + $0] == names.utf8Start[3 * name + $0] }
  }
}
