import Testing

@testable import PabalMessages

/// What lint says of the layout that all messages share.
@Suite struct LayoutLintTests {
  @Test func `a place that stands only in a comment of the layout is none`() {
    var fixture = MessageFixture("{{service}}")
    fixture.layout = "<!-- {{content}} goes here --><p>{{subject}}</p>"
    #expect(
      fixture.findings == [
        "layout.html:1:1: error: there is no {{content}}; put it where the text belongs"
      ])
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

  @Test func `rules are copied beside their elements, the weightier last`() throws {
    let html = try StyleSheetTests.page(
      "<p class=\"a b\">x</p><i class=\"b\">y</i>{{content}}",
      style: "p.a { color: red } .b{color:blue;margin:0} p{color:green;padding: 1px 2px} i { font: a }")
    #expect(html.contains("<p class=\"a b\" style=\"padding:1px 2px;margin:0;color:red\">x</p>"))
    #expect(html.contains("<i class=\"b\" style=\"font:a;color:blue;margin:0\">y</i>"))
    #expect(html.contains("<p style=\"color:green;padding:1px 2px\">본문</p>"))
    #expect(!html.contains("<style>"))
  }

  @Test func `an element's own style comes last`() throws {
    let html = try StyleSheetTests.page(
      "<p style='color: blue; content: \"x;y\"'>x</p>{{content}}", style: "p{color:red;margin:0}")
    #expect(html.contains("<p style=\"margin:0;color:blue;content:'x;y'\">x</p>"))
  }

  @Test func `lists of selectors are taken apart`() throws {
    let html = try StyleSheetTests.page("<h1>x</h1><h2>y</h2>{{content}}", style: "h1, h2 ,.z{color:red}")
    #expect(html.contains("<h1 style=\"color:red\">x</h1><h2 style=\"color:red\">y</h2>"))
  }

  @Test func `what has no place in an element stays`() throws {
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

  @Test func `quotes in a font's name fit the attribute`() throws {
    let html = try StyleSheetTests.page("{{content}}", style: "p{font-family:\"Noto Sans KR\",serif}")
    #expect(html.contains("<p style=\"font-family:'Noto Sans KR',serif\">"))
  }

  @Test func `comments go, except those for Outlook`() throws {
    let html = try StyleSheetTests.page(
      "<!-- {{service}} --><!--[if mso]><table><![endif]-->{{content}}", style: "")
    #expect(!html.contains("파발") && !html.contains("service"))
    #expect(html.contains("<!--[if mso]><table><![endif]-->"))
  }

  @Test func `blanks between elements shrink, and not in pre`() throws {
    let html = try StyleSheetTests.page(
      "<p>\n     a   b\n</p>\n\n  <pre>\n  c\n\n  d</pre>{{content}}", style: "")
    #expect(html.contains("<p>\na b\n</p>\n<pre>\n  c\n\n  d</pre>"))
  }

  @Test func `elements are read whatever their writing`() throws {
    let html = try StyleSheetTests.page(
      "<BR/><INPUT disabled VALUE=x><A\n HREF = 'https://x/?\"'>y</A >{{content}}", style: "")
    #expect(html.contains("<br /><input disabled value=\"x\"><a href=\"https://x/?&quot;\">y</a>"))
  }
}
