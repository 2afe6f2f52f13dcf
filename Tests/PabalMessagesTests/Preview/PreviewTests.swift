import PabalCore
import Testing

@testable import PabalMessages

@Suite struct PreviewTests {
  private static func message(
    _ body: String, variables: [(name: String, kind: String, example: String)] = [("service", "text", "파발")]
  ) throws -> PreviewedMessage {
    let (message, diagnostics) = MessageFixture(body, variables: variables).compile()
    guard let message else { throw Diagnostics(diagnostics) }
    return try PreviewedMessage(message, defaultLanguage: "ko")
  }

  @Test func `every sample shows its values`() throws {
    let message = try PreviewTests.message(
      "{{service}} `{{code}}` {{link}}",
      variables: [
        ("service", "text", "파발"), ("code", "code", "123456"), ("link", "url", "https://a.example"),
      ])
    #expect(message.views.map(\.sample) == [.examples, .long, .zeros])
    #expect(message.views[0].text == "파발 123456 https://a.example\n")
    #expect(message.views[1].text.count > 150)
    #expect(message.views[2].text == "파발 000000 https://a.example\n")
    #expect(try PreviewTests.message("{{service}}").views.map(\.sample) == [.examples, .long])
  }

  @Test func `an author's text can't break out of its place on the page`() throws {
    let evil = "</pre></iframe>\"'><script>alert(1)</script>&amp;"
    let message = try PreviewTests.message(
      "{{x}}", variables: [("x", "text", evil.replacing("\"", with: "\\\""))])
    let problem = Diagnostic(evil, remedy: evil, file: evil, path: evil)
    let page = PreviewPage([message], problems: [problem], follows: true).html
    #expect(!page.contains("<script>alert"))
    #expect(!page.contains("</iframe>\""))
    #expect(page.ranges(of: "<script>").count == 1)
    #expect(
      page.contains(
        "&lt;/pre&gt;&lt;/iframe&gt;&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;"))
  }

  @Test func `the default language comes first, whatever the order of the tags`() throws {
    var fixture = MessageFixture("{{service}}")
    for tag in ["en", "ja", "zh-CN"] { fixture.files["\(tag).md"] = "Subject: x\n\n{{service}}\n" }
    let message = try #require(fixture.compile().message)
    for (first, order) in [("ko", ["ko", "en", "ja", "zh-CN"]), ("zh-cn", ["zh-CN", "en", "ja", "ko"])] {
      let previewed = try PreviewedMessage(message, defaultLanguage: first)
      #expect(previewed.views.filter { $0.sample == .examples }.map(\.language) == order)
    }
  }

  @Test func `the page is in the language of its reader`() throws {
    var fixture = MessageFixture("{{service}}")
    fixture.json =
      #"{ "for": { "en": "greets", "ko": "인사" }, "variables": { "service": { "for": "the service", "kind": "text", "example": "파발" } } }"#
    let message = try PreviewedMessage(try #require(fixture.compile().message), defaultLanguage: "ko")
    let problem = Diagnostic("{{x}} is not declared in message.json", remedy: "declare it there")
    let korean = PreviewPage([message], problems: [problem], language: .korean).html
    for text in ["<html lang=\"ko\">", "수정할 곳", "{{x}} 변수가 message.json에 없습니다", "인사", "밝은 화면"] {
      #expect(korean.contains(text), "\(text)")
    }
    let english = PreviewPage([message], problems: [problem], language: .english).html
    for text in ["<html lang=\"en\">", "To fix", "is not declared", "greets", "Light"] {
      #expect(english.contains(text), "\(text)")
    }
    #expect(!english.contains("수정할 곳") && !korean.contains("To fix"))
  }

  @Test func `every frame is sandboxed`() throws {
    let page = PreviewPage([try PreviewTests.message("{{service}}")], problems: []).html
    let frames = page.ranges(of: "<iframe ").count
    #expect(frames == 8)
    #expect(page.ranges(of: "sandbox=\"allow-same-origin\"").count == frames)
    #expect(!page.contains("allow-scripts"))
    #expect(page.contains("default-src 'none'"))
  }

  @Test func `the same content has the same version in every process`() throws {
    let message = try PreviewTests.message("{{service}}")
    let page = PreviewPage([message], problems: [], follows: true)
    #expect(page == PreviewPage([message], problems: [], follows: true))
    #expect(page.version != PreviewPage([], problems: [], follows: true).version)
    #expect(page.version != PreviewPage([message], problems: [Diagnostic("x")], follows: true).version)
    #expect(page.html.contains("follow(\"\(page.version)\");"))
    #expect(!PreviewPage([message], problems: []).html.contains("follow(\""))
    // FNV-1a of an empty input.
    #expect(PreviewPage([], problems: []).version == 0xCBF2_9CE4_8422_2325)
  }

  @Test(arguments: [
    ("<style>@media (prefers-color-scheme: dark){p{}}</style>", "(max-width:0)", "(min-width:0)"),
    ("<style>@media (prefers-color-scheme:light){p{}}</style>", "(min-width:0)", "(max-width:0)"),
    ("<STYLE>@media (PREFERS-color-scheme: DARK){p{}}</STYLE>", "(max-width:0)", "(min-width:0)"),
    ("<source media=\"(prefers-color-scheme: dark)\">", "(max-width:0)", "(min-width:0)"),
  ])
  func `a page's color scheme queries are replaced`(page: String, light: String, dark: String) {
    for (scheme, answer) in [(ColorScheme.light, light), (.dark, dark)] {
      let applied = scheme.applied(to: page)
      #expect(applied.contains(answer))
      #expect(!applied.lowercased().contains("prefers-color-scheme"))
    }
  }

  @Test func `text about color schemes isn't replaced`() {
    let page = "<p>(prefers-color-scheme: dark)</p><style>a{}</style><p>(prefers-color-scheme: dark)</p>"
    #expect(ColorScheme.dark.applied(to: page).hasPrefix(page))
    #expect(
      ColorScheme.dark.applied(to: "<style>(prefers-color-scheme").hasPrefix("<style>(prefers-color-scheme"))
  }
}
