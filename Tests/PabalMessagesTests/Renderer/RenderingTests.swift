import Testing

@testable import PabalMessages

@Suite struct RenderingTests {
  @Test func `subject, text and HTML come from one file`() throws {
    let mail = try MessageFixture(
      """
      # 어서 오세요

      **{{service}}**에 *가입*해 주셔서
      감사합니다.\\
      다음 줄.

      - 하나
      - 둘
        이어서
      - 셋
        1. 안
        2. 안쪽

      3. 셋째
      4. 넷째

      > 따온 말
      >
      > 한 번 더

      ```
      let x = 1

        y
      ```

      `코드` 는 글 안에.

      [도움말](https://example.com/help)을 보세요.

      [도움말](https://example.com/help)

      <https://example.com> 또는 <help@example.com>

      ![그림](https://example.com/x.png "이름")

      ---

      끝.
      """, subject: "환영: {{service}}"
    ).render(["service": "파발"])
    #expect(mail.subject == "환영: 파발")
    #expect(
      mail.text == """
        어서 오세요

        파발에 가입해 주셔서 감사합니다.
        다음 줄.

        - 하나
        - 둘 이어서
        - 셋
          1. 안
          2. 안쪽

        3. 셋째
        4. 넷째

        > 따온 말
        >
        > 한 번 더

            let x = 1

              y

        코드 는 글 안에.

        도움말 (https://example.com/help)을 보세요.

        도움말: https://example.com/help

        https://example.com 또는 help@example.com

        그림

        ------------------------

        끝.

        """)
    let page = mail.html
    for part in [
      "<h1>어서 오세요</h1>", "<p><strong>파발</strong>에 <em>가입</em>해 주셔서\n감사합니다.<br>\n다음 줄.</p>",
      "<li>둘\n이어서\n</li>", "<ol start=\"3\"><li>셋째\n</li>",
      "<blockquote><p>따온 말</p>\n<p>한 번 더</p>\n</blockquote>",
      "<pre>let x = 1\n\n  y\n</pre>", "<p><code>코드</code> 는 글 안에.</p>",
      "<a href=\"https://example.com/help\">도움말</a>",
      "<a href=\"mailto:help@example.com\">help@example.com</a>",
      "<img src=\"https://example.com/x.png\" alt=\"그림\" title=\"이름\">",
      "<hr class=\"note\">\n<p class=\"note\">끝.</p>",
    ] {
      #expect(page.contains(part), "\(part)")
    }
  }

  @Test func `a paragraph of only code becomes the big code block`() throws {
    let fixture = MessageFixture(
      "앞\n\n`{{code}}`\n\n- `{{code}}`\n\n`{{code}}` 뒤", variables: [("code", "code", "123456")])
    let mail = try fixture.render(["code": "000000"])
    #expect(mail.text == "앞\n\n    000000\n\n- 000000\n\n000000 뒤\n")
    #expect(mail.html.contains("<p class=\"code\">000000</p>\n<ul><li><code>000000</code>"))
    #expect(mail.html.contains("<p><code>000000</code> 뒤</p>"))
  }

  @Test func `a loose list keeps its blank lines`() throws {
    let text = try MessageFixture("1. 하나\n\n   둘째 문단\n\n2. 둘").render().text
    #expect(text == "1. 하나\n\n   둘째 문단\n\n2. 둘\n")
  }

  @Test func `a link whose text is its URL appears once`() throws {
    let fixture = MessageFixture(
      "[{{link}}]({{link}}) [{{link}}]({{link}}x)", variables: [("link", "url", "https://example.com")])
    let mail = try fixture.render(["link": "https://a.example/"])
    #expect(mail.text == "https://a.example/ https://a.example/ (https://a.example/x)\n")
    #expect(mail.html.contains("<a href=\"https://a.example/\">https://a.example/</a>"))
  }

  @Test func `the layout contains the mail and its placeholders are filled`() throws {
    var fixture = MessageFixture("본문")
    fixture.files["ko.md"] = "Subject: <제목> {{service}}\nPreview: 미리 \"{{service}}\"은(는)\n\n본문\n"
    fixture.layout =
      "<!doctype html><html lang=\"{{language}}\"><title>{{subject}}</title><i title=\"{{preview}}\">{{preview}}</i>{{content}}<b>{{service}}은(는)</b></html>"
    let html = try fixture.render(["service": "A&B"]).html
    #expect(
      html
        == "<!doctype html><html lang=\"ko\"><title>&lt;제목&gt; A&amp;B</title>"
        + "<i title=\"미리 &quot;A&amp;B&quot;는\">미리 &quot;A&amp;B&quot;는</i><p>본문</p>\n<b>A&amp;B는</b></html>")
  }

  @Test func `a hand-written part goes into the layout and a hand-written page replaces it`() throws {
    var fixture = MessageFixture("본문 {{service}}")
    fixture.files["ko.html"] = "<h1>{{service}}</h1>"
    #expect(try fixture.html(["service": "x"]) == "<h1>x</h1>")
    fixture.files["ko.html"] =
      "<!doctype html><html lang=\"ko\"><title>{{subject}}</title>{{service}}</html>"
    #expect(
      try fixture.render(["service": "x"]).html
        == "<!doctype html><html lang=\"ko\"><title>제목</title>x</html>")
    fixture.files["ko.html"] =
      "<!doctype html><html lang=\"ko\"><style>p{color:red}</style><body>{{content}}</body></html>"
    #expect(try fixture.html(["service": "x"]) == "<p style=\"color:red\">본문 x</p>\n")
  }

  @Test func `without a preview line its placeholder stays empty`() throws {
    var fixture = MessageFixture("본문")
    fixture.layout = "<html lang=\"ko\"><i>{{preview}}</i>{{content}}</html>"
    #expect(try fixture.render().html == "<html lang=\"ko\"><i></i><p>본문</p>\n</html>")
  }

  @Test func `files may have a byte order mark and any line ends`() throws {
    var fixture = MessageFixture("")
    fixture.files["ko.md"] = "\u{FEFF}Subject: 제목\r\nPreview: 미리\r\n\r\n하나\r\n\r\n둘\r\n"
    let mail = try fixture.render()
    #expect(mail.subject == "제목")
    #expect(mail.text == "하나\n\n둘\n")
    fixture.files["ko.md"] = "Subject: 제목\r\r하나\r\r둘"
    #expect(try fixture.render().text == "하나\n\n둘\n")
  }

  @Test func `header names may be in any case`() throws {
    var fixture = MessageFixture("")
    fixture.files["ko.md"] = "subject:제목: 둘\nPREVIEW:  미리  \n\n본문"
    #expect(try fixture.render().subject == "제목: 둘")
  }

  @Test func `a mail's own value overrides the site-wide value`() throws {
    var fixture = MessageFixture("{{service}}은(는)", subject: "{{service}}")
    fixture.siteVariables = ["service": "Foobar", "service.reading": "푸바"]
    #expect(try fixture.render().text == "Foobar는\n")
    #expect(try fixture.render(["service": "Foobar"]).text == "Foobar은\n")
    #expect(try fixture.render(["service": "카카오"]).subject == "카카오")
  }

  @Test func `a default and its reading are used if no value is given`() throws {
    var fixture = MessageFixture("{{service}}은(는)")
    fixture.json =
      #"{"variables":{"service":{"for":"x","kind":"text","example":"x","default":"Google","reading":"구글"}}}"#
    #expect(try fixture.render().text == "Google은\n")
    #expect(try fixture.render(["service": "토스"]).text == "토스는\n")
  }

  @Test func `a missing value is an error that names the variable and its purpose`() throws {
    let error = #expect(throws: MessageError.self) { try MessageFixture("{{service}}").render() }
    #expect(error == .missingVariable("service", message: "test", purpose: "the service"))
  }

  @Test func `a value that one language uses is required in all languages`() throws {
    var fixture = MessageFixture("{{service}}")
    fixture.files["en.md"] = "Subject: x\n\nx"
    #expect(throws: MessageError.self) { try fixture.render(in: "en") }
  }

  @Test func `an unknown value is an error with a suggestion`() throws {
    let error = #expect(throws: MessageError.self) {
      try MessageFixture("{{service}}").render(["service": "x", "servcie": "y"])
    }
    #expect(error == .unknownVariable("servcie", message: "test", nearest: "service"))
    // An override of a site-wide value doesn't hide the unknown value.
    var fixture = MessageFixture("{{service}}")
    fixture.siteVariables = ["service": "x"]
    #expect(throws: MessageError.self) { try fixture.render(["service": "x", "other": "y"]) }
    #expect(throws: MessageError.self) { try fixture.render(["other": "y"]) }
  }

  @Test func `all missing, invalid and unknown values are reported at once`() throws {
    let fixture = MessageFixture(
      "{{service}} {{link}} {{code}} {{wait}}",
      variables: [
        ("service", "text", "파발"), ("link", "url", "https://example.com"), ("code", "code", "123456"),
        ("wait", "duration", "10m"),
      ])
    let error = #expect(throws: MessageError.self) {
      try fixture.render(["link": "javascript:x", "cod": "123456", "wait": "10m", "other": "x"])
    }
    guard case .several(let errors)? = error else {
      Issue.record("only one error: \(error.map(String.init(describing:)) ?? "")")
      return
    }
    #expect(errors.count == 5)
    #expect(errors.map(\.variable) == ["service", "link", "code", "cod", "other"])
    #expect(error?.description.split(separator: "\n").count == 5)
  }

  @Test func `string values can have readings`() {
    #expect(
      MessageValue.values(["a": "Google", "a.reading": "구글", "b": "x", "c.reading": "z"])
        == ["a": .text("Google", reading: "구글"), "b": .text("x"), "c.reading": .text("z")])
  }
}
