import PabalCore
import Testing

@testable import PabalMessages

/// The particles after names in Latin letters.
@Suite struct KoreanReadingTests {
  @Test(arguments: [
    ("Google", "구글은 구글로"), ("Apple", "애플은 애플로"), ("Line", "라인은 라인으로"), ("LINE", "라인은 라인으로"),
    ("iPhone", "아이폰은 아이폰으로"),
    ("Netflix", "넷플릭스는 넷플릭스로"), ("GitHub", "깃허브는 깃허브로"), ("github", "깃허브는 깃허브로"), ("Slack", "슬랙은 슬랙으로"),
    ("Facebook", "페이스북은 페이스북으로"), ("Instagram", "인스타그램은 인스타그램으로"), ("YouTube", "유튜브는 유튜브로"),
    ("Naver", "네이버는 네이버로"), ("Kakao", "카카오는 카카오로"), ("Samsung", "삼성은 삼성으로"),
    ("Microsoft", "마이크로소프트는 마이크로소프트로"),
    ("Amazon", "아마존은 아마존으로"), ("Discord", "디스코드는 디스코드로"), ("Zoom", "줌은 줌으로"), ("Notion", "노션은 노션으로"),
    ("TikTok", "틱톡은 틱톡으로"), ("Telegram", "텔레그램은 텔레그램으로"), ("PayPal", "페이팔은 페이팔로"), ("Pabal", "파발은 파발로"),
    ("Google Mail", "메일은 메일로"), ("KakaoMap", "맵은 맵으로"), ("Naver!", "네이버는 네이버로"), ("example.com", "컴은 컴으로"),
    ("Ｌｉｎｅ", "라인은 라인으로"),
  ])
  func `a listed name is read as in Korea`(name: String, spoken: String) throws {
    let mail = try MessageFixture("{{service}}은(는) {{service}}(으)로").render(["service": .text(name)])
    func particles(_ text: String) -> [String] {
      ["은 ", "는 "].filter(text.contains) + [text.hasSuffix("으로") ? "으로" : "로"]
    }
    #expect(particles(String(mail.text.dropLast())) == particles(spoken), "\(mail.text)")
  }

  @Test func `an explicit reading takes precedence over the list`() throws {
    let mail = try MessageFixture("{{service}}은(는)").render(["service": .text("Line", reading: "리네")])
    #expect(mail.text == "Line는\n")
  }

  @Test func `more than a hundred names are listed, each once and short enough to be looked up`() {
    #expect(KoreanReadings.words.count > 150)
    #expect(
      KoreanReadings.words.allSatisfy { $0.utf8.count <= KoreanReadings.maxLength && $0.lowercased() == $0 })
  }

  private static func readings(_ name: String, body: String = "{{service}}은(는)", reading: String? = nil)
    -> [String]
  {
    var fixture = MessageFixture(body)
    fixture.siteVariables = ["service": name]
    fixture.siteVariables["service.reading"] = reading
    return fixture.findings
  }

  @Test(arguments: [
    "Foobar", "Acme", "FooBar", "ACME", "Foo 2 Bar", "Nestlé", "카카오 Foobar", "Foobar!", "Ｆｏｏｂａｒ",
  ])
  func `lint asks for the reading of a name that isn't listed`(name: String) {
    let found = Self.readings(name)
    #expect(found.count == 1 && found[0].contains("warning: messages.variables.service: "), "\(found)")
    #expect(found.first?.hasSuffix(#"add "service.reading": "…" with its reading in Hangul"#) == true)
  }

  @Test(arguments: [
    "Google", "line", "KBS", "SKT", "AB", "파발", "Foobar(푸바)", "파발(Foobar)", "Foobar 2", "Foobar 메일",
  ])
  func `lint doesn't ask where the particle is certain`(name: String) { #expect(Self.readings(name) == []) }

  @Test func `lint doesn't ask without a particle, or with a reading, but for Hangul in the reading`() {
    #expect(Self.readings("Foobar", body: "{{service}} 가입") == [])
    #expect(Self.readings("Foobar", reading: "푸바") == [])
    let found = Self.readings("Foobar", reading: "foobar")
    #expect(found.count == 1 && found[0].contains("is not in Hangul"), "\(found)")
  }

  @Test func `lint asks in message.json for the reading of a default or an example`() {
    for key in [#""example": "Foobar""#, #""example": "파발", "default": "Foobar""#] {
      var fixture = MessageFixture("{{service}}은(는)")
      fixture.json = #"{ "variables": { "service": { "for": "x", "kind": "text", \#(key) } } }"#
      let found = fixture.findings
      #expect(
        found.count == 1 && found[0].hasPrefix("test/message.json:1:18: warning: variables.service: "),
        "\(found)")
      #expect(found.first?.contains(#"add "reading": "…""#) == true)
      fixture.json = fixture.json.replacing(" } } }", with: #", "reading": "푸바" } } }"#)
      #expect(fixture.findings == [])
    }
  }

  @Test func `a name is asked for in English mail only where a Korean particle follows it`() {
    var fixture = MessageFixture("{{service}} 가입")
    fixture.files["en.md"] = "Subject: x\n\nWelcome to {{service}}.\n"
    fixture.siteVariables = ["service": "Foobar"]
    #expect(fixture.findings == [])
  }
}
