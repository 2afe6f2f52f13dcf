import Foundation
import Testing

@testable import PabalMessages

@Suite struct RenderingPropertyTests {
  /// SplitMix64, so that a failure can be reproduced.
  private struct SplitMix64Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var word = state
      word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
      word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
      return word ^ (word >> 31)
    }
  }

  private static let fragments = [
    "{{service}}", "{{link}}", "{{wait}}", "은(는)", "(으)로", "을/를", "(이)라", "**", "*", "_", "`", "``", "[",
    "](", ")",
    "![", "<", ">", "<b>", "&", "&#57344;", "&#xE001;", "&amp;", "\\", "\n", "\n\n", "- ", "1. ", "> ", "# ",
    "---\n",
    "```\n", "    ", "https://a.example/", "<https://a.example/", "[x]: ", "\"", "'", "(", "가", "파발", "x",
    " ", "{{", "}}",
    "{", "}", "{%", "\t", "🚀", "<!-- ", "-->",
    "~~", "\\~", "|", "\n|---|:-:|\n", " 은(는)", "이라/라", "(이)예요", "/",
  ]

  private static func holdsPlaceholder(_ text: String) -> Bool {
    text.unicodeScalars.contains { SourceText.placeholders.contains($0.value) }
  }

  @Test func `a compiled message never shows a placeholder, nor a value as markup`() throws {
    var generator = SplitMix64Generator(state: 20260801)
    var compiled = 0
    for _ in 0..<1500 {
      let count = Int.random(in: 1...14, using: &generator)
      let body = (0..<count).compactMap { _ in
        RenderingPropertyTests.fragments.randomElement(using: &generator)
      }.joined()
      let fixture = MessageFixture(
        body,
        variables: [
          ("service", "text", "x"), ("link", "url", "https://a.example"), ("wait", "duration", "10m"),
        ])
      let (message, _) = fixture.compile()
      guard let message, let korean = message.languages["ko"] else { continue }
      compiled += 1
      let value = "<script>\"'&[x](y)**`"
      let link = "https://b.example/\"><script>"
      let mail = try message.render(korean, ["service": .text(value), "link": .text(link), "wait": "10m"])
      for part in [mail.subject, mail.text, mail.html] {
        #expect(!RenderingPropertyTests.holdsPlaceholder(part), "\(body)")
      }
      #expect(!mail.html.contains("<script"), "\(body)")
      #expect(!mail.text.contains("{{") || body.contains("{ {"), "\(body)")
      #expect(mail.text.hasSuffix("\n"))
    }
    #expect(compiled > 200)
  }

  @Test func `text without control characters is rendered unchanged, in NFC`() throws {
    var generator = SplitMix64Generator(state: 7)
    let fixture = MessageFixture("{{service}}은(는)", subject: "{{service}}")
    let (compiled, _) = fixture.compile()
    let message = try #require(compiled)
    let korean = try #require(message.languages["ko"])
    for _ in 0..<2000 {
      var value = "x"
      for _ in 0..<Int.random(in: 0...12, using: &generator) {
        let limit: UInt32 = Bool.random(using: &generator) ? 0x2FF : 0x10FFFF
        if let scalar = Unicode.Scalar(UInt32.random(in: 0...limit, using: &generator)) {
          value.unicodeScalars.append(scalar)
        }
      }
      let isFit = !value.unicodeScalars.contains { scalar in
        switch scalar.value {
        case 0...0x1F, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069, 0xE000...0xF8FF: true
        default: false
        }
      }
      if isFit {
        let mail = try message.render(korean, ["service": .text(value)])
        let composed = value.precomposedStringWithCanonicalMapping
        #expect(Array(mail.subject.unicodeScalars) == Array(composed.unicodeScalars))
        #expect(mail.text.unicodeScalars.starts(with: composed.unicodeScalars))
      } else {
        #expect(throws: MessageError.self) { try message.render(korean, ["service": .text(value)]) }
      }
    }
  }
}
