import PabalCore
import Testing

@testable import PabalMessages

/// What looks right in an editor, and would be mailed wrong.
@Suite struct LookAlikeLintTests {
  private static func findings(_ file: String, named name: String = "ko.md") -> [String] {
    var fixture = MessageFixture("본문 {{service}} {{code}}")
    fixture.files[name] = file
    fixture.json = MessageFixture.json([("service", "text", "파발"), ("code", "code", "012345")])
    return fixture.findings.filter {
      !$0.contains("no language uses") && !$0.contains("does not contain {{code}}")
    }
  }

  private static func body(_ text: String) -> [String] { findings("Subject: x\n\n\(text)\n\n`{{code}}`\n") }

  @Test(arguments: [
    "｛｛service｝｝", "｛｛ service ｝｝", "{｛service｝}", "｛{service}｝", "﹛﹛service﹜﹜", "{ {service} }",
    "{\u{A0}{service}\u{A0}}", "❴❴service❵❵", "｛｛ｓｅｒｖｉｃｅ｝｝", "｛｛Service｝｝",
  ])
  func `a tag with other braces is an error with its cure`(tag: String) {
    let found = Self.body("가 \(tag)는 나")
    #expect(
      found.contains { $0.hasPrefix("test/ko.md:3:3: error: ") && $0.hasSuffix("; write {{service}}") },
      "\(found)")
  }

  @Test(arguments: [
    #"\{\{service\}\}"#, #"\{\{service}}"#, "{\u{200B}{service}}", "{{service｝｝", "｛｛service}}", "{{service}",
    "{service}}",
  ])
  func `a tag that is half right is an error`(tag: String) {
    #expect(Self.body("가 \(tag)는 나").contains { $0.contains("ko.md:3:") && $0.contains(": error: ") })
  }

  @Test(arguments: [
    ("{{Service}}", "{{Service}}"), ("{{{service}}}", "{{{service}}}"), ("{{ SERVICE }}", "{{SERVICE}}"),
  ])
  func `a tag in capitals or with three braces is an error with its cure`(tag: String, shown: String) {
    #expect(
      Self.body("가 \(tag) 나").contains(
        "test/ko.md:3:3: error: \(shown) is not a valid variable; write {{service}}"))
  }

  @Test func `a misspelled name in other braces is an error too`() {
    #expect(Self.body("｛｛servcie｝｝").contains { $0.hasSuffix("did you mean {{service}}?") })
    #expect(Self.body("｛｛서비스｝｝").contains { $0.hasPrefix("test/ko.md:3:1: error: ") })
  }

  @Test(arguments: [
    "｛service｝", "{service}", "{ service }", "${service}", "[[service]]", "((service))", "%service%",
    "<<service>>",
  ])
  func `the name of a variable in other marks is a warning with its cure`(tag: String) {
    #expect(
      Self.body("가 \(tag) 나").contains { $0.contains(": warning: ") && $0.hasSuffix("write {{service}}") })
  }

  @Test(arguments: ["｛｛service｝｝", "[[service]]"])
  func `subjects, hand-written files and the layout are checked as well`(tag: String) {
    #expect(Self.findings("Subject: \(tag)\n\n`{{code}}`\n").contains { $0.hasPrefix("test/ko.md:1:10: ") })
    #expect(
      Self.findings("\(tag) {{code}} {{service}}", named: "ko.txt").contains {
        $0.hasPrefix("test/ko.txt:1:1: ")
      })
    #expect(
      Self.findings("<p>\(tag)</p> {{code}} {{service}}", named: "ko.html").contains {
        $0.hasPrefix("test/ko.html:1:4: ")
      })
    var fixture = MessageFixture("{{service}}")
    fixture.layout = "<!doctype html><html><body>\(tag) {{content}}</body></html>"
    #expect(
      fixture.findings.contains { $0.hasPrefix("layout.html:1:28: ") && $0.hasSuffix("write {{service}}") })
  }

  @Test(arguments: [
    "{{ service}}", "{{service }}", "{{\tservice}}", "{{\u{A0}service\u{3000}}}", "{{\u{200B}service}}",
  ])
  func `any blank inside a tag is ignored`(tag: String) throws {
    let mail = try MessageFixture("\(tag)은(는)").render(["service": "파발"])
    #expect(mail.text == "파발은\n")
  }

  @Test func `full-width letters in a tag are an error with the cure`() {
    #expect(
      Self.body("{{ｓｅｒｖｉｃｅ}}").contains(
        "test/ko.md:3:1: error: {{ｓｅｒｖｉｃｅ}} is not a valid variable; write {{service}} in ASCII characters"))
  }

  @Test(arguments: [
    "‘{{code}}’", "’{{code}}’", "“{{code}}”", "'{{code}}'", "´{{code}}´", "｀{{code}}｀", "\"{{code}}\"",
    "`{{code}}’", "　‘{{code}}’",
    "**‘{{code}}’**",
  ])
  func `a code in quotation marks instead of backticks is reported`(code: String) {
    let found = Self.findings("Subject: x\n\n가\n\n\(code)\n")
    #expect(
      found.contains(
        "test/ko.md:5:1: warning: {{code}} is not in backticks, so it is not shown as the big code block; write `{{code}}` with the key to the left of 1"
      ), "\(found)")
  }

  @Test(arguments: ["{{code}}", " {{code}} "])
  func `a code alone in a paragraph without backticks is reported`(code: String) {
    let found = Self.findings("Subject: x\n\n가\n\n\(code)\n")
    #expect(
      found == [
        "test/ko.md:5:1: warning: {{code}} is not in backticks, so it is not shown as the big code block; write `{{code}}` with the key to the left of 1"
      ])
  }

  @Test(arguments: ["```\n{{code}}\n```", "~~~ text\n  {{code}}\n~~~"])
  func `a code between lines of three backticks is reported`(code: String) {
    let found = Self.findings("Subject: x\n\n가\n\n\(code)\n")
    #expect(
      found == [
        "test/ko.md:5:1: warning: {{code}} is in a code block, so it is not shown as the big code block; write `{{code}}` on one line, with one backtick on each side"
      ])
  }

  @Test(arguments: [
    "**{{code}}**", "# {{code}}", "> {{code}}", "- {{code}}", "```\n{{code}} 가\n```", "코드: {{code}}",
  ])
  func `a code that is set otherwise on purpose isn't reported`(code: String) {
    #expect(Self.findings("Subject: x\n\n가\n\n\(code)\n").isEmpty)
  }

  @Test(arguments: ["`{{code}}`.", "가 나\n`{{code}}`\n다 라", "가 나\n`{{code}}`", "`{{code}}`\n가 나"])
  func `a code in backticks that isn't a paragraph of its own is reported`(text: String) {
    #expect(
      Self.findings("Subject: x\n\n\(text)\n").contains {
        $0.contains(": warning: `{{code}}` is not a paragraph of its own")
          && $0.contains("put a blank line before and after it")
      })
  }

  @Test(arguments: [
    "`{{code}}`", "인증번호 `{{code}}`을(를) 입력하세요.", "인증번호: {{code}}", "  `{{code}}`  ",
  ])
  func `other uses of a code are fine`(text: String) {
    #expect(Self.findings("Subject: x\n\n\(text)\n") == [])
  }

  @Test func `a backtick without a second one is reported, an escaped one isn't`() {
    #expect(
      Self.body("가 ` 나").contains { $0.hasPrefix("test/ko.md:3:3: warning: a backtick without a second one") }
    )
    #expect(Self.body("가 \\` 나") == [])
  }

  @Test(arguments: [
    ("\t안녕하세요", "tab"), ("    안녕하세요", "spaces"), ("가\n\n\t안녕하세요", "tab"), ("- 가\n\n      안녕", "spaces"),
  ])
  func `text that becomes a code block by its indent is reported`(text: String, what: String) {
    let found = Self.body(text)
    #expect(
      found.contains { $0.contains("becomes a code block; remove the \(what) at the start of the line") },
      "\(found)")
  }

  @Test func `a fenced code block is fine`() {
    #expect(Self.body("```\n가\n```\n\n~~~\n나\n~~~") == [])
  }

  @Test(arguments: [0x200B, 0x2060, 0xFEFF, 0xAD, 0x3164, 0x200E, 0x202E, 0x200D])
  func `an invisible character is reported where it is`(value: UInt32) throws {
    let mark = String(try #require(Unicode.Scalar(value)))
    let found = Self.body("{{service}}\(mark)은(는) 가")
    #expect(
      found.contains {
        $0.hasPrefix("test/ko.md:3:12: warning: the invisible character U+") && $0.contains("; remove it: ")
      }, "\(found)")
  }

  @Test(arguments: ["👨‍👩‍👧 가족", "❤️ 마음", "1️⃣ 하나", "می‌خواهم", "क्‍ष", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"])
  func `the joiners of emoji and other scripts are fine`(text: String) { #expect(Self.body(text) == []) }

  @Test(arguments: [
    ("가\n\u{A0}\n나", "looks empty"), ("가\n\u{3000}\n나", "looks empty"),
    ("-\u{A0}가", "is not an ordinary space"),
    ("#\u{3000}가", "is not an ordinary space"), ("1.\u{A0}가", "is not an ordinary space"),
    ("가\n\n—", "does not start the small print"), ("가\n\n—-", "does not start the small print"),
    ("가\n\nㅡㅡㅡ", "does not start the small print"), ("가\n\n－－－", "does not start the small print"),
    ("가\n---\n나", "become a heading"), ("＊＊굵게＊＊", "full-width ＊＊"),
    ("［가］（https://example.com）", "full-width brackets"),
    ("[가] (https://example.com)", "a space between ] and ("),
    ("가₩\n나", "at the end of a line does not break it"),
    ("가＼\n나", "at the end of a line does not break it"), ("• 가\n• 나", "run together in one paragraph"),
    ("-가\n-나", "run together in one paragraph"), ("· 가\n· 나", "run together in one paragraph"),
    ("{{service}}（으）로", "write (으)로"), ("{{service}}（이）라", "write (이)"), ("{{service}}은（는）", "write 은(는)"),
    ("{{service}}은／는", "write 은/는"),
  ])
  func `Markdown in other characters is reported`(text: String, message: String) {
    let found = Self.body(text)
    #expect(found.contains { $0.contains(message) && $0.contains(": warning: ") }, "\(found)")
  }

  @Test(arguments: [
    "가격은 1,000₩", "- 가\n- 나", "가 — 나", "• 가", "-5도", "**가**\n**나**", "# 제목", "가\n\n---\n\n나", "1. 가\n2. 나",
    "> 가\n> 나",
    "가 (나) [다]", "안녕하세요~~ 반갑습니다~~",
  ])
  func `ordinary text has no findings`(text: String) { #expect(Self.body(text) == []) }

  @Test(arguments: [
    ("제목：가", "Subject"), ("제목: 가", "Subject"), ("Subject：가", "Subject"), ("ＳＵＢＪＥＣＴ: 가", "Subject"),
    ("Subject : 가", "Subject"),
    ("件名：가", "Subject"),
  ])
  func `a header line that looks like Subject: is an error with its cure`(line: String, name: String) {
    let found = Self.findings("\(line)\nPreview: 나\n\n`{{code}}`\n")
    #expect(found.count == 1 && found[0].hasPrefix("test/ko.md:1:1: error: "), "\(found)")
    #expect(found[0].hasSuffix("; write Subject: with an ASCII colon"), "\(found)")
  }

  @Test(arguments: ["미리보기: 나", "미리 보기：나", "Preview：나"])
  func `a header line that looks like Preview: is an error with its cure`(line: String) {
    let found = Self.findings("Subject: 가\n\(line)\n\n`{{code}}`\n")
    #expect(found.count == 1 && found[0].hasSuffix("; write Preview: with an ASCII colon"), "\(found)")
  }

  @Test(arguments: ["\n", "\u{A0}\n", "\u{3000}\t\n", "\r\n"])
  func `blanks around the header lines don't matter`(blank: String) throws {
    var fixture = MessageFixture()
    fixture.files["ko.md"] = "\u{FEFF}Subject:\u{A0}제목\u{3000}\r\n\(blank)본문\r\n"
    let mail = try fixture.render()
    #expect(mail.subject == "제목" && mail.text == "본문\n")
    #expect(fixture.findings.filter { !$0.contains("no language uses") } == [])
  }
}
