import PabalFormats
import Testing

@testable import PabalMessages

@Suite struct LanguageTests {
  @Test(arguments: [
    (["ko"], "ko"), (["ko-KR"], "ko"), (["KO-kr"], "ko"), (["en-US", "ko"], "en"), (["fr", "en"], "en"),
    (["zh-Hant-TW"], "zh-hant"), (["zh-Hant-TW-x-private"], "zh-hant"), (["zh-Hans"], "ko"), (["zh"], "ko"),
    (["fr"], "ko"), ([], "ko"), (["*"], "ko"), (["*", "en"], "en"), (["-"], "ko"), ([""], "ko"),
    (["en-a-bbb"], "en"),
    (["../../etc/passwd"], "ko"), (["en\0"], "ko"), (["pt-BR"], "pt-br"), (["pt"], "ko"),
  ])
  func `the first available language is chosen, or else the default`(ranges: [String], found: String) {
    let have: Set = ["ko", "en", "zh-hant", "pt-br"]
    #expect(LanguageTag.lookUp(ranges + ["ko"]) { have.contains($0) } == found)
  }

  @Test func `ranges of more than 35 bytes and those after the first 20 cost nothing`() {
    var lookups = 0
    func lookUp(_ ranges: [String]) -> String? {
      LanguageTag.lookUp(ranges) { tag in
        lookups += 1
        return tag == "en"
      }
    }
    #expect(lookUp([String(repeating: "a-", count: 32_500), "en"]) == "en" && lookups == 1)
    #expect(lookUp(["en" + String(repeating: "-a", count: 17)]) == nil)
    #expect(lookUp(["en" + String(repeating: "-a", count: 16)]) == "en")
    lookups = 0
    #expect(lookUp([String](repeating: "fr", count: 19) + ["en"]) == "en" && lookups == 20)
    lookups = 0
    #expect(
      lookUp([String](repeating: "fr-a-b-c-d-e-f-g-h-i", count: 20_000) + ["en"]) == nil && lookups <= 400)
  }

  @Test(arguments: ["ko", "en", "KO", "ko-KR", "zh-Hant-TW", "gsw", "de-1996", "sl-rozaj-biske"])
  func `a language tag is well-formed`(tag: String) { #expect(LanguageTag.isWellFormed(tag)) }

  @Test(arguments: [
    "", "k", "README", "ko_KR", "ko-", "-ko", "ko--KR", "../ko", "ko/..", "ko.md", "ko\0", "한국",
    "ko-abcdefghi", "12",
  ])
  func `an invalid language tag is rejected`(tag: String) { #expect(!LanguageTag.isWellFormed(tag)) }

  @Test(arguments: [
    (0, "0초", "0 seconds", "0秒", "0 s"), (1, "1초", "1 second", "1秒", "1 s"),
    (59, "59초", "59 seconds", "59秒", "59 s"),
    (60, "1분", "1 minute", "1分", "1 min"), (90, "1분 30초", "1 minute 30 seconds", "1分30秒", "1 min 30 s"),
    (61, "1분 1초", "1 minute 1 second", "1分1秒", "1 min 1 s"),
    (599, "9분 59초", "9 minutes 59 seconds", "9分59秒", "9 min 59 s"),
    (600, "10분", "10 minutes", "10分", "10 min"),
    (3600, "1시간", "1 hour", "1時間", "1 h"), (5400, "1시간 30분", "1 hour 30 minutes", "1時間30分", "1 h 30 min"),
    (3660, "1시간 1분", "1 hour 1 minute", "1時間1分", "1 h 1 min"),
    (7199, "1시간 59분", "1 hour 59 minutes", "1時間59分", "1 h 59 min"),
    (86_400, "24시간", "24 hours", "24時間", "24 h"),
    (172_799, "47시간 59분", "47 hours 59 minutes", "47時間59分", "47 h 59 min"),
    (172_800, "2일", "2 days", "2日", "2 d"), (180_000, "2일 2시간", "2 days 2 hours", "2日2時間", "2 d 2 h"),
    (604_800, "7일", "7 days", "7日", "7 d"),
  ])
  func `a duration is rounded down and written in the language`(
    seconds: Int64, ko: String, en: String, ja: String, other: String
  ) {
    #expect(LanguageFormatter("ko").duration(seconds: seconds) == ko)
    #expect(LanguageFormatter("en-GB").duration(seconds: seconds) == en)
    #expect(LanguageFormatter("ja").duration(seconds: seconds) == ja)
    #expect(LanguageFormatter("fr").duration(seconds: seconds) == other)
  }

  @Test func `Chinese durations use the script of the tag`() {
    #expect(LanguageFormatter("zh").duration(seconds: 5400) == "1小时30分钟")
    #expect(LanguageFormatter("zh-TW").duration(seconds: 5400) == "1小時30分鐘")
    #expect(LanguageFormatter("zh-Hant").duration(seconds: 172_800) == "2天")
  }

  @Test(arguments: [
    ("2026-01-02T15:24:00+09:00", "오후 3:24 KST", "3:24 PM KST", "15:24 KST"),
    ("2026-01-02T00:05:59+09:00", "오전 12:05 KST", "12:05 AM KST", "00:05 KST"),
    ("2026-01-02T12:00:00Z", "오후 12:00 UTC", "12:00 PM UTC", "12:00 UTC"),
    ("2026-01-02T11:59:00-05:00", "오전 11:59 UTC-5", "11:59 AM UTC-5", "11:59 UTC-5"),
    ("2026-01-02T09:00:00+05:30", "오전 9:00 UTC+5:30", "9:00 AM UTC+5:30", "09:00 UTC+5:30"),
  ])
  func `a time is written with its zone`(written: String, ko: String, en: String, other: String) throws {
    let moment = try RFC3339.parse(written)
    func time(_ tag: String) -> String {
      LanguageFormatter(tag).time(
        secondsSince1970: moment.secondsSince1970, offset: moment.offset, showsDate: false)
    }
    #expect(time("ko") == ko)
    #expect(time("en") == en)
    #expect(time("de") == other)
  }

  @Test func `a time is written with its date on request`() throws {
    let moment = try RFC3339.parse("2024-02-29T23:59:59+09:00")
    func time(_ tag: String) -> String {
      LanguageFormatter(tag).time(
        secondsSince1970: moment.secondsSince1970, offset: moment.offset, showsDate: true)
    }
    #expect(time("ko") == "2024년 2월 29일 오후 11:59 KST")
    #expect(time("en") == "February 29, 2024, 11:59 PM KST")
    #expect(time("ja") == "2024年2月29日 23:59 JST")
    #expect(time("fr") == "2024-02-29 23:59 KST")
  }

  @Test(arguments: [
    "", "2026-01-02", "2026-13-02T00:00:00Z", "2026-00-02T00:00:00Z", "2026-02-29T00:00:00Z",
    "2026-01-32T00:00:00Z",
    "2026-01-02T24:00:00Z", "2026-01-02T00:60:00Z", "2026-01-02T00:00:00", "2026-01-02T00:00:00+9:00",
    "2026-01-02T00:00:00Zx", "0000-01-01T00:00:00Z", "2026-01-02T00:00:00.Z", "26-01-02T00:00:00Z",
  ])
  func `an invalid time is rejected`(written: String) {
    #expect(throws: InvalidValueError.self) { try VariableKind.time.validate(.text(written)) }
  }

  // Checked with Python's datetime.
  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("2000-02-29T12:30:00Z", 951_827_400), ("1969-12-31T23:59:59Z", -1),
    ("2026-08-01T00:00:00+09:00", 1_785_510_000), ("0001-01-01T00:00:00Z", -62_135_596_800),
    ("9999-12-31T23:59:59Z", 253_402_300_799), ("2100-03-01T00:00:00Z", 4_107_542_400),
    ("1900-02-28T23:59:59.999Z", -2_203_891_201),
  ])
  func `a time is converted to seconds since 1970`(written: String, seconds: Int64) throws {
    let offset = written.hasSuffix("+09:00") ? 32_400 : 0
    #expect(
      try VariableKind.time.validate(.text(written)) == .time(secondsSince1970: seconds, offset: offset))
  }

  @Test(arguments: [
    ("10", 10), ("90s", 90), ("10m", 600), ("2h", 7200), ("3d", 259_200), ("0", 0), ("0010m", 600),
  ])
  func `a duration is parsed`(written: String, seconds: Int64) throws {
    #expect(try VariableKind.duration.validate(.text(written)) == .duration(seconds: seconds))
  }

  @Test(arguments: ["x", "10 m", "-1s", "1.5h", "", "m", "99999999999999999999s", "40000d", "１０m"])
  func `an invalid duration is rejected`(written: String) {
    #expect(throws: InvalidValueError.self) { try VariableKind.duration.validate(.text(written)) }
  }

  @Test func `a value of another kind is rejected`() {
    #expect(throws: InvalidValueError.self) { try VariableKind.text.validate(.duration(.seconds(1))) }
    #expect(throws: InvalidValueError.self) {
      try VariableKind.duration.validate(.time(secondsSince1970: 0, offsetFromUTC: 0))
    }
    #expect(throws: InvalidValueError.self) {
      try VariableKind.time.validate(.time(secondsSince1970: 0, offsetFromUTC: 90_000))
    }
    #expect(throws: InvalidValueError.self) { try VariableKind.duration.validate(.duration(.seconds(-1))) }
  }
}
