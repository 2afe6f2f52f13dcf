import PabalCore
import Testing

@Suite struct JSONReaderTests {
  @Test func `every value keeps its place, counted in scalars`() throws(Diagnostic) {
    let text = "\u{FEFF}{\r\n  \"가\": [1, \"나\\n\", true],\n\t\"b\": {}}\n"
    let node = try JSONReader.read(Array(text.utf8), file: "a.json")
    let expected = JSONNode(
      .object([
        JSONNode.Member(
          key: "가", keyPosition: SourcePosition(line: 2, column: 3),
          node: JSONNode(
            .array([
              JSONNode(.number("1"), at: SourcePosition(line: 2, column: 9)),
              JSONNode(.string("나\n"), at: SourcePosition(line: 2, column: 12)),
              JSONNode(.boolean(true), at: SourcePosition(line: 2, column: 19)),
            ]), at: SourcePosition(line: 2, column: 8))),
        JSONNode.Member(
          key: "b", keyPosition: SourcePosition(line: 3, column: 2),
          node: JSONNode(.object([]), at: SourcePosition(line: 3, column: 7))),
      ]), at: SourcePosition(line: 1, column: 1))
    #expect(node == expected)
  }

  @Test(arguments: [
    ("{\n  \"a\": 1\n  \"b\": 2\n}", "a:2:9: error: expected , or } after the value; put a comma here"),
    ("[1,]", "a:1:3: error: a comma before ], with nothing after it; take the comma out"),
    ("{'a': 1}", "a:1:2: error: a single quotation mark; JSON takes double quotes: \"…\""),
    ("{} // end", "a:1:4: error: a comment; JSON has none; take it out"),
  ])
  func `a syntax error is one sentence with its place and cure`(text: String, expected: String) {
    #expect(throws: Diagnostic.self) { try JSONReader.read(Array(text.utf8), file: "a") }
    do { _ = try JSONReader.read(Array(text.utf8), file: "a") } catch {
      #expect(error.description == expected)
    }
  }
}
