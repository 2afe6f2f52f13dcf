import PabalCore
import Testing

@testable import PabalMessages

/// Words and lines that don't belong in a mail.
@Suite struct TextLintTests {
  private static func findings(_ body: String, language: String = "ko") -> [String] {
    var fixture = MessageFixture(body, variables: [("valid_for", "duration", "10m"), ("name", "text", "10")])
    fixture.language = language
    if language != "ko" { fixture.files = ["\(language).md": "Subject: x\n\n\(body)\n"] }
    return fixture.findings.filter { !$0.contains("no language uses") }
  }

  @Test(arguments: [
    ("{{valid_for}}분 안에", "분", 14), ("{{valid_for}} 분간", "분", 15), ("{{valid_for}}시간이 지나면", "시간", 14),
    ("{{valid_for}}초.", "초", 14), ("{{valid_for}} minutes from now", "minutes", 15),
    ("{{valid_for}}min", "min", 14),
  ])
  func `a unit after a duration is reported`(body: String, unit: String, column: Int) {
    #expect(
      TextLintTests.findings(body) == [
        "test/ko.md:3:\(column): warning: \(unit) after {{valid_for}}, which contains its unit already; leave \(unit) out"
      ])
  }

  @Test(arguments: [
    "{{valid_for}} 안에", "{{valid_for}}초과", "{{valid_for}} 분기", "{{name}}분 안에", "{{valid_for}}",
    "{{valid_for}} minutely",
    "10분 {{valid_for}}",
  ])
  func `a word that isn't the unit of a duration isn't reported`(body: String) {
    #expect(TextLintTests.findings(body).isEmpty)
  }

  @Test func `the marks of conflicting edits are an error`() {
    let found = TextLintTests.findings("가\n\n<<<<<<< HEAD\n나\n=======\n다\n>>>>>>> other\n")
    #expect(
      found.contains(
        "test/ko.md:5:1: error: two edits of this text conflict; keep one of them, and remove the lines that start with <<<<<<<, ======= and >>>>>>>"
      ), "\(found)")
    #expect(TextLintTests.findings("값 <<<<<<< HEAD").isEmpty)
  }

  @Test(
    arguments: [
      [0xFF, 0xFE, 0x53, 0x00], [0xFE, 0xFF, 0x00, 0x53], [0x53, 0x00, 0x75, 0x00], [0x00, 0x53, 0x00, 0x75],
    ] as [[UInt8]])
  func `a file in UTF-16 is one error`(bytes: [UInt8]) {
    #expect(throws: Diagnostics.self) {
      do throws(Diagnostics) {
        _ = try SourceText(bytes, file: "ko.md")
      } catch {
        #expect(
          error.all.map(\.description) == ["ko.md:1:1: error: the file is UTF-16 or UTF-32; save it as UTF-8"]
        )
        throw error
      }
    }
  }
}
