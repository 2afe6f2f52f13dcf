import Testing

@testable import PabalCore

@Suite struct ObjectDecoderTests {
  private enum Color: String, CaseIterable { case red, green }

  private func errors<Value>(
    _ text: String, _ subject: DiagnosticCollector.Subject = .file("a.json"),
    _ read: (ObjectDecoder) -> Value?
  ) -> [String] {
    let collector = DiagnosticCollector(subject: subject)
    _ = collector.decode(Array(text.utf8), read)
    return collector.sortedByPosition.map(\.description)
  }

  @Test(arguments: [
    (DiagnosticCollector.Subject.file("a.json"), "a.json:1:1: error: the file is empty; write at least {}"),
    (.body, "error: the body is empty; write at least {}"),
  ])
  func `a syntax error names its subject`(subject: DiagnosticCollector.Subject, expected: String) {
    #expect(errors("", subject) { _ in 0 } == [expected])
  }

  @Test(arguments: [
    (DiagnosticCollector.Subject.file("a.json"), "save the file as UTF-8"), (.body, "send the body as UTF-8"),
  ])
  func `the remedy of a syntax error fits its subject`(
    subject: DiagnosticCollector.Subject, expected: String
  ) {
    let collector = DiagnosticCollector(subject: subject)
    #expect(collector.decode([0x22, 0xFF, 0x22]) { _ in 0 } == nil)
    #expect(collector.all.map(\.remedy) == [expected])
    #expect(collector.all.map(\.position) == [SourcePosition(line: 1, column: 2)])
  }

  @Test func `missing, unknown and duplicate keys are reported`() {
    let found = errors(#"{"a": {"x": 1, "x": 2, "zzzz": 3}}"#) { root in
      root.optional("a")?.object { a in
        _ = a.optional("x")
        return a.required("needed", remedy: "add it")
      }
    }
    #expect(
      found == [
        "a.json:1:7: error: a: missing key 'needed'; add it",
        "a.json:1:16: error: a.x: duplicate key, first used in line 1, column 8; remove one of the two",
        "a.json:1:24: error: a.zzzz: unknown key; use one of 'x', 'needed'",
      ])
  }

  @Test func `a misspelt key is reported once below a file's top level, and else as unknown and missing`() {
    func read(_ object: ObjectDecoder) -> String? { object.required("color", remedy: "add it")?.text() }
    let unknown = "colr: unknown key; did you mean 'color'?"
    #expect(
      errors(#"{"a": {"colr": 1}}"#, .file("a.json")) { $0.optional("a")?.object(read) }
        == ["a.json:1:8: error: a.\(unknown)"])
    #expect(
      errors(#"{"colr": 1}"#, .file("a.json"), read) == [
        "a.json:1:1: error: missing key 'color'; add it", "a.json:1:2: error: \(unknown)",
      ])
    #expect(
      errors(#"{"colr": 1}"#, .body, read) == [
        "error: color: missing key 'color'; add it", "error: \(unknown)",
      ])
  }

  @Test func `another kind of value than an object is an error`() {
    #expect(errors("[]") { _ in 0 } == ["a.json:1:1: error: expected an object, not a list"])
    #expect(errors(#""a""#, .body) { _ in 0 } == ["error: expected an object, not a string"])
  }

  @Test(arguments: [
    ("\"red\"", nil), ("\"rde\"", "'rde' is not a valid choice; did you mean 'red'?"),
    ("\"violet\"", "'violet' is not a valid choice; use one of 'red', 'green'"),
    ("1", "expected a string, not a number; write it in double quotes"),
  ])
  func `a choice is one of the cases`(json: String, error: String?) {
    let found = errors("{\"c\": \(json)}") { $0.optional("c")?.choice(Color.self) }
    #expect(found == (error.map { ["a.json:1:7: error: c: \($0)"] } ?? []))
  }

  @Test(arguments: [
    ("5", nil), ("0", "'0' is out of range; use 1 to 9"), ("1.5", "expected a whole number from 1 to 9"),
    ("\"5\"", "expected a whole number from 1 to 9; write it without quotes"),
    ("[]", "expected a whole number from 1 to 9"),
  ])
  func `a whole number is in its range`(json: String, error: String?) {
    let found = errors("{\"n\": \(json)}") { $0.optional("n")?.integer(in: 1...9) }
    #expect(found == (error.map { ["a.json:1:7: error: n: \($0)"] } ?? []))
  }

  @Test(arguments: [
    ("30s", nil), ("soon", #"'soon' is not a duration; write it like "500ms", "30s", "10m" or "1h""#),
    ("2h", "'2h' is out of range; use 1s to 1h"),
    ("600", #"'600' is not a duration; write "10m""#),
    ("10 min", #"'10 min' is not a duration; write "10m""#),
    ("1.5m", #"'1.5m' is not a duration; write "90s""#), ("10M", #"'10M' is not a duration; write "10m""#),
    ("1h 30m", #"'1h 30m' is not a duration; write "90m""#),
    ("PT10M", #"'PT10M' is not a duration; write "10m""#),
    ("1d", #"'1d' is not a duration; write "24h""#), ("10분", #"'10분' is not a duration; write "10m""#),
    ("30000", #"'30000' is not a duration; write "30s""#),
    ("-1", #"'-1' is not a duration; write it like "500ms", "30s", "10m" or "1h""#),
  ])
  func `a duration is in its range`(text: String, error: String?) {
    let found = errors("{\"d\": \"\(text)\"}") {
      $0.optional("d")?.duration(in: .seconds(1)...(.seconds(3_600)))
    }
    #expect(found == (error.map { ["a.json:1:7: error: d: \($0)"] } ?? []))
  }

  @Test func `a string keeps control characters, which a text may not have`() {
    #expect(errors(#"{"s": "a\nb"}"#) { $0.optional("s")?.string() } == [])
    #expect(
      errors(#"{"s": "a\nb"}"#) { $0.optional("s")?.text() } == [
        "a.json:1:7: error: s: contains a line break or another control character; remove it"
      ])
  }
}
