import Foundation
import PabalCore
import Testing

@testable import PabalMessages

/// Text that macOS saved in decomposed form (NFD).
@Suite struct CompositionTests {
  private static func decomposed(_ text: String) -> String { text.decomposedStringWithCanonicalMapping }

  @Test func `a decomposed file gives the same mail as a composed one`() throws {
    let body = "안녕하세요. {{service}}은(는) 각종 Café 값을 {{service}}(으)로 보냅니다.\n\n---\n\n작은 글씨"
    let mail = try MessageFixture(Self.decomposed(body), subject: Self.decomposed("{{service}}이(가) 온 제목"))
      .render(["service": "파발"])
    let expected = try MessageFixture(body, subject: "{{service}}이(가) 온 제목").render(["service": "파발"])
    // Compared by scalar, because Swift's strings compare equal in any form.
    for (left, right) in [
      (mail.subject, expected.subject), (mail.text, expected.text), (mail.html, expected.html),
    ] {
      #expect(Array(left.unicodeScalars) == Array(right.unicodeScalars))
    }
    #expect(mail.subject == "파발이 온 제목")
  }

  @Test func `positions are those of the file as saved`() {
    let found = MessageFixture(Self.decomposed("각각 é {{servcie}} 가")).findings
    // Three jamo for each 각, a space, two scalars for é, a space.
    #expect(found.contains { $0.hasPrefix("test/ko.md:3:11: error: {{servcie}}") }, "\(found)")
    let next = MessageFixture(Self.decomposed("각각\n\n나 {{servcie}}")).findings
    #expect(next.contains { $0.hasPrefix("test/ko.md:5:4: error: {{servcie}}") }, "\(next)")
  }

  @Test func `decomposed values and readings are composed`() throws {
    let fixture = MessageFixture("{{service}}은(는)")
    let mail = try fixture.render(["service": .text(Self.decomposed("카톡"))])
    #expect(Array(mail.text.unicodeScalars) == Array("카톡은\n".unicodeScalars))
    let spoken = try fixture.render(["service": .text("Foo", reading: Self.decomposed("푸우"))])
    #expect(spoken.text == "Foo는\n")
  }

  @Test func `values of the site, defaults and examples are composed`() throws {
    var site = MessageFixture("{{service}}은(는)")
    site.siteVariables = ["service": Self.decomposed("카톡")]
    #expect(Array(try site.render().text.unicodeScalars) == Array("카톡은\n".unicodeScalars))
    var declared = MessageFixture("{{service}}은(는)")
    declared.json = Self.decomposed(
      #"{ "for": "시험", "variables": { "service": { "for": "이름", "kind": "text", "example": "톡", "default": "카톡" } } }"#
    )
    #expect(Array(try declared.render().text.unicodeScalars) == Array("카톡은\n".unicodeScalars))
    let message = try #require(declared.compile().message)
    #expect(Array(message.declaration.purpose.text.unicodeScalars) == Array("시험".unicodeScalars))
    #expect(Array(message.declaration.variables[0].purpose.text.unicodeScalars) == Array("이름".unicodeScalars))
  }

  @Test func `a decomposed layout is composed`() throws {
    var fixture = MessageFixture("{{service}}")
    fixture.layout = Self.decomposed("<!doctype html><html><body>{{service}}은(는) {{content}}</body></html>")
    #expect(try fixture.html(["service": "파발"]).hasPrefix("파발은 "))
  }
}
