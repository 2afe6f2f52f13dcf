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
    // Unused variables are tested elsewhere.
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
      "test/ko.md:3:1: error: {{#if x}} is not a valid variable; write {{name}} with a name from message.json: lower-case letters a to z, digits and _"
    ),
    (
      "Subject: x\n\n{{{service}}}",
      "test/ko.md:3:1: error: {{{service}}} is not a valid variable; write {{service}}"
    ),
    (
      "Subject: x\n\n가 {{service",
      "test/ko.md:3:3: error: {{ is never closed; write {{name}} on one line"
    ),
    (
      "Subject: x\n\n{{service\n가",
      "test/ko.md:3:1: error: {{ is never closed; write {{name}} on one line"
    ),
    (
      "Subject: x\n\n{{}}",
      "test/ko.md:3:1: error: {{}} is not a valid variable; write {{name}} with a name from message.json: lower-case letters a to z, digits and _"
    ),
    (
      "Subject: x\n\n{{Service}}",
      "test/ko.md:3:1: error: {{Service}} is not a valid variable; write {{service}}"
    ),
    (
      "Subject: x\n\n가}} 나",
      "test/ko.md:3:2: error: }} has no matching {{; write {{ before the name, or remove it"
    ),
    (
      "Subject: x\n\n{% if x %}",
      "test/ko.md:3:1: error: {% has no meaning in a message; write variables as {{name}}, or remove it"
    ),
    (
      "Subject: x\n\n가 {service}",
      "test/ko.md:3:3: warning: {service} is not a variable; write {{service}}"
    ),
    (
      "Subject: x\n\n가 <b>굵게</b>\n",
      "test/ko.md:3:3: error: <b> is HTML, which a .md file can't contain; write **bold**, [text](https://…) or plain text, or put hand-written HTML into ko.html"
    ),
    (
      "Subject: x\n\n가\n\n<div>\n굵게\n</div>\n",
      "test/ko.md:5:1: error: <div> is HTML, which a .md file can't contain; write **bold**, [text](https://…) or plain text, or put hand-written HTML into ko.html"
    ),
    (
      "Subject: x\n\n가 **\"나\"**는",
      "test/ko.md:3:3: error: ** would be shown as two asterisks, not as bold text; put quotation marks and brackets outside the asterisks, as in \"**words**\", with no space just inside them"
    ),
    (
      "Subject: x\n\n첫 줄 {{service}} **굵게**\n둘째 ** 줄",
      "test/ko.md:4:4: error: ** would be shown as two asterisks, not as bold text; put quotation marks and brackets outside the asterisks, as in \"**words**\", with no space just inside them"
    ),
    (
      "Subject: x\n\n- 첫 줄\n\n  {{service}} **(나)**를",
      "test/ko.md:5:15: error: ** would be shown as two asterisks, not as bold text; put quotation marks and brackets outside the asterisks, as in \"**words**\", with no space just inside them"
    ),
    (
      "Subject: **x**\n\n가",
      "test/ko.md:1:10: error: ** in a header line, which is plain text; remove it"
    ),
    (
      "Subject: x\n\n{{service}} [말](/here)",
      "test/ko.md:3:13: error: a link without a complete address; start it with https://, http:// or mailto:, or with a variable of kind \"url\""
    ),
    (
      "Subject: x\n\n[말](javascript:alert)",
      "test/ko.md:3:1: error: a link without a complete address; start it with https://, http:// or mailto:, or with a variable of kind \"url\""
    ),
    (
      "Subject: x\n\n[말]({{service}})",
      "test/ko.md:3:1: error: a link without a complete address; start it with https://, http:// or mailto:, or with a variable of kind \"url\""
    ),
    (
      "Subject: x\n\n![](https://example.com/a.png)",
      "test/ko.md:3:1: warning: an image without a description; describe it: ![description](…)"
    ),
    (
      "Subject: x\n\n![그림](mailto:a@example.com)",
      "test/ko.md:3:1: error: an image without a complete address; start it with https:// or http://, or with a variable of kind \"url\""
    ),
    (
      "Subject: x\n\n메일을(를) 보냅니다",
      "test/ko.md:3:3: warning: 을(를) after a word that never changes; write 을"
    ),
    (
      "Subject: 봉수이(가)\n\n가",
      "test/ko.md:1:12: warning: 이(가) after a word that never changes; write 가"
    ),
    (
      "Subject: x\n\n{{service}}은 빠릅니다",
      "test/ko.md:3:12: warning: 은 after {{service}} fits only some values; write 은(는)"
    ),
    (
      "Subject: x\n\n**{{service}}**으로.",
      "test/ko.md:3:16: warning: 으로 after {{service}} fits only some values; write (으)로"
    ),
    (
      "Subject: x\n\n가 &#xE000; 나",
      "test/ko.md:3:3: error: a private-use character, which mail programs may not display; use another character"
    ),
    (
      "Subject: x\n\n가 &#57345; 나",
      "test/ko.md:3:3: error: a private-use character, which mail programs may not display; use another character"
    ),
    (
      "Subject: x\n\n가\u{E000}",
      "test/ko.md:3:2: error: the private-use character U+E000, which mail programs may not display; use another character"
    ),
    (
      "Subject: x\n\n가\0",
      "test/ko.md:3:2: error: the invisible character U+0000; remove it"
    ),
    (
      "Subject: x\n\n가\u{1B}[0m",
      "test/ko.md:3:2: error: the invisible character U+001B; remove it"
    ),
    (
      "Subjet: x\n\n가",
      "test/ko.md:1:1: error: Subjet: is not a known header line; did you mean Subject:?"
    ),
    (
      "Subject: x\nFrom: y\n\n가",
      "test/ko.md:2:1: error: From: is not a known header line; use Subject: or Preview:"
    ),
    (
      "Subject: x\nSubject: y\n\n가",
      "test/ko.md:2:1: error: Subject: appears twice; keep one of them"
    ),
    (
      "Subject: \n\n가",
      "test/ko.md:1:1: error: Subject: is empty; write what the mail is about"
    ),
    (
      "Preview: x\n\n가",
      "test/ko.md:1:1: error: Subject: is missing; start the file with Subject: and what the mail is about"
    ),
    (
      "Subject: x\n본문이 바로 옵니다",
      "test/ko.md:2:1: error: the blank line before the text is missing; add it after Subject: and Preview:"
    ),
    (
      "Subject: x\n\n",
      "test/ko.md:3:1: error: the mail has no text; write it after a blank line"
    ),
    (
      "Subject: \(String(repeating: "가", count: 61))\n\n가",
      "test/ko.md:1:1: warning: the subject has 61 characters with the example values, but phones show only about 40; shorten it to at most 60"
    ),
  ])
  func `each mistake is reported with its position and remedy`(file: String, finding: String) {
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
  func `a correct message has no findings`(file: String) {
    // A single 이 after a variable is reported when it ends a word.
    let expected = file.contains("이 메일") ? 1 : 0
    #expect(MessageLintTests.findings(file).count == expected)
  }

  @Test func `all mistakes in all files are reported at once`() {
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

  @Test func `invalid UTF-8 is reported with its position`() {
    let error = #expect(throws: Diagnostics.self) {
      try SourceText(Array("Subject: x\n\n가".utf8) + [0xFF, 0x41], file: "ko.md")
    }
    #expect(
      error?.description
        == "ko.md:3:2: error: the file is not UTF-8 from here on; save it again with UTF-8 encoding")
  }

  @Test func `HTML that Gmail would cut off is reported`() {
    let fixture = MessageFixture("{{service}}\n\n" + String(repeating: "가나다라 ", count: 9000))
    #expect(fixture.findings.count == 1)
    #expect(fixture.findings[0].contains("Gmail cuts it off after 104448"))
  }

  @Test func `excessive nesting is rejected`() {
    #expect(
      MessageLintTests.findings("Subject: x\n\n" + String(repeating: "> ", count: 200) + "가")
        == [
          "test/ko.md:3:1: error: quotes, lists and emphasis are nested more than 32 levels deep; remove some levels"
        ])
  }
}

