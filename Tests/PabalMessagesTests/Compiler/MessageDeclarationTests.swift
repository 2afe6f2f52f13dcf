import PabalCore
import Testing

@testable import PabalMessages

@Suite struct MessageDeclarationTests {
  private static func findings(_ json: String) -> [String] {
    MessageDeclarationReader(Array(json.utf8), file: "message.json").diagnostics.map(\.description)
  }

  private static func variable(_ members: String) -> String { "{\"variables\": {\"a\": {\(members)}}}" }

  @Test func `all keys of a declaration are read`() throws {
    let reader = MessageDeclarationReader(
      Array(
        """
        {
          "$schema": "x", "for": "greets", "lane": "code", "lifetime": "10m", "unknown": "keep",
          "variables": {
            "b": { "for": "one", "kind": "text", "example": "Google", "reading": "구글", "default": "Google" },
            "a": { "for": "two", "kind": "time", "example": "2026-01-02T15:24:00Z", "date": true }
          }
        }
        """.utf8), file: "message.json")
    #expect(reader.diagnostics.isEmpty)
    let declaration = reader.declaration
    #expect(declaration.purpose.text == "greets")
    #expect(declaration.lane == .code)
    #expect(declaration.lifetime == .seconds(600))
    #expect(declaration.unknownPolicy == .keep)
    #expect(declaration.variables.map(\.name) == ["b", "a"])
    #expect(declaration.variables[0].defaultValue == .text("Google", reading: "구글"))
    #expect(declaration.variables[1].showsDate)
  }

  @Test func `omitted keys have defaults`() {
    let declaration = MessageDeclarationReader(Array("{}".utf8), file: "message.json").declaration
    #expect(declaration.lane == .normal)
    #expect(declaration.lifetime == nil)
    #expect(declaration.unknownPolicy == .resend)
  }

