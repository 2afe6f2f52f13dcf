import PabalCore
import Testing

@testable import PabalMessages

@Suite struct ParticleTests {
  private static let writings = "은(는) 이(가) 을(를) 와(과) (으)로 (이)라 아(야) 이에요(예요)"

  @Test func `the table has at least 150 different values`() {
    #expect(Set(ParticleTable.rows.map(\.value)).count >= 150)
  }

  @Test func `every value takes the particles that a Korean speaker would use`() {
    let writings = ParticleTests.writings.split(separator: " ")
    for (value, forms) in ParticleTable.rows {
      let sound = LastSound.of(value)
      let said = writings.map {
        Particle.written(at: Array($0.unicodeScalars)[...])?.form(after: sound) ?? "?"
      }
      // For (이)라, the 라 comes from the text.
      let whole = said.enumerated().map { $0 == 5 ? $1 + "라" : $1 }.joined(separator: " ")
      #expect(whole == forms, "\(value)")
    }
  }

  @Test func `particles are the same in subject, text and HTML`() throws {
    let line = ParticleTests.writings.split(separator: " ").map { "{{service}}\($0)" }.joined(separator: " ")
    let fixture = MessageFixture(line, subject: line)
    let (message, diagnostics) = fixture.compile()
    #expect(diagnostics.filter { $0.severity == .error }.isEmpty)
    let compiled = try #require(message)
    let korean = try #require(compiled.languages["ko"])
    for (value, forms) in ParticleTable.rows where !value.allSatisfy({ $0 == " " }) {
      let expected = forms.split(separator: " ").map { "\(value)\($0)" }.joined(separator: " ")
      let mail = try compiled.render(korean, ["service": .text(value)])
      #expect(mail.subject == expected)
      #expect(mail.text == expected + "\n")
      let escaped = expected.map { ["&": "&amp;", "\"": "&quot;", "'": "&#39;"][$0] ?? String($0) }.joined()
      #expect(mail.html.contains("<p>\(escaped)</p>"))
    }
  }

  @Test(arguments: [
    ("은(는)", "파발은", "카카오는"), ("는(은)", "파발은", "카카오는"), ("(은)는", "파발은", "카카오는"),
    ("은/는", "파발은", "카카오는"), ("이(가)", "파발이", "카카오가"), ("가(이)", "파발이", "카카오가"),
    ("이/가", "파발이", "카카오가"), ("을(를)", "파발을", "카카오를"), ("를(을)", "파발을", "카카오를"),
    ("을/를", "파발을", "카카오를"), ("와(과)", "파발과", "카카오와"), ("과(와)", "파발과", "카카오와"),
    ("(으)로", "파발로", "카카오로"), ("으로(로)", "파발로", "카카오로"), ("(으)로서", "파발로서", "카카오로서"),
    ("(이)라", "파발이라", "카카오라"), ("(이)라고", "파발이라고", "카카오라고"), ("(이)나", "파발이나", "카카오나"),
    ("(이)랑", "파발이랑", "카카오랑"), ("(이)며", "파발이며", "카카오며"), ("(이)여", "파발이여", "카카오여"),
    ("아(야)", "파발아", "카카오야"), ("야(아)", "파발아", "카카오야"), ("(이)다", "파발이다", "카카오다"),
    ("(아)야", "파발아", "카카오야"), ("(야)아", "파발아", "카카오야"), ("(이)에요", "파발이에요", "카카오예요"),
    ("이에요(예요)", "파발이에요", "카카오예요"), ("이에요/예요", "파발이에요", "카카오예요"),
    ("(는)은", "파발은", "카카오는"), ("(가)이", "파발이", "카카오가"), ("(를)을", "파발을", "카카오를"),
    ("(이)었습니다", "파발이었습니다", "카카오였습니다"), ("이었/였", "파발이었", "카카오였"),
    ("(이)어서", "파발이어서", "카카오여서"),
  ])
  func `the order of the two forms doesn't matter`(writing: String, afterRieul: String, afterVowel: String)
    throws
  {
    let fixture = MessageFixture("{{service}}\(writing)")
    #expect(try fixture.render(["service": "파발"]).text == afterRieul + "\n")
    #expect(try fixture.render(["service": "카카오"]).text == afterVowel + "\n")
  }

  @Test(arguments: [
    ("**{{service}}**은(는)", "파발은", "<p><strong>파발</strong>은</p>"),
    ("*{{service}}*을(를)", "파발을", "<p><em>파발</em>을</p>"),
    ("'{{service}}'이(가)", "'파발'이", "<p>&#39;파발&#39;이</p>"),
    ("\"{{service}}\"와(과)", "\"파발\"과", "<p>&quot;파발&quot;과</p>"),
    ("[{{service}}](https://example.com/a)은(는)", "파발 (https://example.com/a)은", ">파발</a>은</p>"),
    ("({{service}})(으)로", "(파발)로", "<p>(파발)로</p>"),
    ("“{{service}}”(이)라", "“파발”이라", "<p>“파발”이라</p>"),
    ("『{{service}}』은(는)", "『파발』은", "<p>『파발』은</p>"),
    ("`{{service}}`은(는)", "파발은", "<p><code>파발</code>은</p>"),
  ])
  func `marks, brackets and quotes before a particle are skipped`(body: String, text: String, html: String)
    throws
  {
    let fixture = MessageFixture(body)
    #expect(try fixture.render(["service": "파발"]).text == text + "\n")
    #expect(try fixture.html(["service": "파발"]).contains(html))
  }

  @Test func `tags before a particle are skipped in hand-written HTML`() throws {
    var fixture = MessageFixture("{{service}}")
    fixture.files["ko.html"] = "<b>{{service}}</b>은(는)"
    #expect(try fixture.html(["service": "카카오"]) == "<b>카카오</b>는")
  }

  @Test func `a reading takes precedence over the value`() throws {
    let fixture = MessageFixture("{{service}}은(는)")
    #expect(try fixture.render(["service": "Foobar"]).text == "Foobar은\n")
    #expect(try fixture.render(["service": .text("Foobar", reading: "푸바")]).text == "Foobar는\n")
    #expect(try fixture.render(["service": .text("🚀", reading: "로켓")]).text == "🚀은\n")
    // If the pronunciation of the reading is unknown too, the value decides.
    #expect(try fixture.render(["service": .text("파발", reading: "🚀")]).text == "파발은\n")
  }

  @Test func `a code is read digit by digit, and a text as a number`() throws {
    let fixture = MessageFixture(
      "`{{code}}`\n\n{{code}}은(는) {{number}}은(는)",
      variables: [("code", "code", "123456"), ("number", "text", "7")])
    let trillion = "1000000000000"
    // 공 versus 조.
    let values: [String: MessageValue] = ["code": "100000000000", "number": .text(trillion)]
    #expect(try fixture.render(values).text.hasSuffix("100000000000은 \(trillion)는\n"))
  }

  @Test func `a duration and a time take the particle of the formatted text`() throws {
    let fixture = MessageFixture(
      "{{wait}}(으)로 {{at}}은(는)",
      variables: [("wait", "duration", "10m"), ("at", "time", "2026-01-02T15:24:00+09:00")])
    let time = MessageValue.text("2026-01-02T15:24:00+09:00")
    #expect(try fixture.render(["wait": "10m", "at": time]).text == "10분으로 오후 3:24 KST는\n")
    #expect(try fixture.render(["wait": "3d", "at": time]).text == "3일로 오후 3:24 KST는\n")
  }
}
