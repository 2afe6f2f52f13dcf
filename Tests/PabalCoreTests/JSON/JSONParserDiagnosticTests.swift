import PabalCore
import PabalFormats
import Testing

/// `JSONParser.read`; the parser itself is tested in PabalFormatsTests.
@Suite struct JSONParserDiagnosticTests {
  @Test func `a file is read with its byte order mark, positions and duplicate keys`() throws(Diagnostic) {
    let value = try JSONParser.read(Array("\u{FEFF}{\"a\": 1,\n \"a\": 2}".utf8), file: "a.json")
    #expect(value.members.map(\.key) == ["a", "a"])
    #expect(value.members.map(\.keyPosition) == [.init(line: 1, column: 2), .init(line: 2, column: 2)])
    #expect(value.members.map(\.value.content) == [.number("1"), .number("2")])
  }

  @Test(arguments: [
    ("", "config.json:1:1: error: the file is empty; write at least {}"),
    (
      "{\n  \"a\": 1\n  \"b\": 2\n}",
      "config.json:2:9: error: expected , or } after the value; add a comma here"
    ),
    ("[\"\\u12G4\"]", "config.json:1:3: error: \\u without four hexadecimal digits"),
  ])
  func `a syntax error is a diagnostic with its file, position and remedy`(text: String, expected: String) {
    let error = #expect(throws: Diagnostic.self) {
      try JSONParser.read(Array(text.utf8), file: "config.json")
    }
    #expect(error?.description == expected)
  }

  @Test func `64 levels are read and the 65th is refused where it opens`() throws {
    let deepest = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    _ = try JSONParser.read(Array(deepest.utf8), file: "a")
    let error = #expect(throws: Diagnostic.self) {
      try JSONParser.read(Array(String(repeating: "[", count: 1_000_000).utf8), file: "a")
    }
    #expect(error?.description == "a:1:65: error: nested deeper than 64 levels")
  }
}
