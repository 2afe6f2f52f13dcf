import PabalFormats
import Testing

private func parse(_ text: String, _ parser: JSONParser = JSONParser()) throws(JSONError) -> JSONValue {
  try parser.parse(text.utf8Span.span)
}

@Suite struct JSONParserTests {
  @Test func `every value has its position, counted in scalars`() throws(JSONError) {
    let text = "\u{FEFF}{\r\n  \"가\": [1, \"나\\n\", true],\n\t\"b\": {}}\n"
    let value = try parse(text)
    let expected = JSONValue(
      .object([
        JSONValue.Member(
          key: "가", keyPosition: SourcePosition(line: 2, column: 3),
          value: JSONValue(
            .array([
              JSONValue(.number("1"), at: SourcePosition(line: 2, column: 9)),
              JSONValue(.string("나\n"), at: SourcePosition(line: 2, column: 12)),
              JSONValue(.boolean(true), at: SourcePosition(line: 2, column: 19)),
            ]), at: SourcePosition(line: 2, column: 8))),
        JSONValue.Member(
          key: "b", keyPosition: SourcePosition(line: 3, column: 2),
          value: JSONValue(.object([]), at: SourcePosition(line: 3, column: 7))),
      ]), at: SourcePosition(line: 1, column: 1))
    #expect(value == expected)
  }

  @Test func `a character outside the first plane is one column`() throws(JSONError) {
    let value = try parse(#"["😀👨‍👩‍👧", null]"#)
    // Six scalars make the two emoji, with two joiners among them.
    #expect(
      value.content
        == .array([
          JSONValue(.string("😀👨‍👩‍👧"), at: SourcePosition(line: 1, column: 2)),
          JSONValue(.null, at: SourcePosition(line: 1, column: 12)),
        ]))
  }

