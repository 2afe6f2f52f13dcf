import PabalCore
import Testing

@testable import PabalMessages

/// Findings that concern several files of a message: its declaration, languages and hand-written parts.
@Suite struct MessageFolderTests {
  @Test func `both parts must contain the code`() {
    var fixture = MessageFixture("가", variables: [("code", "code", "123456")])
    #expect(
      fixture.findings.filter { $0.contains("error") } == [
        "test/ko.md:3:1: error: the mail does not contain {{code}}, so the reader has no code to enter; put `{{code}}` on a line of its own, with a blank line before and after"
      ])
    fixture = MessageFixture("`{{code}}`", variables: [("code", "code", "123456")])
    fixture.files["ko.txt"] = "가"
    #expect(
      fixture.findings == [
        "test/ko.txt:1:1: error: the text does not contain {{code}}, so the reader has no code to enter; put `{{code}}` on a line of its own, with a blank line before and after"
      ])
    fixture.files["ko.txt"] = nil
    fixture.files["ko.html"] = "<p>가</p>"
    #expect(
      fixture.findings == [
        "test/ko.html:1:1: error: the HTML does not contain {{code}}, so the reader has no code to enter; put `{{code}}` on a line of its own, with a blank line before and after"
      ])
  }

  @Test func `an error in one file doesn't hide errors in another`() {
    var fixture = MessageFixture("{{nme}}", variables: [("code", "code", "123456"), ("name", "text", "x")])
    fixture.files["en.md"] = "Subject: {{nme}}\n\n`{{code}}`\n"
    let files = fixture.findings.filter { $0.contains("does not contain") || $0.contains("nme") }
    #expect(
      files.map { $0.prefix { $0 != " " } } == ["test/en.md:1:10:", "test/ko.md:3:1:", "test/ko.md:3:1:"])
  }

  @Test func `a misspelled code is reported once, and not as a missing code`() {
    let fixture = MessageFixture("`{{cdoe}}`", variables: [("code", "code", "123456")])
    #expect(
      fixture.findings == [
        "test/ko.md:3:2: error: {{cdoe}} is not declared in message.json; did you mean {{code}}?"
      ])
  }

  @Test(arguments: [
    #"{ "variables": { "service": { "for": "x", "kind": "text" "example": "y" } } }"#,
    #"{ "variables": { "service": { "for": "x", "kind": "txt", "example": "y" } } }"#,
    #"{ "variables": { "service": { "for": "x", "kind": "url", "example": "y" } } }"#,
  ])
  func `an invalid declaration is one error, not one for each use of its variable`(json: String) {
    var fixture = MessageFixture("{{service}} [x]({{service}}) {{service}}")
    fixture.json = json
    #expect(fixture.findings.count == 1)
    #expect(fixture.findings.first?.hasPrefix("test/message.json:1:") == true)
  }

  @Test(arguments: [("kr", "Korean", "ko"), ("kor", "Korean", "ko"), ("jp", "Japanese", "ja")])
  func `a country code instead of a language code is reported`(written: String, language: String, tag: String)
  {
    var fixture = MessageFixture("{{service}}")
    fixture.files["\(written).md"] = "Subject: x\n\n{{service}}\n"
    #expect(
      fixture.findings == [
        "test/\(written).md: warning: \(written) is not the language tag of \(language); rename the file to \(tag).md"
      ])
  }

  @Test func `a hand-written part must contain the variables of the Markdown`() {
    var fixture = MessageFixture("{{service}}")
    fixture.files["ko.txt"] = "가"
    #expect(
      fixture.findings == [
        "test/ko.txt:1:1: warning: {{service}} is in ko.md but missing here; add it, so that both versions say the same"
      ])
  }

  @Test func `an unused variable is reported`() {
    var fixture = MessageFixture("가")
    fixture.json =
      "{\n \"variables\": {\n  \"a\": {\"for\": \"x\", \"kind\": \"text\", \"example\": \"y\"}}}"
    #expect(
      fixture.findings == [
        "test/message.json:3:3: warning: variables.a: no language uses {{a}}; use it, or remove it from message.json"
      ])
  }

  @Test func `the default language and the Markdown of each hand-written part are required`() {
    var fixture = MessageFixture("가 {{service}}")
    fixture.files["en.txt"] = "가 {{service}}"
    fixture.language = "fr"
    #expect(
      fixture.findings == [
        "test: error: fr.md is missing, but fr is the default language; write it, or change messages.language in config.json",
        "test/en.txt: error: en.md is missing beside this file; write it too, because the subject comes from it",
      ])
  }
}

/// A mistake is reported once and doesn't cause false findings elsewhere.
@Suite struct CascadingErrorTests {
  private static func fixture(_ json: String) -> MessageFixture {
    var fixture = MessageFixture("{{a}} {{b}} [말]({{a}}) {{b}}은(는)")
    fixture.files["en.md"] = "Subject: {{a}}\n\n{{b}} [x]({{a}}/y)"
    fixture.json = json
    return fixture
  }

  private static let good = #""b": {"for": "x", "kind": "text", "example": "y"}"#

