import PabalCore
import Testing

@testable import PabalMessages

/// What lint says in Korean. `MessageFixture.findings` checks that every diagnostic of the other tests is translated.
@Suite struct KoreanDiagnosticTests {
  @Test(arguments: [
    (
      Diagnostic(
        "{{servcie}} is not declared in message.json", remedy: "did you mean {{service}}?", file: "a/ko.md",
        position: SourcePosition(line: 4, column: 10)),
      "a/ko.md:4:10: 오류: {{servcie}} 변수가 message.json에 없습니다. {{service}}를 쓰려던 것인가요?"
    ),
    (
      Diagnostic(
        "은 after {{code}} fits only some values", remedy: "write 은(는)", file: "a/ko.md",
        position: SourcePosition(line: 1, column: 2), severity: .warning),
      "a/ko.md:1:2: 경고: {{code}} 뒤에 '은'만 쓰면 맞지 않는 값이 있습니다. 이렇게 쓰세요: 은(는)"
    ),
    (
      Diagnostic("unknown key", remedy: "did you mean 'kind'?", file: "a/message.json", path: "variables.x"),
      "a/message.json: 오류: variables.x: 쓸 수 없는 이름입니다. 'kind'를 쓰려던 것인가요?"
    ),
    (Diagnostic("something new"), "오류: something new"),
  ])
  func `a diagnostic in Korean`(diagnostic: Diagnostic, text: String) {
    #expect(diagnostic.description(in: .korean) == text)
    #expect(diagnostic.description(in: .english) == diagnostic.description)
  }

  @Test(arguments: [
    (["LANG": "ko_KR.UTF-8"], InterfaceLanguage.korean), (["LANG": "ko"], .korean),
    (["LANG": "ko_KR.utf8"], .korean),
    (["LANG": "en_US.UTF-8", "LC_ALL": "ko_KR.UTF-8"], .korean),
    (["LANG": "ko_KR.UTF-8", "LC_ALL": "C"], .english),
    (["LANG": "ko_KR.UTF-8", "LC_ALL": "", "LC_MESSAGES": "en_US.UTF-8"], .english),
    (["LC_MESSAGES": "ko_KR@x", "LANG": "C"], .korean), (["LANG": "ko_KR.eucKR"], .english), ([:], .english),
    (["LANG": "kok_IN.UTF-8"], .english),
  ])
  func `the language of a terminal`(environment: [String: String], language: InterfaceLanguage) {
    #expect(InterfaceLanguage(environment: { environment[$0] }) == language)
  }

  @Test(arguments: [
    ("ko-KR,ko;q=0.9,en;q=0.8", InterfaceLanguage.korean), ("en-US,en;q=0.9,ko;q=0.8", .english),
    ("ja,ko;q=0.5", .korean),
    ("en;q=0.1, ko;q=0.9", .korean), ("ko;q=0", .english), ("", .english), ("*", .english), ("KO", .korean),
  ])
  func `the language of a browser`(header: String, language: InterfaceLanguage) {
    #expect(InterfaceLanguage(acceptLanguage: header) == language)
  }
}
