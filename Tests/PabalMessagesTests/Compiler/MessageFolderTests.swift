import PabalCore
import Testing

@testable import PabalMessages

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
    (#"{"for": "x", "kind": "ulr", "example": "https://a.example"}"#, "variables.a.kind: \"ulr\""),
    (#"{"for": "x", "example": "https://a.example"}"#, "variables.a: \"kind\" is missing"),
    (#"{"for": "x", "kind": "url", "exmple": "https://a.example"}"#, "there is no \"exmple\""),
    (#"{"for": "x", "kind": "url", "example": 1}"#, "variables.a.example: a number"),
    (#""https://a.example""#, "variables.a: a string where an object belongs"),
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
    #expect(store.problems.map(\.message) == ["the message's folder can't be read: No such file or directory"])
  }
}
