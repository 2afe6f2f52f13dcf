import PabalFormats
import Testing

/// Cases after the pattern of JSONTestSuite: what every reader must take, and what none may.
@Suite struct JSONGrammarTests {
  static let taken = [
    "[]", "{}", "[ ]", "{ }", "[[]   ]", "null", "true", "false", "0", "-0", "\"\"", " \"a\" ", "42",
    "[\"\"]",
    "[\"a\"]", "[null]", "[false]", "[null, 1, \"1\", {}]", "[1\n]", " [1]", "[1,null,null,null,2]", "[2] ",
    "\t\r\n []\r\n\t", "[0]", "[-0]", "[-1]", "[123]", "[-123]", "[0.5]", "[-0.5]", "[123.456]", "[1e3]",
    "[1E3]", "[1E+2]", "[1E-2]", "[1e-2]", "[0e+1]", "[0e1]", "[0.0]", "[-0.0e0]", "[123e65]", "[123.456e78]",
    "[1e400]", "[-1e400]", "[1e-400]", "[100000000000000000000000000000]",
    "[-237462374673276894279832749832423479823246327846]",
    "[0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000001]",
    "{\"a\":\"b\"}", "{\"\":0}", "{\"a\":[]}", "{\"a\":\"b\", \"c\":\"d\"}", "{\"a\":\"b\",\"a\":\"c\"}",
    "{\"a\":{\"a\":{\"a\":{}}}}", "{\"foo\\u0000bar\": 42}", "{\"min\": -1.0e+28, \"max\": 1.0e+28}",
    "{\n\"a\": \"b\"\n}", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "[\"\\u0061\\u30af\\u30EA\\u30b9\"]",
    "[\"\\u0000\"]", "[\"\\u0060\\u012a\\u12AB\"]", "[\"\\uD801\\udc37\"]",
    "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]",
    "[\"\\uDBFF\\uDFFF\"]", "[\"\\uFFFF\"]", "[\"\\uFDD0\"]", "[\"\\u200B\"]", "[\"\\u2064\"]",
    "[\"\\u2028\"]",
    "[\"new\\u000Aline\"]", "[\"\\\\u0000\"]", "[\"\\\\a\"]", "[\"\\\\n\"]", "[\"a/*b*/c/*d//e\"]",
    "[\"\\\"\"]",
    "[\"asd \"]", "[\"\u{7F}\"]", "[\"a\u{7F}a\"]", "[\"€𝄞\"]", "[\"π\"]", "[\"\u{10FFFF}\"]",
    "[\"\u{2028}\u{2029}\"]",
    "[\"\u{FEFF}\"]", "[\"가나다\"]", "[\"e\u{301}\"]", "[\"\\u0022\"]", "[\" \"]", "[\"\\u0012\"]", "[\"'\"]",
    "\u{FEFF}{}", "\u{FEFF} [1]", "[\"#\", \"//\"]", "[1 , 2]", "{ \"a\" : 1 }", "[true,false,null]",
  ]

