import Testing

@testable import PabalCore

@Suite struct LanguagePreferenceTests {
  @Test(arguments: [
    ([], []), (["ko"], ["ko"]), (["en_US"], ["en-US"]), (["ko_KR.UTF-8"], ["ko-KR"]),
    (["zh-Hant-TW"], ["zh-Hant-TW"]),
    (["en;q=0.9, ko;q=0.1"], ["en", "ko"]), (["ko;q=0.1,en;q=0.9"], ["en", "ko"]),
    (["ko;q=0.5", "en"], ["en", "ko"]),
    (["da, en-gb;q=0.8, en;q=0.7"], ["da", "en-gb", "en"]), (["en, ko"], ["en", "ko"]),
    (["en;Q=1.000 , *;q=0.5"], ["en"]),
    (["ko;q=0, en"], ["en"]), (["*"], []), ([",en,,"], ["en"]), (["kor"], ["ko"]), (["eng_US"], ["en-US"]),
    (["x-klingon"], ["x-klingon"]), ([" en "], ["en"]),
  ])
  func `tags, POSIX locales and weighted lists are read, the best first`(texts: [String], ranges: [String])
    throws
  {
    #expect(try LanguagePreference(texts).ranges == ranges)
  }

  @Test(arguments: [
    "", " ", "english", "Korean", "e", "en-", "-en", "en--US", "en US", "1en", "en;q=2", "en;q=",
    "en;q=0.1234", "en;level=1",
    "en-toolongsubtag", "한국어", "en/ko", "x", "C", "en, english",
  ])
  func `other texts aren't language tags`(text: String) {
    #expect(throws: LanguagePreference.InvalidTag.self) { try LanguagePreference([text]) }
  }

  @Test func `a language's name is answered with its tag`() {
    let error = #expect(throws: LanguagePreference.InvalidTag.self) { try LanguagePreference(["English"]) }
    #expect(error?.remedy == #"did you mean "en"?"#)
  }

  @Test func `ranges over 35 bytes are ignored, and all after the twentieth`() throws {
    #expect(try LanguagePreference([String(repeating: "a-", count: 32_500)]).ranges == [])
    #expect(try LanguagePreference(["\(String(repeating: "en-", count: 12))US", "ko"]).ranges == ["ko"])
    let many = Array(repeating: "en", count: 10_000).joined(separator: ",")
    #expect(try LanguagePreference([many, "ko"]).ranges.count == LanguagePreference.rangeLimit)
  }
}
