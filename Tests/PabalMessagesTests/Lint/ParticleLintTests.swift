import PabalCore
import Testing

@testable import PabalMessages

@Suite struct ParticleLintTests {
  private static func findings(_ body: String) -> [String] {
    MessageFixture(body + "\n\n{{service}}").findings
  }

  @Test(arguments: [
    ("{{service}} 은(는) 좋다", "3:13: warning: a space between {{service}} and 은(는); remove the space"),
    ("**{{service}}** 을(를)", "3:17: warning: a space between {{service}} and 을(를); remove the space"),
    ("{{service}}  이/가 온다", "3:14: warning: a space between {{service}} and 이/가; remove the space"),
    ("{{service}}\u{A0}(으)로", "3:13: warning: a space between {{service}} and (으)로; remove the space"),
    ("{{service}} (이)라고", "3:13: warning: a space between {{service}} and (이); remove the space"),
    ("{{service}} (아)야", "3:13: warning: a space between {{service}} and (아)야; remove the space"),
    ("{{service}} 이라/라", "3:13: warning: a space between {{service}} and 이라/라; remove the space"),
    ("{{service}}\n은(는) 좋다", "4:1: warning: a space between {{service}} and 은(는); remove the space"),
  ])
  func `a space between a variable and its particle is reported`(body: String, finding: String) {
    #expect(ParticleLintTests.findings(body) == ["test/ko.md:" + finding])
  }

  @Test(arguments: [
    ("{{service}}(오)로", "(오)로", "(으)로"),
    ("{{service}}은(를)", "은(를)", "은(는)"),
    ("{{service}}을/은 좋다", "을/은", "을(를)"),
    ("{{service}}이라/라 한다", "이라/라", "(이)라"),
    ("{{service}}이나(나)", "이나(나)", "(이)나"),
    ("{{service}}라고(이라고)", "라고(이라고)", "(이)라고"),
    ("**{{service}}**랑/이랑", "랑/이랑", "(이)랑"),
    ("{{service}}(가)는", "(가)는", "이(가)"),
    ("{{service}}(은) 좋다", "(은)", "은(는)"),
    ("{{service}}(이)", "(이)", "이(가)"),
  ])
  func `an unknown particle is reported, because both its forms would be mailed`(
    body: String, shown: String, write: String
  ) {
    let column = body.hasPrefix("**") ? 16 : 12
    #expect(
      ParticleLintTests.findings(body) == [
        "test/ko.md:3:\(column): warning: \(shown) after {{service}} is not a particle that Pabal knows; write \(write)"
      ])
  }

  @Test(arguments: [
    ("메일을/를 보냅니다", "3:3: warning: 을/를 after a word that never changes; write 을"),
    ("\"메일\"을(를)", "3:5: warning: 을(를) after a word that never changes; write 을"),
    ("**나무**(으)로", "3:7: warning: (으)로 after a word that never changes; write 로"),
    ("3을(를)", "3:2: warning: 을(를) after a word that never changes; write 을"),
    ("파발이에요/예요", "3:3: warning: 이에요/예요 after a word that never changes; write 이에요"),
    ("{{service}}에서은(는)", "3:14: warning: 은(는) after a word that never changes; write 는"),
    (
      "메일 을(를) 보냅니다",
      "3:4: warning: 을(를) does not follow a variable, so it is mailed as written; choose one form, or put a variable directly before it"
    ),
    (
      "은/는 좋다",
      "3:1: warning: 은/는 does not follow a variable, so it is mailed as written; choose one form, or put a variable directly before it"
    ),
    (
      "메일이라(라)",
      "3:3: warning: 이라(라) does not follow a variable, so it is mailed as written; choose one form, or put a variable directly before it"
    ),
    (
      "파발은/을 쓴다",
      "3:3: warning: 은/을 does not follow a variable, so it is mailed as written; choose one form, or put a variable directly before it"
    ),
    (
      "없(으)면",
      "3:2: warning: (으) does not follow a variable, so it is mailed as written; choose one form, or put a variable directly before it"
    ),
  ])
  func `a particle in both forms that doesn't follow a variable is reported`(body: String, finding: String) {
    #expect(ParticleLintTests.findings(body) == ["test/ko.md:" + finding])
  }

  @Test(arguments: [
    ("{{service}}(이)예요", "(이)예요", 12), ("**{{service}}**이예요(예요)", "이예요(예요)", 16),
    ("{{service}}이에요/에요", "이에요/에요", 12), ("{{service}}이예요.", "이예요", 12),
    ("{{service}}에요!", "에요", 12),
  ])
  func `a misspelled particle is reported`(body: String, written: String, column: Int) {
    #expect(
      ParticleLintTests.findings(body) == [
        "test/ko.md:3:\(column): warning: \(written) is misspelled; write (이)에요"
      ])
  }

  @Test(arguments: [
    "{{Service}}은(는)", "{{{service}}}은(는)", "**{{서비스}}**은(는)", "｛｛service｝｝은(는)", "{service}이(가)",
    "%service%을(를)", "\"[[service]]\"와(과)",
  ])
  func `a particle after a mistaken tag isn't reported, because it is right once the tag is`(body: String) {
    let found = ParticleLintTests.findings(body)
    #expect(found.count == 1 && !found[0].contains("("), "\(found)")
  }

  @Test func `a misspelled particle is mailed in the correct form`() throws {
    let fixture = MessageFixture("{{service}}(이)예요")
    #expect(try fixture.render(["service": "파발"]).text == "파발이에요\n")
    #expect(try fixture.render(["service": "카카오"]).text == "카카오예요\n")
  }

  @Test(arguments: [
    ("{{service}}이에요.", "이에요", "(이)에요"), ("{{service}}예요.", "예요", "(이)에요"),
    ("{{service}}야, 안녕", "야", "아(야)"), ("{{service}}아, 안녕", "아", "아(야)"),
    ("{{service}}라는 곳", "라는", "(이)라는"), ("{{service}}이라고 합니다", "이라고", "(이)라고"),
    ("{{service}}나 다른 곳", "나", "(이)나"), ("{{service}}이랑 함께", "이랑", "(이)랑"),
  ])
  func `a single form of 이에요 or 아 after a variable is reported`(body: String, fixed: String, both: String) {
    #expect(
      ParticleLintTests.findings(body) == [
        "test/ko.md:3:12: warning: \(fixed) after {{service}} fits only some values; write \(both)"
      ])
  }

  @Test(arguments: [
    "사과/와인과 나무", "아이/가방", "예/아니오", "`은(는)`이라고 쓴다", "\"이(가)\"", "{{service}}(님)께", "{{service}}(가)",
    "{{service}} 은하수", "{{service}}\n\n이 메일", "제니(이)", "{{service}}은(는), {{service}}(이)라",
    "{{service}}나라", "{{service}}라면", "{{service}}라는데", "{{service}} 나 혼자", "홍길동(여)", "3/4",
    "가/나/다", "종로/을지로", "<https://example.com/a/b>", "{{service}}(가입 안내)", "{{service}} (이하 회사)",
    "담당자 (이)순신", "(으)", "/", "(", "은(", "은/",
  ])
  func `text that isn't a particle isn't reported`(body: String) {
    #expect(ParticleLintTests.findings(body).isEmpty)
  }
}
