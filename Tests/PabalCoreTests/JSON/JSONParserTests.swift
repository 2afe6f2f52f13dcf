import PabalCore
import Testing

@Suite struct JSONParserTests {
  @Test func `every value keeps its place, counted in scalars`() throws(Diagnostic) {
    let text = "\u{FEFF}{\r\n  \"가\": [1, \"나\\n\", true],\n\t\"b\": {}}\n"
    let node = try JSONParser.read(Array(text.utf8), file: "a.json")
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

  @Test func `a character outside the first plane is one column`() throws(Diagnostic) {
    let node = try JSONParser.read(Array(#"["😀👨‍👩‍👧", null]"#.utf8), file: "a")
    // Six scalars make the two emoji, with two joiners among them.
    #expect(
      node.value
        == .array([
          JSONNode(.string("😀👨‍👩‍👧"), at: SourcePosition(line: 1, column: 2)),
          JSONNode(.null, at: SourcePosition(line: 1, column: 12)),
        ]))
  }

  @Test func `a key that stands twice is kept twice`() throws(Diagnostic) {
    let node = try JSONParser.read(Array(#"{"a": 1, "a": 2}"#.utf8), file: "a")
    guard case .object(let members) = node.value else { return #expect(Bool(false), "no object") }
    #expect(members.map(\.key) == ["a", "a"])
    #expect(members.map(\.keyPosition.column) == [2, 10])
  }

  @Test(arguments: [
    ("", "1:1: error: the file is empty; write at least {}"),
    (" \n ", "2:2: error: the file is empty; write at least {}"),
    ("{\n  \"a\": 1\n  \"b\": 2\n}", "2:9: error: expected , or } after the value; put a comma here"),
    ("[1 2]", "1:3: error: expected , or ] after the value; put a comma here"),
    ("[1 ; 2]", "1:4: error: expected , or ] after the value"),
    ("{\"a\": 1]", "1:8: error: expected , or } after the value"),
    ("[1,]", "1:3: error: a comma before ], with nothing after it; take the comma out"),
    ("{\"a\": 1 ,\n\n}", "1:9: error: a comma before }, with nothing after it; take the comma out"),
    ("{,}", "1:2: error: , where a key should stand"),
    ("[,1]", "1:2: error: , where a value should stand"),
    ("{\"a\": }", "1:7: error: } where a value should stand"),
    ("{\"a\"}", "1:5: error: expected : after the key"),
    ("{\"a\" = 1}", "1:6: error: expected : after the key; write : in place of ="),
    ("{a: 1}", "1:2: error: a key without quotes; write \"a\""),
    ("{전송: 1}", "1:2: error: a key without quotes; write \"전송\""),
    ("{a\u{85}b: 1}", "1:2: error: a key without quotes; write it in double quotes"),
    ("{1: 1}", "1:2: error: a key that is no string; write it in double quotes"),
    ("{'a': 1}", "1:2: error: a single quotation mark; JSON takes double quotes: \"…\""),
    ("{\"a\": 'b'}", "1:7: error: a single quotation mark; JSON takes double quotes: \"…\""),
    ("{\"a\": “b”}", "1:7: error: a quotation mark that isn't JSON's; write the straight one: \""),
    ("{\"a\"： 1}", "1:5: error: a full-width ：; write the ASCII one"),
    ("[1，2]", "1:3: error: a full-width ，; write the ASCII one"),
    ("{\u{A0}\"a\": 1}", "1:2: error: an invisible character, U+00A0; take it out"),
    ("[\u{200B}1]", "1:2: error: an invisible character, U+200B; take it out"),
    ("[\u{B}1]", "1:2: error: an invisible character, U+000B; take it out"),
    ("{} // end", "1:4: error: a comment; JSON has none; take it out"),
    ("{\n  # transport\n}", "2:3: error: a comment; JSON has none; take it out"),
    ("[/* 1 */ 2]", "1:2: error: a comment; JSON has none; take it out"),
    ("[True]", "1:2: error: True is no JSON value; write true"),
    ("[None]", "1:2: error: None is no JSON value; write null"),
    ("[NaN]", "1:2: error: NaN is no JSON value; write a number"),
    ("[-Infinity]", "1:2: error: a minus sign without a digit after it"),
    ("[+1]", "1:2: error: a number with a plus sign; take the sign out"),
    ("[.5]", "1:2: error: a number with no digit before its point; write 0 before it"),
    ("[5.]", "1:2: error: a number with no digit after its point"),
    ("[1e]", "1:2: error: a number with no digit in its exponent"),
    (
      "[007]", "1:2: error: a number with a leading zero; take the zero out, or write a text in double quotes"
    ),
    ("[0x1F]", "1:2: error: a number with something else in it; write a text in double quotes"),
    ("[10s]", "1:2: error: a number with something else in it; write a text in double quotes"),
    ("{\"password\": hunter2}", "1:14: error: a word without quotes; write it in double quotes"),
    (
      "[\"a\nb\"]",
      "1:2: error: a string that isn't closed on its line; close it with \", or write a line break as \\n"
    ),
    ("[\"a\tb\"]", "1:4: error: a tab inside a string; write it as \\t"),
    ("[\"a\u{1}\"]", "1:4: error: a control character inside a string; take it out"),
    ("[\"abc", "1:2: error: a string that is never closed; close it with \""),
    ("[\"abc\\", "1:6: error: a string that is never closed; close it with \""),
    ("[\"C:\\temp\\x\"]", "1:10: error: a backslash that begins no escape; write a backslash itself as \\\\"),
    ("[\"\\u12G4\"]", "1:3: error: \\u without four hexadecimal digits"),
    (
      "[\"ab\\uD83D\"]",
      "1:5: error: half a character: \\uD83D stands without its other half; write the character itself"
    ),
    (
      "[\"\\uDE00\\uD83D\"]",
      "1:3: error: half a character: \\uDE00 stands without its other half; write the character itself"
    ),
    (
      "[\"\\uD83Dx\"]",
      "1:3: error: half a character: \\uD83D stands without its other half; write the character itself"
    ),
    ("{\n  \"a\": [1, 2\n", "3:1: error: the file ends before the [ of line 2, column 8 is closed"),
    ("{\n", "2:1: error: the file ends before the { of line 1, column 1 is closed"),
    ("{\"a\"", "1:5: error: the file ends after the key"),
    ("{\"a\":", "1:6: error: the file ends where a value should stand"),
    ("{} {}", "1:4: error: something after the end of the JSON text; take it out"),
    ("[%]", "1:2: error: a character that begins no JSON value"),
  ])
  func `a syntax error is one sentence with its place and cure`(text: String, expected: String) {
    let problem = #expect(throws: Diagnostic.self) {
      try JSONParser.read(Array(text.utf8), file: "config.json")
    }
    #expect(problem?.description == "config.json:" + expected)
  }

  @Test(
    arguments: [
      ([0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00], "1:1: error: the file is UTF-16 or UTF-32; save it as UTF-8"),
      ([0xFE, 0xFF, 0x00, 0x7B, 0x00, 0x7D], "1:1: error: the file is UTF-16 or UTF-32; save it as UTF-8"),
      ([0x7B, 0x00, 0x7D, 0x00], "1:1: error: the file is UTF-16 or UTF-32; save it as UTF-8"),
      (
        Array("[\"가".utf8) + [0xB0, 0x22, 0x5D],
        "1:4: error: an octet that isn't UTF-8; save the file as UTF-8"
      ),
      // CP949 for 가, in the second line.
      (
        Array("[\n\"".utf8) + [0xB0, 0xA1, 0x22, 0x5D],
        "2:2: error: an octet that isn't UTF-8; save the file as UTF-8"
      ),
      // An overlong slash, half a surrogate pair, and a scalar beyond Unicode.
      ([0x22, 0xC0, 0xAF, 0x22], "1:2: error: an octet that isn't UTF-8; save the file as UTF-8"),
      ([0x22, 0xED, 0xA0, 0x80, 0x22], "1:2: error: an octet that isn't UTF-8; save the file as UTF-8"),
      (
        [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], "1:2: error: an octet that isn't UTF-8; save the file as UTF-8"
      ),
      ([0x22, 0xE2, 0x82], "1:2: error: an octet that isn't UTF-8; save the file as UTF-8"),
    ] as [([UInt8], String)])
  func `only UTF-8 is read`(bytes: [UInt8], expected: String) {
    let problem = #expect(throws: Diagnostic.self) { try JSONParser.read(bytes, file: "config.json") }
    #expect(problem?.description == "config.json:" + expected)
  }

  @Test func `64 levels are read and the 65th is refused where it opens`() throws {
    let deepest = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    _ = try JSONParser.read(Array(deepest.utf8), file: "a")
    let problem = #expect(throws: Diagnostic.self) {
      try JSONParser.read(Array(String(repeating: "[", count: 1_000_000).utf8), file: "a")
    }
    #expect(problem?.description == "a:1:65: error: nested deeper than 64 levels")
    let objects = #expect(throws: Diagnostic.self) {
      try JSONParser.read(Array(String(repeating: "{\"a\":", count: 100_000).utf8), file: "a")
    }
    #expect(objects?.description == "a:1:321: error: nested deeper than 64 levels")
  }

  @Test func `a line of 100,000 values is read in one pass`() throws(Diagnostic) {
    let text = "[" + String(repeating: "1,", count: 99_999) + "1]"
    let node = try JSONParser.read(Array(text.utf8), file: "a")
    guard case .array(let elements) = node.value else { return #expect(Bool(false), "no list") }
    #expect(elements.count == 100_000)
    #expect(elements.last?.position == SourcePosition(line: 1, column: 200_000))
  }
}