  @Test func `a key that is written twice is kept twice`() throws(JSONError) {
    let value = try parse(#"{"a": 1, "a": 2}"#)
    guard case .object(let members) = value.content else { return #expect(Bool(false), "not an object") }
    #expect(members.map(\.key) == ["a", "a"])
    #expect(members.map(\.keyPosition.column) == [2, 10])
  }

  @Test(arguments: [
    ("", "1:1: the file is empty; write at least {}"),
    (" \n ", "2:2: the file is empty; write at least {}"),
    ("{\n  \"a\": 1\n  \"b\": 2\n}", "2:9: expected , or } after the value; add a comma here"),
    ("[1 2]", "1:3: expected , or ] after the value; add a comma here"),
    ("[1 ; 2]", "1:4: expected , or ] after the value"),
    ("{\"a\": 1]", "1:8: expected , or } after the value"),
    ("[1,]", "1:3: comma before ]; remove the comma"),
    ("{\"a\": 1 ,\n\n}", "1:9: comma before }; remove the comma"),
    ("{,}", "1:2: expected a key, not ,"),
    ("[,1]", "1:2: expected a value, not ,"),
    ("{\"a\": }", "1:7: expected a value, not }"),
    ("{\"a\"}", "1:5: expected : after the key"),
    ("{\"a\" = 1}", "1:6: expected : after the key; write : instead of ="),
    ("{a: 1}", "1:2: key without quotes; write \"a\""),
    ("{전송: 1}", "1:2: key without quotes; write \"전송\""),
    ("{a\u{85}b: 1}", "1:2: key without quotes; write it in double quotes"),
    ("{1: 1}", "1:2: key that is not a string; write it in double quotes"),
    ("{'a': 1}", "1:2: single quotation mark; use double quotes: \"…\""),
    ("{\"a\": 'b'}", "1:7: single quotation mark; use double quotes: \"…\""),
    ("{\"a\": “b”}", "1:7: typographic quotation mark; use the straight one: \""),
    ("{\"a\"： 1}", "1:5: full-width ：; use the ASCII character"),
    ("[1，2]", "1:3: full-width ，; use the ASCII character"),
    ("{\u{A0}\"a\": 1}", "1:2: invisible character U+00A0; remove it"),
    ("[\u{200B}1]", "1:2: invisible character U+200B; remove it"),
    ("[\u{B}1]", "1:2: invisible character U+000B; remove it"),
    ("{} // end", "1:4: comment, which JSON doesn't allow; remove it"),
    ("{\n  # transport\n}", "2:3: comment, which JSON doesn't allow; remove it"),
    ("[/* 1 */ 2]", "1:2: comment, which JSON doesn't allow; remove it"),
    ("[True]", "1:2: True is not a JSON value; write true"),
    ("[None]", "1:2: None is not a JSON value; write null"),
    ("[NaN]", "1:2: NaN is not a JSON value; write a number"),
    ("[-Infinity]", "1:2: minus sign without a digit after it"),
    ("[+1]", "1:2: number with a plus sign; remove the sign"),
    ("[.5]", "1:2: number without a digit before its decimal point; write 0 before it"),
    ("[5.]", "1:2: number without a digit after its decimal point"),
    ("[1e]", "1:2: number without a digit in its exponent"),
    (
      "[007]", "1:2: number with a leading zero; remove the zero, or put the value in double quotes"
    ),
    ("[0x1F]", "1:2: number with other characters in it; put the value in double quotes"),
    ("[10s]", "1:2: number with other characters in it; put the value in double quotes"),
    ("{\"password\": hunter2}", "1:14: word without quotes; write it in double quotes"),
    (
      "[\"a\nb\"]",
      "1:2: string not closed on its line; close it with \", or write a line break as \\n"
    ),
    ("[\"a\tb\"]", "1:4: tab in a string; write it as \\t"),
    ("[\"a\u{1}\"]", "1:4: control character in a string; remove it"),
    ("[\"abc", "1:2: string not closed; close it with \""),
    ("[\"abc\\", "1:6: string not closed; close it with \""),
    ("[\"C:\\temp\\x\"]", "1:10: invalid escape sequence; write a backslash as \\\\"),
    ("[\"\\u12G4\"]", "1:3: \\u without four hexadecimal digits"),
    (
      "[\"ab\\uD83D\"]",
      "1:5: unpaired surrogate \\uD83D; write the character itself"
    ),
    (
      "[\"\\uDE00\\uD83D\"]",
      "1:3: unpaired surrogate \\uDE00; write the character itself"
    ),
    (
      "[\"\\uD83Dx\"]",
      "1:3: unpaired surrogate \\uD83D; write the character itself"
    ),
    ("{\n  \"a\": [1, 2\n", "3:1: the file ends before the [ of line 2, column 8 is closed"),
    ("{\n", "2:1: the file ends before the { of line 1, column 1 is closed"),
    ("{\"a\"", "1:5: the file ends after the key"),
    ("{\"a\":", "1:6: the file ends where a value is expected"),
    ("{} {}", "1:4: text after the end of the JSON value; remove it"),
    ("[%]", "1:2: unexpected character"),
  ])
  func `a mistake is one sentence with its position and remedy`(text: String, expected: String) {
    let error = #expect(throws: JSONError.self) {
      try parse(text)
    }
    #expect(error?.description == expected)
  }

  @Test(
    arguments: [
      ([0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00], "1:1: the file is UTF-16 or UTF-32; save it as UTF-8"),
      ([0xFE, 0xFF, 0x00, 0x7B, 0x00, 0x7D], "1:1: the file is UTF-16 or UTF-32; save it as UTF-8"),
      ([0x7B, 0x00, 0x7D, 0x00], "1:1: the file is UTF-16 or UTF-32; save it as UTF-8"),
      (
        Array("[\"가".utf8) + [0xB0, 0x22, 0x5D],
        "1:4: invalid UTF-8; save the file as UTF-8"
      ),
      // CP949 for 가, in the second line.
      (
        Array("[\n\"".utf8) + [0xB0, 0xA1, 0x22, 0x5D],
        "2:2: invalid UTF-8; save the file as UTF-8"
      ),
      // An overlong slash, half a surrogate pair, and a scalar beyond Unicode.
      ([0x22, 0xC0, 0xAF, 0x22], "1:2: invalid UTF-8; save the file as UTF-8"),
      ([0x22, 0xED, 0xA0, 0x80, 0x22], "1:2: invalid UTF-8; save the file as UTF-8"),
      (
        [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], "1:2: invalid UTF-8; save the file as UTF-8"
      ),
      ([0x22, 0xE2, 0x82], "1:2: invalid UTF-8; save the file as UTF-8"),
    ] as [([UInt8], String)])
  func `only UTF-8 is read`(bytes: [UInt8], expected: String) {
    let error = #expect(throws: JSONError.self) { try JSONParser().parse(bytes.span) }
    #expect(error?.description == expected)
  }

  @Test func `64 levels are read and the 65th is refused where it opens`() throws {
    let deepest = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    _ = try parse(deepest)
    let error = #expect(throws: JSONError.self) {
      try parse(String(repeating: "[", count: 1_000_000))
    }
    #expect(error?.description == "1:65: nested deeper than 64 levels")
    let objects = #expect(throws: JSONError.self) {
      try parse(String(repeating: "{\"a\":", count: 100_000))
    }
    #expect(objects?.description == "1:321: nested deeper than 64 levels")
  }

  @Test func `a line of 100,000 values is read in one pass`() throws(JSONError) {
    let text = "[" + String(repeating: "1,", count: 99_999) + "1]"
    let value = try parse(text)
    guard case .array(let elements) = value.content else { return #expect(Bool(false), "not a list") }
    #expect(elements.count == 100_000)
    #expect(elements.last?.position == SourcePosition(line: 1, column: 200_000))
  }
}

