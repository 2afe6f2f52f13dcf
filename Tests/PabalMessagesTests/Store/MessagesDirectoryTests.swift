import PabalCore
import Testing

@testable import PabalMessages

/// Findings about the messages directory itself and about site-wide values.
@Suite struct MessagesDirectoryTests {
  private static let unreadable = [
    "/nowhere/messages: error: the messages directory can't be read: No such file or directory; check messages.directory in config.json"
  ]

  @Test func `a message in an unreadable directory isn't reported as unknown`() {
    let store = MessageStore(directory: "/nowhere/messages", language: "ko")
    let described = #expect(throws: MessageError.self) { try store.describe("verification") }
    let rendered = #expect(throws: MessageError.self) {
      try store.render("verification", languages: [], values: [:])
    }
    for error in [described, rendered] {
      guard case .broken("verification", let diagnostics) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(diagnostics.map(\.description) == MessagesDirectoryTests.unreadable)
    }
    #expect(store.lint(["verification"]).map(\.description) == MessagesDirectoryTests.unreadable)
  }

  @Test(arguments: [
    ("Welcome", "rename it to \"welcome\""), ("my_mail", "rename it to \"my-mail\""),
    ("My Mail", "rename it to \"my-mail\""),
    ("비밀번호", "use at most 64 lower-case letters a to z, digits and -, such as welcome"),
    (
      "Hello",
      "use at most 64 lower-case letters a to z, digits and -, such as welcome; \"hello\" already exists"
    ),
  ])
  func `a folder with an invalid message name is reported`(folder: String, remedy: String) throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("\(folder)/ko.md", "x")
    try fixture.write(".git/config", "x")
    try fixture.write("README.md", "x")
    let expected =
      "\(fixture.root)/\(folder): warning: not a valid message name, so the folder is ignored; \(remedy)"
    #expect(fixture.store().lint().map(\.description) == [expected])
    #expect(fixture.store().lint([folder]).map(\.description) == [expected])
    #expect(fixture.store().lint(["hello"]).isEmpty)
  }

  @Test func `an error in a site-wide value is reported where the value is written`() throws {
    let fixture = try MessageDirectoryFixture()
    func place(_ line: Int, _ name: String) -> SettingLocation {
      SettingLocation(
        file: "config.json", position: SourcePosition(line: line, column: 7),
        path: "messages.variables.\(name)")
    }
    let places = ["servcie": place(3, "servcie"), "service": place(4, "service")]
    #expect(
      fixture.store(variables: ["servcie": "x"], variableLocations: places).lint().map(\.description) == [
        "config.json:3:7: warning: messages.variables.servcie: no message declares {{servcie}}; did you mean \"service\"?"
      ])
    #expect(
      fixture.store(variables: ["service": "a\0"], variableLocations: places).lint().map(\.description) == [
        "config.json:4:7: error: messages.variables.service: contains the character U+0000; remove it"
      ])
  }
}
