import PabalCore
import Testing

@testable import PabalMessages

/// One mistake is told once, and makes no false ones elsewhere.
@Suite struct FaultyFilesTests {
  private static func workshop(_ json: String) -> Workshop {
    var workshop = Workshop("{{a}} {{b}} [말]({{a}}) {{b}}은(는)")
    workshop.files["en.md"] = "Subject: {{a}}\n\n{{b}} [x]({{a}}/y)"
    workshop.json = json
    return workshop
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
  func `a variable that is declared and faulty counts as declared`(variable: String, what: String) {
    let findings = FaultyFilesTests.workshop(
      "{\"variables\": {\"a\": \(variable), \(FaultyFilesTests.good)}}"
    )
    .findings
    #expect(findings.count == 1)
    #expect(findings.first?.contains(what) == true, "\(findings)")
  }

  @Test func `a variable whose name is no name counts as declared by the right one`() {
    var workshop = Workshop("{{valid_for}}")
    workshop.json = #"{"variables": {"Valid-For": {"for": "x", "kind": "text", "example": "y"}}}"#
    #expect(workshop.findings.count == 1)
    #expect(workshop.findings.first?.contains("not the name of a variable") == true)
  }

  @Test(arguments: [
    "{\"variables\": {", "{\"variables\": {},}", "", "[]", "{\"variables\": []}",
    "{\"variabels\": {\"a\": {\"for\": \"x\", \"kind\": \"url\", \"example\": \"https://a.example\"}}}",
  ])
  func `a message json that can't be read stands alone`(json: String) {
    let findings = FaultyFilesTests.workshop(json).findings
    #expect(findings.count == 1)
    #expect(findings.first?.hasPrefix("test/message.json:1:") == true)
  }

  @Test func `a layout that uses a faulty variable says nothing of it`() {
    var workshop = FaultyFilesTests.workshop(
      "{\"variables\": {\"a\": {\"for\": \"x\", \"kind\": \"url\", \"example\": \"bad\"}, \(FaultyFilesTests.good)}}"
    )
    workshop.layout = "{{content}}<a href=\"{{a}}\">x</a>"
    workshop.site = ["a": "https://a.example"]
    #expect(workshop.findings.count == 1)
  }

  @Test func `an undeclared variable in a link is one mistake`() {
    let findings = Workshop("{{service}} [말]({{servcie}}/x)").findings
    #expect(
      findings == [
        "test/ko.md:3:17: error: {{servcie}} is not declared in message.json; did you mean {{service}}?"
      ])
  }

  @Test func `a misspelt variable makes no unused one`() {
    #expect(Workshop("{{servcie}}").findings.count == 1)
  }

  @Test func `a file that is too large is not missing, and its variables are not unused`() throws {
    let desk = try StoreTests.Desk()
    try desk.remove("hello/en.md")
    try desk.write("hello/ko.md", "Subject: x\n\n" + String(repeating: "x", count: 300_000))
    try desk.write("hello/ko.txt", "x")
    let findings = desk.store().lint()
    #expect(findings.count == 1)
    #expect(findings.first?.file == desk.root + "/hello/ko.md")
  }

  @Test func `a message json that is too large declares nobody knows what`() throws {
    let desk = try StoreTests.Desk()
    try desk.write("hello/message.json", String(repeating: " ", count: 300_000))
    let findings = desk.store(variables: ["service": "x"]).lint()
    #expect(findings.map(\.file) == [desk.root + "/hello/message.json"])
  }

  @Test func `a site's variable is not unknown while a message json can't be read`() throws {
    let desk = try StoreTests.Desk()
    try desk.write("hello/message.json", "{")
    #expect(desk.store(variables: ["service": "x"]).lint().count == 1)
    try desk.write(
      "hello/message.json", #"{"variables": {"service": {"for": "x", "kind": "txt", "example": "x"}}}"#)
    #expect(desk.store(variables: ["service": "x"]).lint().count == 1)
  }

  @Test func `a message without message json is told once`() throws {
    let desk = try StoreTests.Desk()
    try desk.remove("hello/message.json")
    try desk.write("hello/ko.md", "Subject: 안녕\n\n{{service}} [말]({{link}})\n")
    #expect(desk.store(variables: ["service": "x"]).lint().map(\.what) == ["there is no message.json"])
  }

  @Test func `a folder taken away is told once`() throws {
    let desk = try StoreTests.Desk()
    let store = desk.store()
    _ = try store.describe("hello")
    try desk.remove("hello")
    desk.advance(by: 1)
    _ = try store.describe("hello")
    #expect(store.problems.map(\.what) == ["the message's folder can't be read: No such file or directory"])
  }
}