/// How the plugins read the answers of an API: less deep, without a byte order mark, the first of two keys.
@Suite struct APIAnswerTests {
  private let parser = JSONParser(maxDepth: 32, skipsByteOrderMark: false)

  @Test(
    arguments: [
      (#"{"error":{"message":"\ud83d\ude00 \u0041\n\""}}"#, "😀 A\n\""), (#"{"error":{"message":7}}"#, nil),
      (#"{"error":[]}"#, nil), (#"{"error":"invalid_token","error_description":"x"}"#, nil),
      (#"{"error":{"message":"a"},"error":{"message":"b"}}"#, "a"),
      (#"{"error":{"message":null,"message":"b"}}"#, nil),
    ] as [(String, String?)])
  func `members of members are found`(text: String, message: String?) throws {
    let error = try parse(text, parser).member("error", ifRepeated: .first)
    #expect(error?.member("message", ifRepeated: .first)?.string == message)
  }

  @Test(arguments: [
    "{", "[", "\"", "{\"a\":}", "{\"error\":{\"message\":\"\\ud83d\"}}", "nul", "{\"a\":1}x",
    String(repeating: "[", count: 100_000), "\u{FEFF}{}", "", "{\"a\":1.}", "[--1]",
  ])
  func `what is not JSON is not an answer`(text: String) {
    #expect(throws: JSONError.self) { try parse(text, parser) }
  }

  @Test func `32 levels are read and not one more`() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(throws: Never.self) { try parse(nested(32), parser) }
    let error = #expect(throws: JSONError.self) { try parse(nested(33), parser) }
    #expect(error?.description == "1:33: nested deeper than 32 levels")
  }

  @Test func `an id is found after a mebibyte of text`() throws {
    let text = "{\"x\":\"\(String(repeating: "x", count: 1 << 20))\",\"id\":\"a\"}"
    #expect(try parse(text, parser).member("id", ifRepeated: .first)?.string == "a")
  }

  @Test func `the last of two keys is the one that other readers take`() throws {
    let value = try parse(#"{"a": 1, "a": [2], "b": {}}"#)
    #expect(value.member("a", ifRepeated: .first)?.number == "1")
    #expect(value.member("a", ifRepeated: .last)?.elements.map(\.number) == ["2"])
    #expect(value.member("b", ifRepeated: .last)?.members.isEmpty == true)
    #expect(value.member("c", ifRepeated: .last) == nil)
    #expect(value.elements.isEmpty && value.string == nil && value.number == nil)
    #expect(JSONValue(.null).member("a", ifRepeated: .first) == nil)
  }
}

/// Texts that are meant to harm.
@Suite struct HostileJSONTests {
  @Test func `every part of a text is refused, or read, without a trap`() throws {
    let text = Array(#"{"가":["\ud83d\ude00\u0041\n",-1.5e+3,true,null,{"a":[[]]}],"b":"é"}"#.utf8)
    #expect(throws: Never.self) { try JSONParser().parse(text.span) }
    for end in 0..<text.count {
      let error = #expect(throws: JSONError.self) { try JSONParser().parse(text.span.extracting(0..<end)) }
      #expect(error?.position.line == 1)
    }
    for index in text.indices {
      for byte: UInt8 in [0, 0x22, 0x5B, 0x5C, 0x7D, 0x80, 0xC0, 0xF5, 0xFF] {
        var changed = text
        changed[index] = byte
        _ = try? JSONParser().parse(changed.span)
      }
    }
  }

  @Test func `numbers without end are kept as they are written`() throws {
    for number in [
      "1e999999999", "-" + String(repeating: "9", count: 100_000),
      "0." + String(repeating: "0", count: 100_000),
    ] {
      #expect(try parse(number).number == number)
    }
  }

  @Test func `deep arrays and objects in turn are refused where the limit is`() {
    let error = #expect(throws: JSONError.self) {
      try parse(String(repeating: "[{\"a\":", count: 100_000))
    }
    #expect(error?.message == "nested deeper than 64 levels")
    #expect(error?.position == SourcePosition(line: 1, column: 193))
    #expect(throws: JSONError.self) { try parse("[]", JSONParser(maxDepth: 0)) }
  }

  @Test func `a word is refused without being repeated`() {
    for text in ["{\"password\": hunter2}", "[hunter2]", "hunter2", "{\"a\": +hunter2}", "{\"a\": 1hunter2}"]
    {
      let error = #expect(throws: JSONError.self) { try parse(text) }
      #expect(error?.description.contains("hunter2") == false)
    }
  }

  @Test func `a long word costs one pass`() {
    let word = String(repeating: "t", count: 1_000_000)
    #expect(throws: JSONError.self) { try parse("[\(word)") }
    #expect(throws: JSONError.self) { try parse("{\(word)") }
    #expect(throws: JSONError.self) { try parse("[\(String(repeating: "1", count: 1_000_000))x") }
  }
}

@Suite struct JSONSubjectTests {
  @Test(
    arguments: [
      ("", "the body is empty; write at least {}"), ("[", "the body ends where a value is expected"),
      ("{", "the body ends before the { of line 1, column 1 is closed"),
      ("{\"a\"", "the body ends after the key"),
      ("[1,]", "comma before ]; remove the comma"),
    ])
  func `a body is called a body`(text: String, expected: String) {
    let error = #expect(throws: JSONError.self) { try parse(text, JSONParser(subject: .body)) }
    #expect(error.map { $0.message + ($0.remedy.map { "; \($0)" } ?? "") } == expected)
  }

  @Test func `a body is sent`() {
    let parser = JSONParser(subject: .body)
    let utf16: [UInt8] = [0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00]
    let first = #expect(throws: JSONError.self) { try parser.parse(utf16.span) }
    #expect(first?.description == "1:1: the body is UTF-16 or UTF-32; send it as UTF-8")
    let latin1: [UInt8] = [0x22, 0xE9, 0x22]
    let second = #expect(throws: JSONError.self) { try parser.parse(latin1.span) }
    #expect(second?.description == "1:2: invalid UTF-8; send the body as UTF-8")
  }
}

@Suite struct JSONValueTests {
  @Test(
    arguments: [
      ("[1, {\"a\": null}]", "[1,\n{\"a\":null}]", true), ("{\"a\":1,\"b\":2}", "{\"b\": 2, \"a\": 1}", true),
      ("[1,2]", "[2,1]", false), ("1", "1.0", false), ("{}", "[]", false), ("\"a\"", "\"\\u0061\"", true),
      ("{\"a\":1}", "{\"a\":1,\"a\":1}", false),
      ("{\"a\":[{\"x\":1,\"y\":[]}]}", "{\"a\":[{\"y\":[],\"x\":1}]}", true),
      ("null", "false", false), ("{\"a\":1}", "{\"a\":\"1\"}", false),
    ])
  func `equivalence is of the content alone`(a: String, b: String, isSame: Bool) throws {
    #expect(try parse(a).isEquivalent(to: try parse(b)) == isSame)
    #expect(try parse(b).isEquivalent(to: try parse(a)) == isSame)
  }

  @Test func `a key is plain if it can't be misread`() {
    for key in ["a", "전송", "client_id", "x-y", "$schema", "a1"] { #expect(JSONValue.isPlainKey(key)) }
    for key in ["", "a b", "a.b", "\"", "a\u{85}", String(repeating: "a", count: 65)] {
      #expect(!JSONValue.isPlainKey(key))
    }
  }

  @Test func `positions are in the order of reading`() {
    let positions = [(1, 1), (1, 2), (2, 1), (10, 3)].map { SourcePosition(line: $0, column: $1) }
    #expect(positions.shuffled().sorted() == positions)
    #expect(positions[0] == .start)
  }

  @Test func `a kind is named for a person`() throws {
    let kinds = try ["null", "true", "1", "\"\"", "[]", "{}"].map { text in try parse(text).kind }
    #expect(kinds == ["null", "true or false", "a number", "a string", "a list", "an object"])
  }
}
