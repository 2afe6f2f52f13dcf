import Foundation
import PabalTesting
import Testing

@testable import PabalFormats

@Suite struct CivilDateTimeTests {
  @Test func `every day of 400 years comes back, with its weekday`() {
    var (year, month, day, weekday) = (1600, 3, 1, 3)
    let first = CivilDateTime.daysSince1970(year: 1600, month: 3, day: 1)
    #expect(first * 86_400 == -11_670_912_000)
    for number in first..<(first + 146_097) {
      let date = CivilDateTime(secondsSince1970: Int64(number) * 86_400 + 86_399)
      guard (date.year, date.month, date.day, date.weekday) == (year, month, day, weekday) else {
        Issue.record("\(date) where \(year)-\(month)-\(day) belongs")
        return
      }
      guard CivilDateTime.daysSince1970(year: year, month: month, day: day) == number else {
        Issue.record("\(year)-\(month)-\(day) is not day \(number)")
        return
      }
      day += 1
      weekday = (weekday + 1) % 7
      if day > CivilDateTime.daysIn(month: month, of: year) { (day, month) = (1, month + 1) }
      if month > 12 { (month, year) = (1, year + 1) }
    }
    #expect((year, month, day) == (2000, 3, 1))
  }

  @Test func `months have their lengths and leap years their day`() {
    #expect((1...12).map { CivilDateTime.daysIn(month: $0, of: 2026) }.reduce(0, +) == 365)
    for (year, days) in [(2000, 29), (1900, 28), (2100, 28), (2024, 29), (2026, 28), (0, 29), (1600, 29)] {
      #expect(CivilDateTime.daysIn(month: 2, of: year) == days)
    }
  }

  @Test(
    arguments: [
      (0, 0, [1970, 1, 1, 0, 0, 0, 0]), (-1, 0, [1969, 12, 31, 23, 59, 59, 999]),
      (951_782_400_999, -60, [2000, 2, 28, 23, 59, 0, 999]),
      (1_709_164_800_000, 32_400, [2024, 2, 29, 9, 0, 0, 0]),
      (-62_135_596_800_001, 0, [0, 12, 31, 23, 59, 59, 999]),
      (253_402_300_799_999, 0, [9_999, 12, 31, 23, 59, 59, 999]),
      (253_402_300_799_999, 1, [10_000, 1, 1, 0, 0, 0, 999]),
    ] as [(Int64, Int, [Int])])
  func `a moment has its date in its zone, and comes back`(milliseconds: Int64, offset: Int, fields: [Int]) {
    let date = CivilDateTime(millisecondsSince1970: milliseconds, offset: offset)
    #expect(
      [date.year, date.month, date.day, date.hour, date.minute, date.second, date.millisecond] == fields)
    #expect(date.millisecondsSince1970 == milliseconds)
    #expect(date.isInRange)
  }

  @Test func `the ends of the range have dates too`() {
    for milliseconds in [Int64.min, .max, 0] {
      #expect(CivilDateTime(millisecondsSince1970: milliseconds).isInRange)
      #expect(!RFC3339.string(millisecondsSince1970: milliseconds).isEmpty)
    }
    #expect(CivilDateTime(millisecondsSince1970: .max).year == 292_278_994)
  }
}

@Suite struct RFC3339Tests {
  private static func milliseconds(_ text: String, _ leniency: RFC3339.Leniency = []) -> Int64? {
    (try? RFC3339.parse(text, leniency))?.millisecondsSince1970
  }

  @Test(arguments: [
    ("2026-11-23T04:05:06Z", 0), ("2026-11-23T04:05:06.123456Z", 123), ("2026-11-23T04:05:06", 0),
    ("2026-11-23T04:05:06.9", 900), ("2026-11-23T04:05:06.123456789Z", 123), ("2026-11-23T13:05:06+09:00", 0),
    ("2026-11-22T23:05:06.5-05:00", 500), ("2026-11-23 04:05:06z", 0), ("2026-11-23t04:05:05.999Z", -1),
    ("2026-11-23T04:04:66Z", nil), ("2026-11-23T04:05:06-00:00", 0),
  ])
  func `dates are read as google-auth and others write them`(text: String, milliseconds: Int64?) {
    let time = Self.milliseconds(text, [.space, .missingOffset])
    #expect(time == milliseconds.map { 1_795_406_706_000 + $0 })
  }

