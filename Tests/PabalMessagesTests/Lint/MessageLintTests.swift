import PabalCore
import Testing

@testable import PabalMessages

@Suite struct MessageLintTests {
  private static func findings(_ file: String) -> [String] {
    var fixture = MessageFixture("")
    fixture.files["ko.md"] = file
    fixture.json = MessageFixture.json([
      ("service", "text", "파발"), ("link", "url", "https://example.com"), ("wait", "duration", "10m"),
    ])
    // Unused variables are another test's matter.
    return fixture.findings.filter { !$0.contains("no language uses") }
  }

  @Test(arguments: [
    (
      "Subject: x\n\n가 {{servcie}} 나",
      "test/ko.md:3:3: error: {{servcie}} is not declared in message.json; did you mean {{service}}?"
    ),
    (
      "Subject: {{other}}\n\n가",
      "test/ko.md:1:10: error: {{other}} is not declared in message.json; declare it there, or use one of {{service}}, {{link}}, {{wait}}"
    ),
    (
      "Subject: x\n\n{{#if x}}가",
      "test/ko.md:3:1: error: {{#if x}} can't be a variable; write {{name}} with a name from message.json, in small letters a to z, digits and _"
    ),
    (
      "Subject: x\n\n{{{service}}}",
      "test/ko.md:3:1: error: {{{service}} can't be a variable; write {{name}} with a name from message.json, in small letters a to z, digits and _"
    ),
    (
      "Subject: x\n\n가 {{service",
      "test/ko.md:3:3: error: {{ is never closed; write {{name}}, on one line"
    ),
    (
      "Subject: x\n\n{{service\n가",
      "test/ko.md:3:1: error: {{ is never closed; write {{name}}, on one line"
    ),
    (
      "Subject: x\n\n{{}}",
      "test/ko.md:3:1: error: {{}} can't be a variable; write {{name}} with a name from message.json, in small letters a to z, digits and _"
    ),
    (
      "Subject: x\n\n{{Service}}",
      "test/ko.md:3:1: error: {{Service}} can't be a variable; write {{name}} with a name from message.json, in small letters a to z, digits and _"
    ),
    (
      "Subject: x\n\n가}} 나",
      "test/ko.md:3:2: error: }} closes nothing; write {{ before the name, or take it out"
    ),
    (
      "Subject: x\n\n{% if x %}",
      "test/ko.md:3:1: error: {% does nothing in a message; variables are written {{name}}; take it out"
    ),
    (
      "Subject: x\n\n가 {service}",
      "test/ko.md:3:3: warning: {service} is no tag; write {{service}}"
    ),
    (
      "Subject: x\n\n가 <b>굵게</b>\n",
      "test/ko.md:3:3: error: <b> is HTML, which is left out of a .md file; write **bold**, [words](https://…) or plain words; a page by hand goes into ko.html"
    ),
    (
      "Subject: x\n\n가\n\n<div>\n굵게\n</div>\n",
      "test/ko.md:5:1: error: <div> is HTML, which is left out of a .md file; write **bold**, [words](https://…) or plain words; a page by hand goes into ko.html"
    ),
    (
      "Subject: x\n\n가 **\"나\"**는",
      "test/ko.md:3:3: error: ** would be shown as two stars and makes nothing bold; put quotes and brackets outside of the stars, \"**words**\", and no blank just inside"
    ),
    (
      "Subject: x\n\n첫 줄 {{service}} **굵게**\n둘째 ** 줄",
      "test/ko.md:4:4: error: ** would be shown as two stars and makes nothing bold; put quotes and brackets outside of the stars, \"**words**\", and no blank just inside"
    ),
    (
      "Subject: x\n\n- 첫 줄\n\n  {{service}} **(나)**를",
      "test/ko.md:5:15: error: ** would be shown as two stars and makes nothing bold; put quotes and brackets outside of the stars, \"**words**\", and no blank just inside"
    ),
    (
      "Subject: **x**\n\n가",
      "test/ko.md:1:10: error: ** in a header line, which is plain text; take it out"
    ),
    (
      "Subject: x\n\n{{service}} [말](/here)",
      "test/ko.md:3:13: error: a link without a whole address; begin it with https:// or http:// or mailto:, or with a variable of kind \"url\""
    ),
    (
      "Subject: x\n\n[말](javascript:alert)",
      "test/ko.md:3:1: error: a link without a whole address; begin it with https:// or http:// or mailto:, or with a variable of kind \"url\""
    ),
    (
      "Subject: x\n\n[말]({{service}})",
      "test/ko.md:3:1: error: a link without a whole address; begin it with https:// or http:// or mailto:, or with a variable of kind \"url\""
    ),
    (
      "Subject: x\n\n![](https://example.com/a.png)",
      "test/ko.md:3:1: warning: an image without words; say what it shows: ![words](…)"
    ),
    (
      "Subject: x\n\n![그림](mailto:a@example.com)",
      "test/ko.md:3:1: error: an image without a whole address; begin it with https:// or http://, or with a variable of kind \"url\""
    ),
    (
      "Subject: x\n\n메일을(를) 보냅니다",
      "test/ko.md:3:3: warning: 을(를) after a word that is always the same; write 을"
    ),
    (
      "Subject: 봉수이(가)\n\n가",
      "test/ko.md:1:12: warning: 이(가) after a word that is always the same; write 가"
    ),
    (
      "Subject: x\n\n{{service}}은 빠릅니다",
      "test/ko.md:3:12: warning: 은 after {{service}} is right for some values only; write 은(는)"
    ),
    (
      "Subject: x\n\n**{{service}}**으로.",
      "test/ko.md:3:16: warning: 으로 after {{service}} is right for some values only; write (으)로"
    ),
    (
      "Subject: x\n\n가 &#xE000; 나",
      "test/ko.md:3:3: error: a private-use character, which no mail program can be relied on to show; use another character"
    ),
    (
      "Subject: x\n\n가 &#57345; 나",
      "test/ko.md:3:3: error: a private-use character, which no mail program can be relied on to show; use another character"
    ),
    (
      "Subject: x\n\n가\u{E000}",
      "test/ko.md:3:2: error: the private-use character U+E000, which no mail program can be relied on to show; use another character"
    ),
    (
      "Subject: x\n\n가\0",
      "test/ko.md:3:2: error: the invisible character U+0000; take it out"
    ),
    (
      "Subject: x\n\n가\u{1B}[0m",
      "test/ko.md:3:2: error: the invisible character U+001B; take it out"
    ),
    (
      "Subjet: x\n\n가",
      "test/ko.md:1:1: error: Subjet: is no header line of a message; did you mean Subject:?"
    ),
    (
      "Subject: x\nFrom: y\n\n가",
      "test/ko.md:2:1: error: From: is no header line of a message; Subject: and Preview: are"
    ),
    (
      "Subject: x\nSubject: y\n\n가",
      "test/ko.md:2:1: error: Subject: stands twice; keep one of them"
    ),
    (
      "Subject: \n\n가",
      "test/ko.md:1:1: error: Subject: is empty; write it, or take the line out"
    ),
    (
      "Preview: x\n\n가",
      "test/ko.md:1:1: error: there is no Subject:; begin the file with Subject: and what the mail is about"
    ),
    (
      "Subject: x\n본문이 바로 옵니다",
      "test/ko.md:2:1: error: the text begins without a blank line before it; put a blank line between Subject: or Preview: and the text"
    ),
    (
      "Subject: x\n\n",
      "test/ko.md:3:1: error: there is no text; write the text after a blank line"
    ),
    (
      "Subject: \(String(repeating: "가", count: 61))\n\n가",
      "test/ko.md:1:1: warning: the subject has 61 characters with the examples in it, and phones show about 40; keep it to 60"
    ),
  ])
  func `each mistake is told with its place and its cure`(file: String, finding: String) {
    #expect(MessageLintTests.findings(file) == [finding])
  }

