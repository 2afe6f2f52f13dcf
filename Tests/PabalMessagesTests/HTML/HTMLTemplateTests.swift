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
