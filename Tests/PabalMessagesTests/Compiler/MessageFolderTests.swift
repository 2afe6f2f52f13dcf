import PabalCore
import Testing

@testable import PabalMessages

/// What lint says of a message's files together: its declaration, its languages and its parts by hand.
@Suite struct MessageFolderTests {
  @Test func `the code must stand in both parts`() {
    var fixture = MessageFixture("가", variables: [("code", "code", "123456")])
    #expect(
      fixture.findings.filter { $0.contains("error") } == [
        "test/ko.md:3:1: error: the mail does not show {{code}}, so its reader has no code to enter; put `{{code}}` on a line of its own, with a blank line before and after"
      ])
    fixture = MessageFixture("`{{code}}`", variables: [("code", "code", "123456")])
    fixture.files["ko.txt"] = "가"
    #expect(
      fixture.findings == [
        "test/ko.txt:1:1: error: the text does not show {{code}}, so its reader has no code to enter; put `{{code}}` on a line of its own, with a blank line before and after"
      ])
    fixture.files["ko.txt"] = nil
    fixture.files["ko.html"] = "<p>가</p>"
    #expect(
      fixture.findings == [
        "test/ko.html:1:1: error: the HTML does not show {{code}}, so its reader has no code to enter; put `{{code}}` on a line of its own, with a blank line before and after"
      ])
  }

  @Test func `an error in one file hides none in another`() {
    var fixture = MessageFixture("{{nme}}", variables: [("code", "code", "123456"), ("name", "text", "x")])
    fixture.files["en.md"] = "Subject: {{nme}}\n\n`{{code}}`\n"
    let files = fixture.findings.filter { $0.contains("does not show") || $0.contains("nme") }
    #expect(
      files.map { $0.prefix { $0 != " " } } == ["test/en.md:1:10:", "test/ko.md:3:1:", "test/ko.md:3:1:"])
  }

  @Test func `a misspelt code is told once, not as a code that is missing, too`() {
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
  func `a declaration that can't be read is one error, not one wherever its variable stands`(json: String) {
    var fixture = MessageFixture("{{service}} [x]({{service}}) {{service}}")
    fixture.json = json
    #expect(fixture.findings.count == 1)
    #expect(fixture.findings.first?.hasPrefix("test/message.json:1:") == true)
  }

  @Test(arguments: [("kr", "Korean", "ko"), ("kor", "Korean", "ko"), ("jp", "Japanese", "ja")])
  func `a country's code is no language's`(written: String, language: String, tag: String) {
    var fixture = MessageFixture("{{service}}")
    fixture.files["\(written).md"] = "Subject: x\n\n{{service}}\n"
    #expect(
      fixture.findings == [
        "test/\(written).md: warning: \(written) is not how \(language) is written here; name it \(tag).md"
      ])
  }

  @Test func `a part by hand shows what the Markdown shows`() {
    var fixture = MessageFixture("{{service}}")
    fixture.files["ko.txt"] = "가"
    #expect(
      fixture.findings == [
        "test/ko.txt:1:1: warning: {{service}} is missing here and stands in ko.md; put it in, so that both tell the same"
      ])
  }

  @Test func `an unused variable is told`() {
    var fixture = MessageFixture("가")
    fixture.json =
      "{\n \"variables\": {\n  \"a\": {\"for\": \"x\", \"kind\": \"text\", \"example\": \"y\"}}}"
    #expect(
      fixture.findings == [
        "test/message.json:3:3: warning: variables.a: no language uses {{a}}; use it, or take it out of message.json"
      ])
  }

  @Test func `the default language must be there, and the Markdown beside every part by hand`() {
    var fixture = MessageFixture("가 {{service}}")
    fixture.files["en.txt"] = "가 {{service}}"
    fixture.language = "fr"
    #expect(
      fixture.findings == [
        "test: error: there is no fr.md, and fr is the language of last resort; write it, or change messages.language in config.json",
        "test/en.txt: error: stands without en.md; write that file too: the subject comes from it",
      ])
  }
}

/// One mistake is told once, and makes no false ones elsewhere.
@Suite struct CascadingErrorTests {
  private static func fixture(_ json: String) -> MessageFixture {
    var fixture = MessageFixture("{{a}} {{b}} [말]({{a}}) {{b}}은(는)")
    fixture.files["en.md"] = "Subject: {{a}}\n\n{{b}} [x]({{a}}/y)"
    fixture.json = json
    return fixture
  }

