import Testing

@testable import PabalMessages

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
    let html = try StyleSheetTests.page("<p>\n     a   b\n</p>\n\n  <pre>\n  c\n\n  d</pre>{{content}}", style: "")
    #expect(html.contains("<p>\na b\n</p>\n<pre>\n  c\n\n  d</pre>"))
  }

  @Test func `elements are read whatever their writing`() throws {
    let html = try StyleSheetTests.page(
      "<BR/><INPUT disabled VALUE=x><A\n HREF = 'https://x/?\"'>y</A >{{content}}", style: "")
    #expect(html.contains("<br /><input disabled value=\"x\"><a href=\"https://x/?&quot;\">y</a>"))
  }
}