  @Test(arguments: [
    ("[]", "message.json:1:1: error: expected an object, not a list"),
    (
      #"{"lane": "cod"}"#,
      #"message.json:1:10: error: lane: 'cod' is not a valid choice; did you mean 'code'?"#
    ),
    (
      #"{"lane": 1}"#,
      #"message.json:1:10: error: lane: expected a string, not a number; write it in double quotes"#
    ),
    (
      #"{"unknown": "drop"}"#,
      #"message.json:1:13: error: unknown: 'drop' is not a valid choice; use one of 'resend', 'keep'"#
    ),
    (
      #"{"lifetime": "soon"}"#,
      "message.json:1:14: error: lifetime: not a lifetime; write it like 90s, 10m, 2h or 3d, at most a year"
    ),
    (
      #"{"lifetime": "0s"}"#,
      "message.json:1:14: error: lifetime: not a lifetime; write it like 90s, 10m, 2h or 3d, at most a year"
    ),
    (
      #"{"lifetime": 600}"#,
      #"message.json:1:14: error: lifetime: expected a lifetime in a string, not a number; write "10m""#
    ),
    (#"{"lifetime": "10 minutes"}"#, #"message.json:1:14: error: lifetime: not a lifetime; write "10m""#),
    (#"{"lifetme": "10m"}"#, #"message.json:1:2: error: lifetme: unknown key; did you mean 'lifetime'?"#),
    (
      #"{"for": "x", "for": "y"}"#,
      #"message.json:1:14: error: for: duplicate key, first used in line 1, column 2; remove one of the two"#
    ),
    (
      #"{"variables": []}"#,
      "message.json:1:15: error: variables: expected an object, not a list"
    ),
    (
      #"{"variables": {"A": {"for":"x","kind":"text","example":"y"}}}"#,
      "message.json:1:16: error: variables.A: not the name of a variable; use small letters, digits and _, a letter first, 64 at most"
    ),
    (
      #"{"variables": {"content": {"for":"x","kind":"text","example":"y"}}}"#,
      "message.json:1:16: error: variables.content: {{content}} is a placeholder of layout.html; give the variable another name"
    ),
    (
      #"{"variables": {"a": {"for":"x","kind":"text","example":"y"}, "a": {}}}"#,
      #"message.json:1:62: error: variables.a: duplicate key, first used in line 1, column 16; remove one of the two"#
    ),
  ])
  func `each mistake is reported with its position, path and remedy`(json: String, finding: String) {
    #expect(MessageDeclarationTests.findings(json) == [finding])
  }

  @Test(arguments: [
    (
      #""kind":"text","example":"y""#,
      #"message.json:1:21: error: variables.a: missing key 'for'; add "for": "…" and say what the variable is for"#
    ),
    (
      #""for":"x","example":"y""#,
      #"message.json:1:21: error: variables.a: missing key 'kind'; add "kind" with one of "text", "code", "url", "duration", "time""#
    ),
    (
      #""for":"x","kind":"text""#,
      #"message.json:1:21: error: variables.a: missing key 'example'; add "example": "…", a value to show in previews"#
    ),
    (
      #""for":"x","kind":"texts","example":"y""#,
      #"message.json:1:39: error: variables.a.kind: 'texts' is not a valid choice; did you mean 'text'?"#
    ),
    (
      #""for":"x","kind":"code","example":"abc""#,
      "message.json:1:56: error: variables.a.example: not a code; use 4 to 12 digits without spaces"
    ),
    (
      #""for":"x","kind":"url","example":"abc""#,
      "message.json:1:55: error: variables.a.example: not a link address; start it with https://, http:// or mailto:"
    ),
    (
      #""for":"x","kind":"duration","example":"abc""#,
      "message.json:1:60: error: variables.a.example: not a duration; write it as 90s, 10m, 2h or 3d"
    ),
    (
      #""for":"x","kind":"time","example":"abc""#,
      "message.json:1:56: error: variables.a.example: not a time; write it as 2026-01-02T15:24:00+09:00"
    ),
    (
      #""for":"x","kind":"text","example":"a\nb""#,
      "message.json:1:56: error: variables.a.example: contains the character U+000A; remove it"
    ),
    (
      #""for":"x","kind":"text","example":"y","default":"""#,
      "message.json:1:70: error: variables.a.default: empty; enter some text"
    ),
    (
      #""for":"x","kind":"code","example":"1234","reading":"y""#,
      "message.json:1:73: error: variables.a.reading: only a variable of kind \"text\" has a \"reading\"; remove it"
    ),
    (
      #""for":"x","kind":"text","example":"y","date":true"#,
      "message.json:1:67: error: variables.a.date: only a variable of kind \"time\" has a \"date\"; remove it"
    ),
    (
      #""for":"x","kind":"time","example":"2026-01-02T15:24:00Z","date":"yes""#,
      "message.json:1:86: error: variables.a.date: expected true or false, not a string"
    ),
    (
      #""for":"x","kind":"text","example":"y","exmple":"z""#,
      #"message.json:1:60: error: variables.a.exmple: unknown key; did you mean 'example'?"#
    ),
  ])
  func `each mistake in a variable is reported`(members: String, finding: String) {
    #expect(MessageDeclarationTests.findings(MessageDeclarationTests.variable(members)) == [finding])
  }

  @Test func `a syntax error is the only error`() {
    #expect(MessageDeclarationTests.findings("{\"for\": \"x\",}").count == 1)
    #expect(MessageDeclarationTests.findings("").count == 1)
  }

  @Test func `an invalid site-wide value is reported with its path`() {
    var fixture = MessageFixture("{{link}}", variables: [("link", "url", "https://example.com")])
    fixture.siteVariables = ["link": "example.com"]
    #expect(
      fixture.findings == [
        "error: messages.variables.link: not a link address; start it with https://, http:// or mailto:"
      ])
  }

  @Test func `a layout can use an undeclared site-wide value`() throws {
    var fixture = MessageFixture("본문 {{service}}")
    fixture.layout = "<html lang=\"ko\">{{content}}{{company}}은(는)</html>"
    fixture.siteVariables = ["company": "Google", "company.reading": "구글"]
    #expect(fixture.findings.isEmpty)
    #expect(try fixture.render(["service": "x"]).html.contains("Google은"))
  }
}
