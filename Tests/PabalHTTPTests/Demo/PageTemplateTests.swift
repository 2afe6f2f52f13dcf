import Testing

@testable import PabalHTTP

/// The template of the demo page, and its texts.
@Suite struct PageTemplateTests {
  @Test func `values are inserted and escaped for text and for quoted attributes`() {
    let template = PageTemplate(#"<a title="{{name}}">{{name}}</a>{{missing}}"#)
    #expect(
      template.render(["name": #"<b> & "it's""#])
        == "<a title=\"&lt;b&gt; &amp; &quot;it&#39;s&quot;\">&lt;b&gt; &amp; &quot;it&#39;s&quot;</a>\n")
    #expect(template.render(["name": "{{missing}}", "missing": "x"]).contains("{{missing}}"))
    #expect(template.names == ["name", "missing"])
  }

  @Test func `a section is rendered if its value isn't empty, and an inverted one if it is`() {
    let template = PageTemplate("{{#a}}yes {{#b}}both{{/b}}{{/a}}{{^a}}no{{/a}}")
    #expect(template.render(["a": "1"]) == "yes \n")
    #expect(template.render(["a": "1", "b": "1"]) == "yes both\n")
    #expect(template.render(["a": "", "b": "1"]) == "no\n")
    #expect(template.render([:]) == "no\n")
  }

  @Test func `a line that consists of a section's tag is removed`() {
    #expect(PageTemplate("a\n  {{#b}}\nb\n  {{/b}}\nc").render(["b": "1"]) == "a\nb\nc\n")
    #expect(PageTemplate("a\n  {{#b}}\nb\n  {{/b}}\nc").render([:]) == "a\nc\n")
  }

  @Test(arguments: [
    ("ko", "ko"), ("ko-KR,en;q=0.5", "ko"), ("en-GB", "en"), ("fr, en;q=0.8, ko;q=0.9", "ko"),
    ("en;q=0.8, ko;q=0.8", "en"), ("ko;q=0, en;q=0.1", "en"), ("KO-kore-kr", "ko"), ("fr", "en"), ("", "en"),
    ("*", "en"), (";q=1", "en"), ("ko;q=x", "en"),
  ])
  func `the language is the best that Accept-Language names and the page has`(
    header: String, language: String
  ) {
    #expect(PageStrings.accepted(header, else: "en").language == language)
  }

  @Test func `the languages of the page have the same texts with the same places for values`() throws {
    let (ko, en) = (try #require(PageStrings.inLanguage("ko")), try #require(PageStrings.inLanguage("en")))
    #expect(ko.texts.keys.sorted() == en.texts.keys.sorted())
    for (name, text) in en.texts {
      let places = { (text: String) in text.matches(of: /\{\{[a-z]+\}\}/).map { String($0.output) }.sorted() }
      #expect(places(text) == places(ko[name]), "\(name)")
    }
    #expect(ko.other.language == "en" && en.other.language == "ko")
    #expect(PageStrings.inLanguage("fr") == nil)
  }

  @Test(arguments: [
    (0, "0 seconds", "0초"), (1, "1 second", "1초"), (59, "59 seconds", "59초"), (60, "1 minute", "1분"),
    (119, "1 min 59 s", "1분 59초"), (120, "2 minutes", "2분"), (599, "9 min 59 s", "9분 59초"),
    (600, "10 minutes", "10분"), (601, "11 minutes", "11분"), (7_199, "120 minutes", "120분"),
    (7_200, "2 hours", "2시간"),
    (7_201, "3 hours", "3시간"),
  ])
  func `a time is in the units that people say, and rounded up`(
    seconds: Int64, english: String, korean: String
  ) throws {
    #expect(try #require(PageStrings.inLanguage("en")).duration(seconds) == english)
    #expect(try #require(PageStrings.inLanguage("ko")).duration(seconds) == korean)
  }

  @Test(arguments: [
    ("550 5.1.1", true), ("553 5.1.3", true), ("550 5.2.1", true), ("550", true), ("551", true), (nil, true),
    ("554", false),
    ("554 5.7.1", false), ("550 5.7.1", false), ("552 5.2.2", false), ("571", false), ("550 5.4.1", false),
  ])
  func `only a reply about the address asks for another address`(reply: String?, isAddress: Bool) {
    #expect(DemoView.rejectsAddress(reply) == isAddress)
  }
}