/// Tests for GitHub's Markdown extensions, which CommonMark doesn't support.
@Suite struct MarkdownLintTests {
  private static func findings(_ body: String) -> [String] {
    MessageFixture(body + "\n\n{{service}}").findings
  }

  private static func table(_ place: String) -> String {
    "test/ko.md:\(place): error: tables are not supported; write a list with one \"- name: value\" per row"
  }

  private static func struck(_ place: String) -> String {
    "test/ko.md:\(place): error: ~~ does not strike text out, because strikethrough is not supported; remove the words, or write \\~~ to show the tildes"
  }

  @Test(arguments: [
    ("| 항목 | 값 |\n|---|---|\n| 기기 | {{service}} |", "3:1"),
    ("항목 | 값\n:--- | ---:\n기기 | 값", "3:1"),
    ("| 항목 |\n| :-: |", "3:1"),
    ("말이 먼저 있고\n| **항목** | `값` |\n|---|---|", "4:1"),
    ("- | a | b |\n  |---|---|", "3:3"),
    ("> | a | b |\n> | - | - |", "3:3"),
  ])
  func `a table is reported`(body: String, place: String) {
    #expect(MarkdownLintTests.findings(body) == [MarkdownLintTests.table(place)])
  }

  @Test(arguments: [
    ("~~만원~~ 오천원", "3:1"), ("값은 ~~{{service}}~~ 무료", "3:4"), ("가 ~~**나**~~ 다", "3:3"),
    ("가\n나 ~~다\n라~~", "4:3"),
    ("# ~~제목~~", "3:3"), ("\\~~ 하나, ~~둘~~", "3:9"),
  ])
  func `strikethrough is reported`(body: String, place: String) {
    #expect(MarkdownLintTests.findings(body) == [MarkdownLintTests.struck(place)])
  }

