import Testing

@testable import PabalMessages

/// Findings in the layout that all messages share.
@Suite struct LayoutLintTests {
  @Test func `a placeholder in a comment of the layout doesn't count`() {
    var fixture = MessageFixture("{{service}}")
    fixture.layout = "<!-- {{content}} goes here --><p>{{subject}}</p>"
    #expect(
      fixture.findings == [
        "layout.html:1:1: error: {{content}} is missing; put it where the text of the mail goes"
      ])
  }

  @Test(arguments: [
    (
      "<p>{{content}}</p><p>{{servic}}</p>",
      "layout.html:1:22: error: {{servic}} is neither a layout placeholder nor a site-wide value, and is not declared in test/message.json; did you mean {{service}}?"
    ),
    (
      "<p>{{subject}}</p>",
      "layout.html:1:1: error: {{content}} is missing; put it where the text of the mail goes"
    ),
    (
      "{{content}}<style>p{color:{{service}}}</style>",
      "layout.html:1:27: error: a variable can't be used in a <style>; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<p class={{service}}>",
      "layout.html:1:21: error: a variable can't be used in an attribute without quotes; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<p {{service}}=\"x\">",
      "layout.html:1:15: error: a variable can't be used in the name of an attribute; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<p style=\"color:{{service}}\">",
      "layout.html:1:28: error: a variable can't be used in a style attribute; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<p onclick=\"{{service}}\">",
      "layout.html:1:24: error: a variable can't be used in a script attribute; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<p{{service}}>",
      "layout.html:1:14: error: a variable can't be used in the name of an element; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}</p{{service}}>",
      "layout.html:1:15: error: a variable can't be used in the name of an element; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<!--[if mso]>{{service}}<![endif]-->",
      "layout.html:1:25: error: a variable can't be used in a comment; move it into the text or a quoted attribute"
    ),
    (
      "{{content}}<a href=\"{{service}}\">x</a>",
      "layout.html:1:21: error: {{service}} is a text, but a complete address is needed here; declare it with kind \"url\", or write https:// before it"
    ),
    (
      "{{content}}<a href=\"{{subject}}\">x</a>",
      "layout.html:1:21: error: {{subject}} can't be used in an address; use a variable, or remove it"
    ),
    ("{{content}}<script>x</script>", "layout.html:1:12: error: mail programs don't run <script>; remove it"),
    (
      "{{content}}<a href=\"javascript:x\">x</a>",
      "layout.html:1:15: error: mail programs don't run scripts; remove it"
    ),
    (
      "{{content}}<img src=\"https://a/x.png\">",
      "layout.html:1:12: warning: an image without alt; describe it in alt=\"…\" for readers who have images turned off"
    ),
    (
      "<html>{{content}}</html>",
      "layout.html:1:1: warning: <html> without lang; write <html lang=\"{{language}}\">"
    ),
    (
      "{{content}}<style>p{color:red</style>",
      "layout.html:1:19: error: the <style> has a { that is never closed; check its braces"
    ),
    ("{{content}}<style>p{color:red}", "layout.html:1:19: error: <style> is never closed; add </style>"),
    (
      "{{content}}<p class=\"x",
      "layout.html:1:21: error: a quotation mark is never closed; add the closing one"
    ),
    ("{{content}}<!-- x", "layout.html:1:12: error: a comment is never closed; end it with -->"),
    (
      "{{content}}{{#x}}",
      "layout.html:1:12: error: {{#x}} is not a valid variable; write {{name}} with a name from message.json: lower-case letters a to z, digits and _"
    ),
  ])
  func `each mistake in a layout is reported with its position and remedy`(layout: String, finding: String) {
    var fixture = MessageFixture("{{service}}")
    fixture.layout = layout
    #expect(fixture.findings.contains(finding), "\(fixture.findings)")
    #expect(fixture.findings.count <= 2)
  }
}

@Suite struct StyleSheetTests {
  private static func page(_ body: String, style: String) throws -> String {
    var fixture = MessageFixture("본문")
    fixture.layout = "<html lang=\"ko\"><style>\(style)</style><body>\(body)</body></html>"
    return try fixture.render().html
  }

  @Test func `rules are copied into their elements by specificity`() throws {
    let html = try StyleSheetTests.page(
      "<p class=\"a b\">x</p><i class=\"b\">y</i>{{content}}",
      style: "p.a { color: red } .b{color:blue;margin:0} p{color:green;padding: 1px 2px} i { font: a }")
    #expect(html.contains("<p class=\"a b\" style=\"padding:1px 2px;margin:0;color:red\">x</p>"))
    #expect(html.contains("<i class=\"b\" style=\"font:a;color:blue;margin:0\">y</i>"))
    #expect(html.contains("<p style=\"color:green;padding:1px 2px\">본문</p>"))
    #expect(!html.contains("<style>"))
  }

  @Test func `an element's own style takes precedence`() throws {
    let html = try StyleSheetTests.page(
      "<p style='color: blue; content: \"x;y\"'>x</p>{{content}}", style: "p{color:red;margin:0}")
    #expect(html.contains("<p style=\"margin:0;color:blue;content:'x;y'\">x</p>"))
  }

  @Test func `selector lists are split`() throws {
    let html = try StyleSheetTests.page("<h1>x</h1><h2>y</h2>{{content}}", style: "h1, h2 ,.z{color:red}")
    #expect(html.contains("<h1 style=\"color:red\">x</h1><h2 style=\"color:red\">y</h2>"))
  }

  @Test func `rules that can't be copied stay in the style element`() throws {
    let html = try StyleSheetTests.page(
      "{{content}}",
      style: """
        /* a comment { with braces } */
        @import url("x;y.css");
        a:hover, .card > p, #id { color: red; }
        @media (prefers-color-scheme: dark) { p { color: white !important; } .b { margin: 0 } }
        p { color: black }
        """)
    #expect(
      html.contains(
        """
        <style>
        @import url("x;y.css");
        a:hover,.card > p,#id{color:red}
        @media (prefers-color-scheme: dark){p{color: white !important}.b{margin: 0}}
        </style>
        """))
    #expect(html.contains("<p style=\"color:black\">본문</p>"))
  }

  @Test func `quotes in a font name don't end the attribute`() throws {
    let html = try StyleSheetTests.page("{{content}}", style: "p{font-family:\"Noto Sans KR\",serif}")
    #expect(html.contains("<p style=\"font-family:'Noto Sans KR',serif\">"))
  }

  @Test func `comments are removed, except those for Outlook`() throws {
    let html = try StyleSheetTests.page(
      "<!-- {{service}} --><!--[if mso]><table><![endif]-->{{content}}", style: "")
    #expect(!html.contains("파발") && !html.contains("service"))
    #expect(html.contains("<!--[if mso]><table><![endif]-->"))
  }

  @Test func `white space between elements collapses, except in pre`() throws {
    let html = try StyleSheetTests.page(
      "<p>\n     a   b\n</p>\n\n  <pre>\n  c\n\n  d</pre>{{content}}", style: "")
    #expect(html.contains("<p>\na b\n</p>\n<pre>\n  c\n\n  d</pre>"))
  }

  @Test func `elements are parsed in any notation`() throws {
    let html = try StyleSheetTests.page(
      "<BR/><INPUT disabled VALUE=x><A\n HREF = 'https://x/?\"'>y</A >{{content}}", style: "")
    #expect(html.contains("<br /><input disabled value=\"x\"><a href=\"https://x/?&quot;\">y</a>"))
  }
}