  @Test(arguments: [
    (#"{"for": "x", "kind": "url", "example": "bad"}"#, "variables.a.example: not a link address"),
    (#"{"for": "x", "kind": "ulr", "example": "https://a.example"}"#, "variables.a.kind: 'ulr'"),
    (#"{"for": "x", "example": "https://a.example"}"#, "variables.a: missing key 'kind'"),
    (#"{"for": "x", "kind": "url", "exmple": "https://a.example"}"#, "variables.a.exmple: unknown key"),
    (#"{"for": "x", "kind": "url", "example": 1}"#, "variables.a.example: expected a string"),
    (#""https://a.example""#, "variables.a: expected an object, not a string"),
  ])
  func `a variable with an invalid declaration counts as declared`(variable: String, message: String) {
    let findings = CascadingErrorTests.fixture(
      "{\"variables\": {\"a\": \(variable), \(CascadingErrorTests.good)}}"
    )
    .findings
    #expect(findings.count == 1)
    #expect(findings.first?.contains(message) == true, "\(findings)")
  }

  @Test(arguments: ["valid\u{7F}\u{7F}_for", "valid\\u001b[31m_for", "valid\u{202E}_for"])
  func `a name with control characters is quoted in its own error, and suggested in no other`(_ name: String)
  {
    for tag in ["{{valid_for}}", "{{other}}"] {
      var fixture = MessageFixture(tag)
      fixture.json =
        #"{"variables": {"ok": {"for": "x", "kind": "text", "example": "y"}, "\#(name)": {"for": "x", "kind": "text", "example": "y"}}}"#
      let findings = fixture.findings
      #expect(findings.count == 2, "\(findings)")
      for finding in findings {
        #expect(
          !finding.unicodeScalars.contains { [.control, .format].contains($0.properties.generalCategory) },
          "\(finding)")
      }
    }
  }

  @Test func `a variable with an invalid name counts as declared under the corrected name`() {
    var fixture = MessageFixture("{{valid_for}}")
    fixture.json = #"{"variables": {"Valid-For": {"for": "x", "kind": "text", "example": "y"}}}"#
    #expect(fixture.findings.count == 1)
    #expect(fixture.findings.first?.contains("not the name of a variable") == true)
  }

  @Test(arguments: [
    "{\"variables\": {", "{\"variables\": {},}", "", "[]", "{\"variables\": []}",
    "{\"variabels\": {\"a\": {\"for\": \"x\", \"kind\": \"url\", \"example\": \"https://a.example\"}}}",
  ])
  func `an invalid message json is the only error`(json: String) {
    let findings = CascadingErrorTests.fixture(json).findings
    #expect(findings.count == 1)
    #expect(findings.first?.hasPrefix("test/message.json:1:") == true)
  }

  @Test func `a layout that uses a variable with an invalid declaration isn't reported`() {
    var fixture = CascadingErrorTests.fixture(
      "{\"variables\": {\"a\": {\"for\": \"x\", \"kind\": \"url\", \"example\": \"bad\"}, \(CascadingErrorTests.good)}}"
    )
    fixture.layout = "{{content}}<a href=\"{{a}}\">x</a>"
    fixture.siteVariables = ["a": "https://a.example"]
    #expect(fixture.findings.count == 1)
  }

  @Test func `an undeclared variable in a link is one mistake`() {
    let findings = MessageFixture("{{service}} [말]({{servcie}}/x)").findings
    #expect(
      findings == [
        "test/ko.md:3:17: error: {{servcie}} is not declared in message.json; did you mean {{service}}?"
      ])
  }

  @Test func `a variable isn't unused if its name is misspelled`() {
    #expect(MessageFixture("{{servcie}}").findings.count == 1)
  }

  @Test func `a file that is too large doesn't count as missing, nor its variables as unused`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.remove("hello/en.md")
    try fixture.write("hello/ko.md", "Subject: x\n\n" + String(repeating: "x", count: 300_000))
    try fixture.write("hello/ko.txt", "x")
    let findings = fixture.store().lint()
    #expect(findings.count == 1)
    #expect(findings.first?.file == fixture.root + "/hello/ko.md")
  }

  @Test func `a message json that is too large is the only error`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("hello/message.json", String(repeating: " ", count: 300_000))
    let findings = fixture.store(variables: ["service": "x"]).lint()
    #expect(findings.map(\.file) == [fixture.root + "/hello/message.json"])
  }

  @Test func `a site-wide value isn't unknown while a message json is invalid`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("hello/message.json", "{")
    #expect(fixture.store(variables: ["service": "x"]).lint().count == 1)
    try fixture.write(
      "hello/message.json", #"{"variables": {"service": {"for": "x", "kind": "txt", "example": "x"}}}"#)
    #expect(fixture.store(variables: ["service": "x"]).lint().count == 1)
  }

  @Test func `a missing message json is reported once`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.remove("hello/message.json")
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{service}} [말]({{link}})\n")
    #expect(fixture.store(variables: ["service": "x"]).lint().map(\.message) == ["message.json is missing"])
  }

  @Test func `a removed folder is reported once`() throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store()
    _ = try store.describe("hello")
    try fixture.remove("hello")
    fixture.advance(by: 1)
    _ = try store.describe("hello")
    #expect(
      store.problems.map(\.message) == ["the message's folder can't be read: No such file or directory"])
  }
}