  @Test(arguments: [
    "가 | 나 | 다", "| 가 | 나 |", "```\n| a | b |\n|---|---|\n```", "    | a |\n    |---|", "제목 | 둘\n---",
    "`|`\n`|---|`",
    "|---|---|", "안녕하세요~~ 반갑습니다~~", "좋아요~~! 네~~", "3~5일, 7~9일", "\\~~가~~", "~~ 가 ~~", "`~~가~~`",
    "~~~\n가\n~~~",
    "가~~~나~~~",
  ])
  func `text that is neither a table nor strikethrough isn't reported`(body: String) {
    let others = ["becomes a code block", "become a heading"]
    #expect(
      MarkdownLintTests.findings(body).filter { found in !others.contains { found.contains($0) } }.isEmpty)
  }

  @Test func `a layout contains the content only once`() {
    var fixture = MessageFixture("{{service}}")
    fixture.layout = "<!-- {{content}} --><p>{{content}}</p>\n<p>{{content}}</p>"
    #expect(fixture.findings == ["layout.html:2:4: error: {{content}} is used twice; remove one of them"])
    fixture.layout = "<!-- {{content}} --><p>{{content}}</p>"
    #expect(fixture.findings.isEmpty)
    fixture.files["ko.html"] = "<html lang=\"ko\">{{content}}{{content}}</html>"
    #expect(fixture.findings == ["test/ko.html:1:28: error: {{content}} is used twice; remove one of them"])
  }

  @Test func `content that is only in a comment counts as missing`() {
    var fixture = MessageFixture("{{service}}")
    fixture.layout = "<!-- {{content}} --><p>x</p>"
    #expect(
      fixture.findings == [
        "layout.html:1:1: error: {{content}} is missing; put it where the text of the mail goes"
      ])
  }
}
