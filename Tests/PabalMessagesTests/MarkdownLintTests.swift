import PabalCore
import Testing

@testable import PabalMessages

/// What GitHub's Markdown has and CommonMark has not.
@Suite struct MarkdownLintTests {
  private static func findings(_ body: String) -> [String] {
    MessageFixture(body + "\n\n{{service}}").findings
  }

  private static func table(_ place: String) -> String {
    "test/ko.md:\(place): error: a table, which CommonMark has not; write a list, one \"- name: value\" a row"
  }

  private static func struck(_ place: String) -> String {
    "test/ko.md:\(place): error: ~~ strikes nothing out, for CommonMark has no such mark; take the words out, or write \\~~ for the signs themselves"
  }

  @Test(arguments: [
    ("| 항목 | 값 |\n|---|---|\n| 기기 | {{service}} |", "3:1"),
    ("항목 | 값\n:--- | ---:\n기기 | 값", "3:1"),
    ("| 항목 |\n| :-: |", "3:1"),
    ("말이 먼저 있고\n| **항목** | `값` |\n|---|---|", "4:1"),
    ("- | a | b |\n  |---|---|", "3:3"),
    ("> | a | b |\n> | - | - |", "3:3"),
  ])
  func `a table is told`(body: String, place: String) {
    #expect(MarkdownLintTests.findings(body) == [MarkdownLintTests.table(place)])
  }

  @Test(arguments: [
    ("~~만원~~ 오천원", "3:1"), ("값은 ~~{{service}}~~ 무료", "3:4"), ("가 ~~**나**~~ 다", "3:3"),
    ("가\n나 ~~다\n라~~", "4:3"),
    ("# ~~제목~~", "3:3"), ("\\~~ 하나, ~~둘~~", "3:9"),
  ])
  func `words struck out are told`(body: String, place: String) {
    #expect(MarkdownLintTests.findings(body) == [MarkdownLintTests.struck(place)])
  }

  @Test(arguments: [
    "가 | 나 | 다", "| 가 | 나 |", "```\n| a | b |\n|---|---|\n```", "    | a |\n    |---|", "제목 | 둘\n---",
    "`|`\n`|---|`",
    "|---|---|", "안녕하세요~~ 반갑습니다~~", "좋아요~~! 네~~", "3~5일, 7~9일", "\\~~가~~", "~~ 가 ~~", "`~~가~~`",
    "~~~\n가\n~~~",
    "가~~~나~~~",
  ])
  func `what is neither is left alone`(body: String) {
    #expect(MarkdownLintTests.findings(body).isEmpty)
  }

  @Test func `the content stands in a layout once`() {
    var fixture = MessageFixture("{{service}}")
    fixture.layout = "<!-- {{content}} --><p>{{content}}</p>\n<p>{{content}}</p>"
    #expect(fixture.findings == ["layout.html:2:4: error: {{content}} stands twice; keep one of them"])
    fixture.layout = "<!-- {{content}} --><p>{{content}}</p>"
    #expect(fixture.findings.isEmpty)
    fixture.files["ko.html"] = "<html lang=\"ko\">{{content}}{{content}}</html>"
    #expect(fixture.findings == ["test/ko.html:1:28: error: {{content}} stands twice; keep one of them"])
  }

  @Test func `content that stands in a comment alone is missing`() {
    var fixture = MessageFixture("{{service}}")
    fixture.layout = "<!-- {{content}} --><p>x</p>"
    #expect(
      fixture.findings == ["layout.html:1:1: error: there is no {{content}}; put it where the text belongs"])
  }
}
