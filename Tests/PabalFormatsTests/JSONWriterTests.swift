import PabalFormats
import Testing

@Suite struct JSONWriterTests {
  @Test func `a token file is written byte for byte as before`() {
    let value = JSONValue.object([
      ("token", .string("ya29.x")), ("refresh_token", .string("1//y")), ("client_secret", .string("")),
      ("scopes", JSONValue(.array([.string("https://mail.google.com/"), .string("email")]))),
      ("expiry", .string("2026-11-23T04:05:06Z")), ("token_lifetime", .number(3_599)),
      ("x", JSONValue(.array([JSONValue(.number("1.50")), .object([("y", JSONValue(.null))])]))),
      ("empty", .object([])), ("none", JSONValue(.array([]))), ("on", JSONValue(.boolean(true))),
      ("off", JSONValue(.boolean(false))), ("deep", .object([("er", .object([("est", .number(-1))]))])),
    ])
    let expected = """
      {
        "token": "ya29.x",
        "refresh_token": "1//y",
        "client_secret": "",
        "scopes": ["https://mail.google.com/", "email"],
        "expiry": "2026-11-23T04:05:06Z",
        "token_lifetime": 3599,
        "x": [1.50, {
          "y": null
        }],
        "empty": {},
        "none": [],
        "on": true,
        "off": false,
        "deep": {
          "er": {
            "est": -1
          }
        }
      }

      """
    #expect(JSONWriter.string(value) == expected)
    #expect(JSONWriter.bytes(value) == Array(expected.utf8))
  }

  @Test func `what JSON doesn't allow in a string is escaped, and nothing else`() {
    let all = String(String.UnicodeScalarView((0...0x7F).compactMap { Unicode.Scalar($0) }))
    let controls = (0..<0x20).map {
      $0 == 10 ? "\\n" : "\\u00" + ($0 < 16 ? "0" : "") + String($0, radix: 16)
    }
    let printable = String(String.UnicodeScalarView((0x20..<0x7F).compactMap { Unicode.Scalar($0) }))
      .replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    #expect(JSONWriter.string(.string(all)) == "\"" + controls.joined() + printable + "\\u007f\"\n")
    #expect(JSONWriter.string(.string("가é😀/\u{2028}\u{9F}\u{301}")) == "\"가é😀/\u{2028}\u{9F}\u{301}\"\n")
    #expect(JSONWriter.string(.string("\r\n")) == "\"\\u000d\\n\"\n")
  }

  @Test(arguments: JSONGrammarTests.taken)
  func `what is written is read back the same`(text: String) throws {
    let value = try JSONParser().parse(text.utf8Span.span)
    let written = JSONWriter.bytes(value)
    #expect(try JSONParser().parse(written.span).isEquivalent(to: value))
    #expect(try JSONWriter.bytes(JSONParser().parse(written.span)) == written)
  }
}
