import Foundation
import PabalCore
import Testing

@testable import PabalMessages

@Suite struct ShippedMessagesTests {
  static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Sources/Messages").path

  private static func store(service: String = "파발") -> MessageStore {
    MessageStore(directory: directory, language: "ko", variables: ["service": service])
  }

  private static let code: [String: MessageValue] = ["code": "000000", "valid_for": .duration(.seconds(600))]

  @Test func `lint has no findings`() { #expect(ShippedMessagesTests.store().lint().isEmpty) }

  @Test func `every message is in Korean and English`() throws {
    let store = ShippedMessagesTests.store()
    for name in try store.names() {
      #expect(try store.describe(name).languages.isSuperset(of: ["en", "ko"]))
    }
  }

  @Test func `the verification mail in Korean`() throws {
    let mail = try ShippedMessagesTests.store().render(
      "verification", languages: ["ko-KR"], values: ShippedMessagesTests.code)
    #expect(mail.subject == "[파발] 인증번호 000000")
    #expect(mail.lane == .code)
    #expect(mail.text.contains("\n\n    000000\n\n"))
    #expect(mail.text.contains("10분 동안"))
    #expect(mail.text.contains("파발은 전화나"))
    #expect(!mail.text.contains("*") && !mail.text.contains("`") && !mail.text.contains("{"))
    #expect(mail.html.contains("<html lang=\"ko\">"))
  }

  @Test func `the verification mail in English`() throws {
    let mail = try ShippedMessagesTests.store(service: "Pabal").render(
      "verification", languages: ["en"], values: ["code": "000000", "valid_for": .duration(.seconds(60))])
    #expect(mail.subject == "[Pabal] Your verification code: 000000")
    #expect(mail.text.contains("\n\n    000000\n\n"))
    #expect(mail.text.contains("valid for 1 minute and"))
    #expect(mail.html.contains("<html lang=\"en\">"))
  }

  @Test(arguments: ["ko", "en"])
  func `the mail to a registered address only needs the name of the service`(language: String) throws {
    let store = ShippedMessagesTests.store(service: "카카오")
    #expect(try store.describe("registered").variables.map(\.name) == ["service"])
    // A notice must not differ in these from a mail with a code.
    let (usual, notice) = (try store.describe("verification"), try store.describe("registered"))
    #expect(notice.lane == usual.lane && notice.unknownPolicy == usual.unknownPolicy)
    #expect(Set(notice.languages) == Set(usual.languages))
    let mail = try store.render("registered", languages: [language], values: [:])
    #expect(mail.language == language)
    #expect(mail.subject.hasPrefix("[카카오] "))
    for part in [mail.subject, mail.text, mail.html] {
      #expect(part.contains("카카오") && !part.contains("은(는)") && !part.contains("{{"))
    }
  }

  @Test func `a page loads no external resources and declares its language and color schemes`() throws {
    let html = try ShippedMessagesTests.store().render(
      "verification", languages: ["ko"], values: ShippedMessagesTests.code
    ).html
    for word in ["http://", "https://", "<img", "<script", "@import", "url("] {
      #expect(!html.contains(word), "\(word)")
    }
    for word in [
      "<meta name=\"color-scheme\" content=\"light dark\">", "prefers-color-scheme: dark", "max-width:520px",
      "role=\"presentation\"", "10분 안에 입력해 주세요.",
    ] {
      #expect(html.contains(word), "\(word)")
    }
    #expect(html.utf8.count < 8192)
    // The digits can be copied together, because the space between them is only visual.
    #expect(html.contains(">000000</p>") && html.contains("letter-spacing"))
  }

  @Test func `a hostile service name stays a name`() throws {
    let name = "<img src=x onerror=alert(1)>\"'&"
    let mail = try ShippedMessagesTests.store(service: name).render(
      "verification", languages: ["ko"], values: ShippedMessagesTests.code)
    #expect(!mail.html.contains("<img"))
    #expect(mail.text.contains(name))
  }

  // WCAG 2.2, 1.4.3 requires a contrast of 4.5 to 1.
  @Test func `text has enough contrast in both color schemes`() throws {
    let layout = try String(contentsOfFile: ShippedMessagesTests.directory + "/layout.html", encoding: .utf8)
    let page = HTMLTemplate(try SourceText(Array(layout.utf8), file: "layout.html"))
    let light = page.styles
    let start = try #require(light.remainingCSS.firstRange(of: "@media (prefers-color-scheme: dark){"))
    let end = try #require(light.remainingCSS[start.upperBound...].firstRange(of: "}}"))
    let dark = StyleSheet(String(light.remainingCSS[start.upperBound..<end.lowerBound]) + "}")

    func value(_ sheet: StyleSheet, _ element: String?, _ name: String?, _ property: String) -> String? {
      sheet.rules.last {
        $0.element == element && $0.className == name && $0.declarations.contains { $0.property == property }
      }?
      .declarations.last { $0.property == property }?.value.replacing(" !important", with: "")
    }
    let pairs: [((String?, String?), (String?, String?))] = [
      ((nil, "content"), (nil, "card")), ((nil, "service"), (nil, "card")), (("a", nil), (nil, "card")),
      (("p", "note"), (nil, "card")), (("p", "code"), ("p", "code")), (("h1", nil), (nil, "card")),
    ]
    for (scheme, sheet) in [("light", light), ("dark", dark)] {
      for (text, ground) in pairs {
        let color = try #require(value(sheet, text.0, text.1, "color"), "\(scheme) \(text)")
        let behind = try #require(value(sheet, ground.0, ground.1, "background-color"), "\(scheme) \(ground)")
        let contrast = Self.contrast(color, behind)
        #expect(contrast >= 4.5, "\(scheme): \(text) is \(contrast)")
      }
    }
  }

  private static func contrast(_ a: String, _ b: String) -> Double {
    let (x, y) = (luminance(a), luminance(b))
    return (max(x, y) + 0.05) / (min(x, y) + 0.05)
  }

  private static func luminance(_ color: String) -> Double {
    let number = Int(color.dropFirst(), radix: 16) ?? 0
    let parts = [16, 8, 0].map { shift -> Double in
      let part = Double((number >> shift) & 0xFF) / 255
      return part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4)
    }
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
  }
}

extension Array where Element: Hashable {
  fileprivate func isSuperset(of other: Set<Element>) -> Bool { Set(self).isSuperset(of: other) }
}
