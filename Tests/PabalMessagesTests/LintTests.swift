import PabalCore
import Testing

@testable import PabalMessages

@Suite struct LintTests {
  private static func findings(_ file: String) -> [String] {
    var workshop = Workshop("")
    workshop.files["ko.md"] = file
    workshop.json = Workshop.json([
      ("service", "text", "파발"), ("link", "url", "https://example.com"), ("wait", "duration", "10m"),
    ])
    // Unused variables are another test's matter.
    return workshop.findings.filter { !$0.contains("no language uses") }
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
    #expect(LintTests.findings(file) == [finding])
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
    #expect(LintTests.findings(file).count == expected)
  }

  @Test func `all mistakes of all files come at once`() {
    var workshop = Workshop("")
    workshop.files["ko.md"] = "Subjet: x\n\n{{a}} {{b}} <i>x</i>"
    workshop.files["en.md"] = "Subject: x\n\n{{c}} **\"y\"**z"
    workshop.json = #"{"lane": "cod", "variables": {"service": {"kind": "txt"}}, "x": 1}"#
    let findings = workshop.findings
    for part in [
      "Subjet", "{{a}}", "{{b}}", "is HTML", "{{c}}", "** would", "\"cod\"", "\"txt\"", "no \"x\"",
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

  @Test func `the code must stand in both parts`() {
    var workshop = Workshop("가", variables: [("code", "code", "123456")])
    #expect(
      workshop.findings.filter { $0.contains("error") } == [
        "test/ko.md:3:1: error: the mail does not show {{code}}, so its reader has no code to enter; put `{{code}}` on a line of its own, with a blank line before and after"
      ])
    workshop = Workshop("`{{code}}`", variables: [("code", "code", "123456")])
    workshop.files["ko.txt"] = "가"
    #expect(
      workshop.findings == [
        "test/ko.txt:1:1: error: the text does not show {{code}}, so its reader has no code to enter; put `{{code}}` on a line of its own, with a blank line before and after"
      ])
    workshop.files["ko.txt"] = nil
    workshop.files["ko.html"] = "<p>가</p>"
    #expect(
      workshop.findings == [
        "test/ko.html:1:1: error: the HTML does not show {{code}}, so its reader has no code to enter; put `{{code}}` on a line of its own, with a blank line before and after"
      ])
  }

  @Test func `an error in one file hides none in another`() {
    var workshop = Workshop("{{nme}}", variables: [("code", "code", "123456"), ("name", "text", "x")])
    workshop.files["en.md"] = "Subject: {{nme}}\n\n`{{code}}`\n"
    let files = workshop.findings.filter { $0.contains("does not show") || $0.contains("nme") }
    #expect(
      files.map { $0.prefix { $0 != " " } } == ["test/en.md:1:10:", "test/ko.md:3:1:", "test/ko.md:3:1:"])
  }

  @Test func `a misspelt code is told once, not as a code that is missing, too`() {
    let workshop = Workshop("`{{cdoe}}`", variables: [("code", "code", "123456")])
    #expect(
      workshop.findings == [
        "test/ko.md:3:2: error: {{cdoe}} is not declared in message.json; did you mean {{code}}?"
      ])
  }

  @Test(arguments: [
    #"{ "variables": { "service": { "for": "x", "kind": "text" "example": "y" } } }"#,
    #"{ "variables": { "service": { "for": "x", "kind": "txt", "example": "y" } } }"#,
    #"{ "variables": { "service": { "for": "x", "kind": "url", "example": "y" } } }"#,
  ])
  func `a declaration that can't be read is one error, not one wherever its variable stands`(json: String) {
    var workshop = Workshop("{{service}} [x]({{service}}) {{service}}")
    workshop.json = json
    #expect(workshop.findings.count == 1)
    #expect(workshop.findings.first?.hasPrefix("test/message.json:1:") == true)
  }

  @Test func `a place that stands only in a comment of the layout is none`() {
    var workshop = Workshop("{{service}}")
    workshop.layout = "<!-- {{content}} goes here --><p>{{subject}}</p>"
    #expect(
      workshop.findings == [
        "layout.html:1:1: error: there is no {{content}}; put it where the text belongs"
      ])
  }

  @Test(arguments: [("kr", "Korean", "ko"), ("kor", "Korean", "ko"), ("jp", "Japanese", "ja")])
  func `a country's code is no language's`(written: String, language: String, tag: String) {
    var workshop = Workshop("{{service}}")
    workshop.files["\(written).md"] = "Subject: x\n\n{{service}}\n"
    #expect(
      workshop.findings == [
        "test/\(written).md: warning: \(written) is not how \(language) is written here; name it \(tag).md"
      ])
  }

  @Test func `a part by hand shows what the Markdown shows`() {
    var workshop = Workshop("{{service}}")
    workshop.files["ko.txt"] = "가"
    #expect(
      workshop.findings == [
        "test/ko.txt:1:1: warning: {{service}} is missing here and stands in ko.md; put it in, so that both tell the same"
      ])
  }

  @Test func `an unused variable is told`() {
    var workshop = Workshop("가")
    workshop.json =
      "{\n \"variables\": {\n  \"a\": {\"for\": \"x\", \"kind\": \"text\", \"example\": \"y\"}}}"
    #expect(
      workshop.findings == [
        "test/message.json:3:3: warning: variables.a: no language uses {{a}}; use it, or take it out of message.json"
      ])
  }

  @Test func `the default language must be there, and the Markdown beside every part by hand`() {
    var workshop = Workshop("가 {{service}}")
    workshop.files["en.txt"] = "가 {{service}}"
    workshop.language = "fr"
    #expect(
      workshop.findings == [
        "test: error: there is no fr.md, and fr is the language of last resort; write it, or change messages.language in config.json",
        "test/en.txt: error: stands without en.md; write that file too: the subject comes from it",
      ])
  }

  @Test func `HTML larger than Gmail shows is told`() {
    let workshop = Workshop("{{service}}\n\n" + String(repeating: "가나다라 ", count: 9000))
    #expect(workshop.findings.count == 1)
    #expect(workshop.findings[0].contains("Gmail cuts it off after 104448"))
  }

  @Test func `nesting without end is refused`() {
    #expect(
      LintTests.findings("Subject: x\n\n" + String(repeating: "> ", count: 200) + "가")
        == ["test/ko.md:3:1: error: nested deeper than 32 levels; take some out"])
  }

  @Test(arguments: [
    (
      "<p>{{content}}</p><p>{{servic}}</p>",
      "layout.html:1:22: error: {{servic}} is no place of a layout, no value of the site, and not declared in test/message.json; did you mean {{service}}?"
    ),
    ("<p>{{subject}}</p>", "layout.html:1:1: error: there is no {{content}}; put it where the text belongs"),
    (
      "{{content}}<style>p{color:{{service}}}</style>",
      "layout.html:1:27: error: a variable in a <style>; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<p class={{service}}>",
      "layout.html:1:21: error: a variable in an attribute without quotes; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<p {{service}}=\"x\">",
      "layout.html:1:15: error: a variable in the name of an attribute; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<p style=\"color:{{service}}\">",
      "layout.html:1:28: error: a variable in a style; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<p onclick=\"{{service}}\">",
      "layout.html:1:24: error: a variable in a script; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<p{{service}}>",
      "layout.html:1:14: error: a variable in the name of an element; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}</p{{service}}>",
      "layout.html:1:15: error: a variable in the name of an element; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<!--[if mso]>{{service}}<![endif]-->",
      "layout.html:1:25: error: a variable in a comment; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<a href=\"{{service}}\">x</a>",
      "layout.html:1:21: error: {{service}} is a text where a whole address belongs; declare it with kind \"url\", or write https:// before it"
    ),
    (
      "{{content}}<a href=\"{{subject}}\">x</a>",
      "layout.html:1:21: error: {{subject}} in an address; put a variable there, or take it out"
    ),
    ("{{content}}<script>x</script>", "layout.html:1:12: error: mail programs run no <script>; take it out"),
    (
      "{{content}}<a href=\"javascript:x\">x</a>",
      "layout.html:1:15: error: mail programs run no script; take it out"
    ),
    (
      "{{content}}<img src=\"https://a/x.png\">",
      "layout.html:1:12: warning: an image without alt; say what it shows in alt=\"…\", for whom images are off"
    ),
    (
      "<html>{{content}}</html>",
      "layout.html:1:1: warning: <html> without lang; write <html lang=\"{{language}}\">"
    ),
    (
      "{{content}}<style>p{color:red</style>",
      "layout.html:1:19: error: the <style> holds a { that is never closed; mend its braces"
    ),
    ("{{content}}<style>p{color:red}", "layout.html:1:19: error: <style> is never closed; write </style>"),
    ("{{content}}<p class=\"x", "layout.html:1:21: error: a quote that is never closed; close it"),
    ("{{content}}<!-- x", "layout.html:1:12: error: a comment that is never closed; write -->"),
    (
      "{{content}}{{#x}}",
      "layout.html:1:12: error: {{#x}} can't be a variable; write {{name}} with a name from message.json, in small letters a to z, digits and _"
    ),
  ])
  func `each mistake in a layout is told with its place and its cure`(layout: String, finding: String) {
    var workshop = Workshop("{{service}}")
    workshop.layout = layout
    #expect(workshop.findings.contains(finding), "\(workshop.findings)")
    #expect(workshop.findings.count <= 2)
  }
}