  private static let good = #""b": {"for": "x", "kind": "text", "example": "y"}"#

  @Test(arguments: [
    (#"{"for": "x", "kind": "url", "example": "bad"}"#, "variables.a.example: not an address"),
    (#"{"for": "x", "kind": "ulr", "example": "https://a.example"}"#, "variables.a.kind: 'ulr'"),
    (#"{"for": "x", "example": "https://a.example"}"#, "variables.a: missing key 'kind'"),
    (#"{"for": "x", "kind": "url", "exmple": "https://a.example"}"#, "variables.a.exmple: unknown key"),
    (#"{"for": "x", "kind": "url", "example": 1}"#, "variables.a.example: expected a string"),
    (#""https://a.example""#, "variables.a: expected an object, not a string"),
  ])
  func `a variable that is declared and faulty counts as declared`(variable: String, message: String) {
    let findings = CascadingErrorTests.fixture(
      "{\"variables\": {\"a\": \(variable), \(CascadingErrorTests.good)}}"
    )
    .findings
    #expect(findings.count == 1)
    #expect(findings.first?.contains(message) == true, "\(findings)")
  }

  @Test func `a variable whose name is no name counts as declared by the right one`() {
    var fixture = MessageFixture("{{valid_for}}")
    fixture.json = #"{"variables": {"Valid-For": {"for": "x", "kind": "text", "example": "y"}}}"#
    #expect(fixture.findings.count == 1)
    #expect(fixture.findings.first?.contains("not the name of a variable") == true)
  }

  @Test(arguments: [
    "{\"variables\": {", "{\"variables\": {},}", "", "[]", "{\"variables\": []}",
    "{\"variabels\": {\"a\": {\"for\": \"x\", \"kind\": \"url\", \"example\": \"https://a.example\"}}}",
  ])
  func `a message json that can't be read stands alone`(json: String) {
    let findings = CascadingErrorTests.fixture(json).findings
    #expect(findings.count == 1)
    #expect(findings.first?.hasPrefix("test/message.json:1:") == true)
  }

  @Test func `a layout that uses a faulty variable says nothing of it`() {
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

  @Test func `a misspelt variable makes no unused one`() {
    #expect(MessageFixture("{{servcie}}").findings.count == 1)
  }

  @Test func `a file that is too large is not missing, and its variables are not unused`() throws {
    let fixture = try MessageStoreTests.MessageDirectoryFixture()
    try fixture.remove("hello/en.md")
    try fixture.write("hello/ko.md", "Subject: x\n\n" + String(repeating: "x", count: 300_000))
    try fixture.write("hello/ko.txt", "x")
    let findings = fixture.store().lint()
    #expect(findings.count == 1)
    #expect(findings.first?.file == fixture.root + "/hello/ko.md")
  }

  @Test func `a message json that is too large declares nobody knows what`() throws {
    let fixture = try MessageStoreTests.MessageDirectoryFixture()
    try fixture.write("hello/message.json", String(repeating: " ", count: 300_000))
    let findings = fixture.store(variables: ["service": "x"]).lint()
    #expect(findings.map(\.file) == [fixture.root + "/hello/message.json"])
  }

  @Test func `a site's variable is not unknown while a message json can't be read`() throws {
    let fixture = try MessageStoreTests.MessageDirectoryFixture()
    try fixture.write("hello/message.json", "{")
    #expect(fixture.store(variables: ["service": "x"]).lint().count == 1)
    try fixture.write(
      "hello/message.json", #"{"variables": {"service": {"for": "x", "kind": "txt", "example": "x"}}}"#)
    #expect(fixture.store(variables: ["service": "x"]).lint().count == 1)
  }

  @Test func `a message without message json is told once`() throws {
    let fixture = try MessageStoreTests.MessageDirectoryFixture()
    try fixture.remove("hello/message.json")
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{service}} [말]({{link}})\n")
    #expect(fixture.store(variables: ["service": "x"]).lint().map(\.message) == ["there is no message.json"])
  }

  @Test func `a folder taken away is told once`() throws {
    let fixture = try MessageStoreTests.MessageDirectoryFixture()
    let store = fixture.store()
    _ = try store.describe("hello")
    try fixture.remove("hello")
    fixture.advance(by: 1)
    _ = try store.describe("hello")
    #expect(
      store.problems.map(\.message) == ["the message's folder can't be read: No such file or directory"])
  }
}