  static let refused = [
    "", " ", "\u{FEFF}", "[", "]", "{", "}", "[[", "]]", "[}", "{]", "[1", "[1,", "[1,,2]", "[,1]", "[1,,]",
    "[1,]",
    "[,]", "[1]]", "[1]x", "[1] 2", "{}}", "{},", "{}{}", "{} true", "[\"a\",\n4\n,1,", "[\"x\"",
    "[\"x\", truth]",
    "[1 true]", "[1:2]", "[x]", "[x, 1]", "[3[4]]", "[a]", "[\"\": 1]", "[{}", "[\"a\" \"b\"]", "[-]",
    "[--1]", "[- 1]",
    "[+1]", "[++1]", "[-+1]", "[-01]", "[-012]", "[01]", "[00]", "[1.]", "[-2.]", "[2.e3]", "[2.e+3]", "[.1]",
    "[-.1]",
    "[.e1]", "[0.e1]", "[0.3e]", "[0.3e+]", "[0e]", "[0e+]", "[0E]", "[1.0e]", "[1.0e-]", "[1.0e+]", "[1eE2]",
    "[1e1.5]",
    "[1 000.0]", "[1,000", "[1_000]", "[0x1]", "[0x42]", "[1a]", "[1.2a-3]", "[1.8011670033376514H-308]",
    "[9.e+]",
    "[Inf]", "[Infinity]", "[-Infinity]", "[NaN]", "[-NaN]", "[nan]", "[0b1]", "[0o7]", "[1/2]", "[１]",
    "[-１]", "[²]",
    "[nul]", "[nulll]", "[tru]", "[truee]", "[fals]", "[True]", "[TRUE]", "[None]", "[undefined]", "[nil]",
    "nu", "tru",
    "{1:1}", "{a:1}", "{'a':1}", "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{\"a\",1}", "{:1}", "{\"a\":1,}",
    "{,\"a\":1}",
    "{\"a\":1,,\"b\":2}", "{\"a\"::1}", "{\"a\":1:2}", "{\"a\":1 \"b\":2}", "{\"a\" = 1}", "{\"a\" => 1}",
    "{null:1}",
    "{\"a\":\"b\"}#", "{\"a\":\"b\"}/**/", "{\"a\":\"b\"}//", "{\"a\":/**/1}", "//\n{}", "#\n{}",
    "{\"a\": 1; \"b\": 2}",
    "{[]:1}", "{{}:1}", "{true:1}", "{\"a\"\"b\":1}", "{\"a\":1}}", "(1)", "<null>", "[<null>]",
    "[\"a\",\"b\"", "*", "\\",
    "\"", "'a'", "\"a", "[\"a]", "[\"\\\"]", "[\"\\x00\"]", "[\"\\a\"]", "[\"\\'\"]", "[\"\\ \"]",
    "[\"\\U0061\"]", "[\"\\0\"]",
    "[\"\\u\"]", "[\"\\u0\"]", "[\"\\u00\"]", "[\"\\u00A\"]", "[\"\\u00G0\"]", "[\"\\u+123\"]",
    "[\"\\u 123\"]",
    "[\"\\u００６１\"]", "[\"\\uD800\"]", "[\"\\uDC00\"]", "[\"\\uD800\\uD800\"]", "[\"\\uD800\\n\"]",
    "[\"\\uD800\\u1\"]",
    "[\"\\uD800\\u\"]", "[\"\\uD800a\"]", "[\"\\uD834\\uDd\"]", "[\"\\{[\\\"\\{[\\\"\\{\"]", "[\"\t\"]",
    "[\"\n\"]", "[\"\r\"]",
    "[\"\u{0}\"]", "[\"\u{1F}\"]", "[\u{C}]", "[\u{B}]", "\u{2060}[]", "[\u{A0}1]", "[\u{3000}1]", "[1]\u{0}",
    "\u{0}",
    "{}\u{FEFF}", "[\u{FEFF}]", "“a”", "[“a”]", "é", "[é]", "\\u0061", "[\\u000A\"\"]", "[\\n]", "\\\"a\\\"",
    "[1\\n]", "@", "$",
    "[\"a\" , ]", "{\"a\": true,\n \"b\": }", "[1}", "{\"a\": [1, 2}", "[\"a\": 1]", "{\"a\": \"b\" \"c\"}",
    "tRue",
  ]

  @Test(arguments: taken) func `what is JSON is parsed`(text: String) throws(JSONError) {
    _ = try JSONParser().parse(text.utf8Span.span)
  }

  @Test(arguments: refused) func `what is not JSON is refused at a position in the text`(text: String) throws
  {
    let error = try #require(throws: JSONError.self) { try JSONParser().parse(text.utf8Span.span) }
    let position = error.position
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(1...lines.count ~= position.line)
    #expect(1...text.unicodeScalars.count + 1 ~= position.column)
    #expect(!error.message.isEmpty && !error.message.holdsControl && !(error.remedy ?? "").holdsControl)
  }

  @Test(arguments: [
    (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
    (#""\u0041\u00e9\uAC00""#, "Aé가"),
    (#""\ud83d\uDE00!""#, "😀!"),
    (#""\u0000""#, "\0"),
    (#""가\n나""#, "가\n나"),
    (#""\uDBFF\uDFFF""#, "\u{10FFFF}"),
    (#""\uD800\uDC00""#, "\u{10000}"),
    (#""\ud7ff\ue000""#, "\u{D7FF}\u{E000}"),
  ])
  func `an escape is the character it stands for`(text: String, expected: String) throws(JSONError) {
    let value = try JSONParser().parse(text.utf8Span.span)
    #expect(value.content == .string(expected))
  }

  @Test func `a number stays as it is written`() throws(JSONError) {
    for number in ["-0", "1e400", "0.10", "1E+2", "9007199254740993"] {
      #expect(try JSONParser().parse(number.utf8Span.span).content == .number(number))
    }
  }
}

extension String {
  fileprivate var holdsControl: Bool { unicodeScalars.contains { $0.properties.generalCategory == .control } }
}