  // Checked with Python's datetime.
  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("2000-02-29T12:30:00Z", 951_827_400), ("1969-12-31T23:59:59Z", -1),
    ("2026-08-01T00:00:00+09:00", 1_785_510_000), ("0001-01-01T00:00:00Z", -62_135_596_800),
    ("9999-12-31T23:59:59Z", 253_402_300_799), ("2100-03-01T00:00:00Z", 4_107_542_400),
    ("1900-02-28T23:59:59.999Z", -2_203_891_201), ("2000-02-29T00:00:00Z", 951_782_400),
    ("2026-09-16T03:57:19Z", 1_789_531_039), ("1999-12-31T23:59:59Z", 946_684_799),
    ("2016-12-31T23:59:60Z", 1_483_228_800), ("2026-01-02T15:24:00+23:59", 1_767_281_100),
    ("2024-02-29T23:59:59+09:00", 1_709_218_799), ("0000-02-29T00:00:00Z", -62_162_121_600),
  ])
  func `moments are counted right`(text: String, seconds: Int64) throws {
    #expect(try RFC3339.parse(text).secondsSince1970 == seconds)
  }

  @Test func `the fields are those of the text`() throws {
    let date = try RFC3339.parse("2024-02-29T23:59:60.25+05:45")
    #expect(
      date
        == CivilDateTime(
          year: 2024, month: 2, day: 29, hour: 23, minute: 59, second: 60, millisecond: 250, offset: 20_700))
    #expect(try RFC3339.parse("2026-01-02T09:00:00-03:30").offset == -12_600)
  }

  @Test(arguments: [
    "", "x", "2026", "2026-11-23", "2026-01-02T00:00:00+9:00", "2026-01-02T00:00:00Zx",
    "2026-01-02T00:00:00.Z",
    "26-01-02T00:00:00Z", "2026-11-23T04:05:06.Z", "2026-11-23T04:05:06+", "2026-11-23T04:05:06+0900",
    "2026-11-23T04:05:06 Z", "+026-11-23T04:05:06Z", "2026-1-23T04:05:06Z", "2026-11-23T04:05Z",
    "2026-11-23T04:05:06,5Z", "２026-11-23T04:05:06Z", "2026-11-23T04:05:06\0", "2026-11-23T-4:05:06Z",
    "2026-13-02T00:00:00Z", "2026-00-02T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-32T00:00:00Z",
    "2026-01-00T00:00:00Z", "2026-04-31T00:00:00Z", "1900-02-29T00:00:00Z", "2026-01-02T24:00:00Z",
    "2026-01-02T00:60:00Z", "2026-01-02T00:00:61Z", "2026-11-23T04:05:06+24:00", "2026-11-23T04:05:06+00:60",
  ])
  func `what is not a date is refused however lenient`(text: String) {
    #expect(Self.milliseconds(text) == nil)
    #expect(Self.milliseconds(text, [.space, .missingOffset]) == nil)
  }

  @Test func `each leniency stands alone`() {
    #expect(Self.milliseconds("1970-01-01 00:00:01Z") == nil)
    #expect(Self.milliseconds("1970-01-01 00:00:01Z", .space) == 1_000)
    #expect(Self.milliseconds("1970-01-01T00:00:01") == nil)
    #expect(Self.milliseconds("1970-01-01T00:00:01", .missingOffset) == 1_000)
    #expect(Self.milliseconds("1970-01-01T00:00:01Z.") == nil)
    #expect(Self.milliseconds("1970-01-01T00:00:01Z, later", .trailingText) == 1_000)
    #expect(Self.milliseconds("1970-01-01T09:00:01+09:00.", .trailingText) == 1_000)
    #expect(Self.milliseconds("1970-01-01T00:00:01", .trailingText) == nil)
  }

  @Test func `errors have a position, or say that the date does not exist`() {
    #expect(throws: RFC3339Error.syntax(offset: 10)) { try RFC3339.parse("2026-01-02 00:00:00Z") }
    #expect(throws: RFC3339Error.syntax(offset: 19)) { try RFC3339.parse("2026-01-02T00:00:00") }
    #expect(throws: RFC3339Error.outOfRange) { try RFC3339.parse("2026-02-30T00:00:00Z") }
  }

  @Test func `what is below a millisecond is dropped, or rounded up as Gmail's waits need`() throws {
    func up(_ text: String) throws -> Int64 {
      try RFC3339.parse(text, rounding: .up).millisecondsSince1970
    }
    #expect(try up("1970-01-01T00:00:00.0009Z") == 1)
    #expect(try up("1970-01-01T00:00:00.0010000Z") == 1)
    #expect(try up("1970-01-01T00:00:00.00100001Z") == 2)
    #expect(try up("1970-01-01T00:00:00.9999Z") == 1_000)
    #expect(try up("1970-01-01T00:00:00.000Z") == 0)
    #expect(Self.milliseconds("1970-01-01T00:00:00.9999Z") == 999)
    #expect(Self.milliseconds("1970-01-01T00:00:00.\(String(repeating: "9", count: 100_000))Z") == 999)
  }

  // The time in Gmail's words, as the plugin reads it: in seconds, rounded up, anything after it.
  @Test(
    arguments: [
      ("1970-01-01T00:17:00Z", 1_020), ("1970-01-01T00:16:40.001Z", 1_001),
      ("1970-01-01T09:17:00+09:00", 1_020),
      ("1970-01-01T00:17:00.000Z.", 1_020), ("1970-01-01T00:16:40Z", 1_000), ("soon", nil),
      ("1970-13-01T00:17:00Z", nil), ("1970-01-01T00:17:00", nil), ("1970-01-01 00:17:00Z", nil), ("", nil),
      ("9999-12-31T23:59:59Z", 253_402_300_799), ("1970-01-01T00:17:00.Z", nil),
    ] as [(String, Int64?)])
  func `the time in Gmail's words is read`(text: String, seconds: Int64?) {
    let date = try? RFC3339.parse(text, .trailingText, rounding: .up)
    #expect(date.map { ($0.millisecondsSince1970 + 999) / 1_000 } == seconds)
  }

  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (999, "1970-01-01T00:00:00Z"),
      (1_795_406_706_789, "2026-11-23T04:05:06Z"), (-62_135_596_800_000, "0001-01-01T00:00:00Z"),
      (-62_167_219_200_000, "0000-01-01T00:00:00Z"), (253_402_300_800_000, "10000-01-01T00:00:00Z"),
    ] as [(Int64, String)])
  func `a moment is written in UTC to the second below`(milliseconds: Int64, text: String) {
    #expect(RFC3339.string(millisecondsSince1970: milliseconds) == text)
  }

  @Test func `dates agree with Python's over four centuries`() throws {
    let script = """
      import datetime, random
      random.seed(5)
      for _ in range(2000):
          t = random.randrange(-2208988800, 10413792000)
          print(t, (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=t)).isoformat() + "Z")
      """
    let lines = try ChildProcess.run("python3", ["-c", script]).output.split(separator: "\n")
    #expect(lines.count == 2_000)
    for line in lines {
      let parts = line.split(separator: " ")
      let seconds = try #require(Int64(parts[0]))
      #expect(RFC3339.string(millisecondsSince1970: seconds * 1_000) == parts[1])
      #expect(try RFC3339.parse(String(parts[1])).secondsSince1970 == seconds)
    }
  }
}