  @Test(arguments: [
    "Subject: x\n\n\\*\\* 별표 **굵게**", "Subject: x\n\n**굵게** \\*\\*", "Subject: x\n\n2 * 3 * 4",
    "Subject: x\n\n`**`", "Subject: x\n\n{ {x} }",
    "Subject: x\n\n{{service}}은하수", "Subject: x\n\n{{service}}이 메일", "Subject: x\n\n\"이(가)\" 뭐죠? (이)라",
    "Subject: x\n\n[말](https://example.com/{{service}})", "Subject: x\n\n[말]({{link}}/x)",
    "Subject: x\n\n<https://a.example>",
    "Subject: x\n\n- a\n  - b", "Subject: \(String(repeating: "가", count: 60))\n\n가", "Subject: x\n\n<주의> 말",
  ])
  func `what is right is left alone`(file: String) {
    // 이 after a variable is flagged wherever it ends a word.
    let expected = file.contains("이 메일") ? 1 : 0
    #expect(MessageLintTests.findings(file).count == expected)
  }

  @Test func `all mistakes of all files come at once`() {
    var fixture = MessageFixture("")
    fixture.files["ko.md"] = "Subjet: x\n\n{{a}} {{b}} <i>x</i>"
    fixture.files["en.md"] = "Subject: x\n\n{{c}} **\"y\"**z"
    fixture.json = #"{"lane": "cod", "variables": {"service": {"kind": "txt"}}, "x": 1}"#
    let findings = fixture.findings
    for part in [
      "Subjet", "{{a}}", "{{b}}", "is HTML", "{{c}}", "** would", "'cod'", "'txt'", "x: unknown key",
    ] {
      #expect(findings.contains { $0.contains(part) }, "\(part) in \(findings)")
    }
  }

  @Test func `text that is no UTF-8 is told with its place`() {
    let error = #expect(throws: Diagnostics.self) {
      try SourceText(Array("Subject: x\n\n가".utf8) + [0xFF, 0x41], file: "ko.md")
    }
    #expect(
      error?.description
        == "ko.md:3:2: error: from here on it is not UTF-8; save the file again with the encoding UTF-8")
  }

  @Test func `HTML larger than Gmail shows is told`() {
    let fixture = MessageFixture("{{service}}\n\n" + String(repeating: "가나다라 ", count: 9000))
    #expect(fixture.findings.count == 1)
    #expect(fixture.findings[0].contains("Gmail cuts it off after 104448"))
  }

  @Test func `nesting without end is refused`() {
    #expect(
      MessageLintTests.findings("Subject: x\n\n" + String(repeating: "> ", count: 200) + "가")
        == ["test/ko.md:3:1: error: nested deeper than 32 levels; take some out"])
  }
}

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
