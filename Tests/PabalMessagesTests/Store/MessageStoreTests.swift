import Foundation
import PabalCore
import Testing

@testable import PabalMessages

@Suite struct MessageStoreTests {
  @Test func `a misplaced file and a misnamed folder are reported`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("환영/ko.md", "Subject: x\n\ny\n")
    try fixture.write("ko.md", "Subject: x\n\ny\n")
    try fixture.write("README.md", "text")
    try fixture.write(".git/config", "")
    let findings = fixture.store().lint().map { $0.description.replacing(fixture.root + "/", with: "") }
    #expect(
      findings == [
        "ko.md: warning: not in a message's folder, so it is ignored; move it into its message's folder",
        "환영: warning: not a valid message name, so the folder is ignored; use at most 64 lower-case letters a to z, digits and -, such as welcome",
      ])
  }

  @Test func `a rendered message contains everything its mail needs`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write(
      "hello/message.json",
      #"{"lane":"code","lifetime":"10m","unknown":"keep","variables":{"service":{"for":"x","kind":"text","example":"x"}}}"#
    )
    let message = try fixture.store().render("hello", languages: ["en-US"], values: ["service": "Pabal"])
    #expect(message.name == "hello")
    #expect(message.language == "en")
    #expect(message.subject == "Hello")
    #expect(message.text == "Hello from Pabal.\n")
    #expect(message.html == "<html lang=\"en\"><p>Hello from Pabal.</p>\n</html>")
    #expect(message.lane == .code)
    #expect(message.lifetime == .seconds(600))
    #expect(message.unknownPolicy == .keep)
  }

  @Test func `a message is rendered in one language, the default one if no other matches`() throws {
    let store = try MessageDirectoryFixture().store()
    #expect(try renderedText(store, "hello", ["fr", "en-GB"]) == "Hello from 파발.\n")
    #expect(try renderedText(store, "hello", ["fr"]) == "파발은 안녕.\n")
    #expect(try renderedText(store) == "파발은 안녕.\n")
  }

  @Test func `a message for codes without one, one for notices with one, and an unknown one are problems`()
    throws
  {
    let store = MessageStore(
      directory: ShippedMessagesTests.directory, language: "ko", variables: ["service": "파발"])
    #expect(store.problems(ofMessage: "verification", hasCode: true).isEmpty)
    #expect(store.problems(ofMessage: "registered", hasCode: false).isEmpty)
    for (name, hasCode) in [
      ("verification", false), ("registered", true), ("nothing", true), ("../x", false),
    ] {
      #expect(store.problems(ofMessage: name, hasCode: hasCode).count == 1, "\(name)")
    }
  }

  @Test(arguments: [
    "..", "../hello", "hello/", "/hello", "./hello", "hello/../hello", "Hello", "hello\0", "hel lo", "",
    "héllo",
    "hello\nBcc: x", String(repeating: "a", count: 65),
  ])
  func `a name can't lead outside the messages directory`(name: String) throws {
    let store = try MessageDirectoryFixture().store()
    let error = #expect(throws: MessageError.self) { try renderedText(store, name) }
    guard case .unknownMessage = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.description.contains("\n") == false)
  }

  @Test func `a misspelled name gets a suggestion`() throws {
    let store = try MessageDirectoryFixture().store()
    let error = #expect(throws: MessageError.self) { try renderedText(store, "helo") }
    #expect(error == .unknownMessage("helo", nearest: "hello"))
  }

  @Test func `a link within the directory works, and a link out of it doesn't`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("data/ko.md", "Subject: 안녕\n\n속 {{service}}.\n")
    try fixture.link("hello/ko.md", to: "../data/ko.md")
    #expect(try renderedText(fixture.store()) == "속 파발.\n")

    let outside = try MessageDirectoryFixture()
    try outside.write("ko.md", "Subject: 비밀\n\n{{service}}\n")
    try fixture.link("hello/ko.md", to: outside.root + "/ko.md")
    let error = #expect(throws: MessageError.self) { try renderedText(fixture.store()) }
    #expect(error?.description.contains("links to a file outside the messages directory") == true)
    #expect(error?.description.contains("비밀") == false)

    try fixture.remove("hello/ko.md")
    try fixture.link("away", to: outside.root + "/hello")
    #expect(throws: MessageError.self) { try renderedText(fixture.store(), "away") }

    try fixture.link("layout.html", to: "/etc/passwd")
    #expect(throws: MessageError.self) { try renderedText(fixture.store()) }
  }

  @Test func `the messages directory may be a link`() throws {
    let fixture = try MessageDirectoryFixture()
    let link = fixture.root + "-link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: fixture.root)
    defer { try? FileManager.default.removeItem(atPath: link) }
    let store = MessageStore(directory: link, language: "ko")
    #expect(try renderedText(store) == "파발은 안녕.\n")
  }

  @Test func `a special file or a file that is too large is rejected`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.remove("hello/ko.md")
    #expect(mkfifo(fixture.root + "/hello/ko.md", 0o600) == 0)
    let error = #expect(throws: MessageError.self) { try renderedText(fixture.store()) }
    #expect(error?.description.contains("not a regular file") == true)
    try fixture.remove("hello/ko.md")
    try fixture.write("hello/ko.md", "Subject: x\n\n" + String(repeating: "x", count: 300_000))
    #expect(throws: MessageError.self) { try renderedText(fixture.store()) }
  }

  @Test func `lint compares messages with each other and with site-wide values`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("bye/message.json", "{}")
    try fixture.write("bye/ko.md", "Subject: 잘 가\n\n안녕히.\n")
    try fixture.write("bye/notes.doc", "x")
    try fixture.write("bye/README.md", "x")
    try fixture.write("hello/KO.md", "Subject: x\n\n{{service}}\n")
    let findings = fixture.store(variables: ["servcie": "x", "service.reading": "y"]).lint()
    #expect(
      findings.map { $0.description.replacingOccurrences(of: fixture.root, with: "M") } == [
        "warning: messages.variables.servcie: no message declares {{servcie}}; did you mean \"service\"?",
        "M/bye/notes.doc: warning: neither message.json nor a language's .md, .html or .txt file, so it is ignored; name it after its language, such as ko.md, or remove it",
        "M/hello/ko.md: error: the same language as KO.md; keep one of them",
      ])
    try fixture.remove("hello/KO.md")
    #expect(
      fixture.store().lint(["bye", "hullo"]).map(\.message) == [
        "unknown message \"hullo\"; did you mean \"hello\"?",
        "neither message.json nor a language's .md, .html or .txt file, so it is ignored",
      ])
    try fixture.remove("bye/notes.doc")
    #expect(
      fixture.store().lint().map { $0.description.replacingOccurrences(of: fixture.root, with: "M") } == [
        "M/bye: warning: en.md is missing, but other messages have one; write it, otherwise en readers get ko"
      ])
  }

  @Test func `a missing directory is reported`() {
    let store = MessageStore(directory: "/nowhere/messages", language: "ko")
    #expect(throws: Diagnostics.self) { try store.names() }
    #expect(store.lint().map(\.severity) == [.error])
    #expect(throws: MessageError.self) { try store.describe("hello") }
  }

  @Test func `a missing layout is reported`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.remove("layout.html")
    let error = #expect(throws: MessageError.self) { try renderedText(fixture.store()) }
    #expect(error?.description.contains("layout.html") == true)
  }

  @Test func `a description lists the values that rendering needs`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write(
      "hello/message.json",
      #"""
      {"for": "greets", "variables": {
        "service": {"for": "x", "kind": "text", "example": "파발"},
        "wait": {"for": "y", "kind": "duration", "example": "5m", "default": "10m"},
        "unused": {"for": "z", "kind": "url", "example": "https://a.example"}}}
      """#)
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{service}} {{wait}}\n")
    let description = try fixture.store().describe("hello")
    #expect(description.purpose == "greets")
    #expect(description.languages == ["en", "ko"])
    #expect(description.variables.map(\.name) == ["service", "wait", "unused"])
    #expect(description.variables.map(\.isRequired) == [true, false, false])
    #expect(
      try fixture.store(variables: ["service": "x"]).describe("hello").variables.map(\.isRequired) == [
        false, false, false,
      ])
    let message = try fixture.store().render("hello", languages: [], values: description.examples)
    #expect(message.text == "파발 5분\n")
  }
}