@Suite struct MailDateTests {
  @Test(
    arguments: [
      (0, 0, "Thu, 01 Jan 1970 00:00:00 +0000"), (-1, 0, "Wed, 31 Dec 1969 23:59:59 +0000"),
      (951_782_400_000, 0, "Tue, 29 Feb 2000 00:00:00 +0000"),
      (951_782_400_999, -1, "Mon, 28 Feb 2000 23:59:00 -0001"),
      (1_709_164_800_000, 540, "Thu, 29 Feb 2024 09:00:00 +0900"),
      (1_709_164_800_000, -210, "Wed, 28 Feb 2024 20:30:00 -0330"),
      (1_767_225_599_000, 345, "Thu, 01 Jan 2026 05:44:59 +0545"),
      (4_102_444_800_000, 0, "Fri, 01 Jan 2100 00:00:00 +0000"),
      (4_107_542_399_000, 1, "Mon, 01 Mar 2100 00:00:59 +0001"),
      (0, 1_439, "Thu, 01 Jan 1970 23:59:00 +2359"), (0, -1_439, "Wed, 31 Dec 1969 00:01:00 -2359"),
    ] as [(Int64, Int, String)])
  func `a date is that of RFC 5322`(milliseconds: Int64, minutes: Int, date: String) {
    #expect(MailDate.string(millisecondsSince1970: milliseconds, offset: minutes * 60) == date)
  }

  @Test func `an HTTP date is read back from its own form`() {
    for day in stride(from: Int64(-719_528), to: 2_932_896, by: 37) {
      let milliseconds = day * 86_400_000 + 45_296_000
      let mail = MailDate.string(millisecondsSince1970: milliseconds, offset: 0)
      let text = mail.dropLast(5) + "GMT"
      guard HTTPDate.parse(String(text).utf8Span.span)?.millisecondsSince1970 == milliseconds else {
        Issue.record("\(text)")
        return
      }
    }
    #expect(
      HTTPDate.parse(" Sun, 06 Nov 1994 08:49:37 GMT \t".utf8Span.span)?.secondsSince1970 == 784_111_777)
  }

  @Test(arguments: [
    "", "GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMTx", "sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 +000",
  ])
  func `other forms are not HTTP dates`(text: String) {
    #expect(HTTPDate.parse(text.utf8Span.span) == nil)
  }
}

@Suite struct MonotonicClockTests {
  @Test func `one clock never goes back and the other is the calendar's`() {
    let first = MonotonicClock.milliseconds()
    #expect(first > 0)
    #expect((0..<1_000).allSatisfy { _ in MonotonicClock.milliseconds() >= first })
    let now = Date().timeIntervalSince1970 * 1_000
    #expect(abs(Double(WallClock.milliseconds()) - now) < 5_000)
  }
}
