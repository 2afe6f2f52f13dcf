import Foundation
import PabalCore
import Synchronization
import Testing

@testable import PabalMessages

@Suite struct MessageStoreTests {
  /// A temporary messages directory with a manual clock.
  final class MessageDirectoryFixture: Sendable {
    let root: String
    private let seconds = Mutex(0)
    private let reported = Mutex<[String]>([])

    init() throws {
      root = NSTemporaryDirectory() + "messages-\(UUID().uuidString)"
      try write("layout.html", "<html lang=\"{{language}}\">{{content}}</html>")
      try write("hello/message.json", MessageFixture.json([("service", "text", "파발")]))
      try write("hello/ko.md", "Subject: 안녕\n\n{{service}}은(는) 안녕.\n")
      try write("hello/en.md", "Subject: Hello\n\nHello from {{service}}.\n")
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func write(_ name: String, _ text: String) throws {
      let path = "\(root)/\(name)"
      try FileManager.default.createDirectory(
        atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    func link(_ name: String, to target: String) throws {
      try? FileManager.default.removeItem(atPath: "\(root)/\(name)")
      try FileManager.default.createSymbolicLink(atPath: "\(root)/\(name)", withDestinationPath: target)
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: "\(root)/\(name)") }

    func advance(by seconds: Int) { self.seconds.withLock { $0 += seconds } }

    var changes: [String] { reported.withLock { $0 } }

    func store(
      variables: [String: String] = [:], variableLocations: [String: SettingLocation] = [:]
    ) -> MessageStore {
      let start = ContinuousClock.now
      return MessageStore(
        directory: root, language: "ko", variables: variables, variableLocations: variableLocations,
        now: { start + .seconds(self.seconds.withLock { $0 }) },
        onChange: { name, diagnostics in
          self.reported.withLock { $0.append("\(name): \(diagnostics.count)") }
        })
    }
  }

  private static func text(_ store: MessageStore, _ name: String = "hello", _ languages: [String] = []) throws
    -> String
  {
    try store.render(name, languages: languages, values: ["service": "파발"]).text
  }

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

  @Test func `a preview shows the last valid version and sees an edit immediately`() throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store(variables: ["service": "가게"])
    let stamp = store.filesStamp
    #expect(store.filesStamp == stamp)
    let first = store.preview()
    #expect(first.problems == [])
    #expect(first.messages.first?.views.map(\.text).contains("가게는 안녕.\n") == true)
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{servcie}}은(는) 안녕.\n")
    #expect(store.filesStamp != stamp)
    let second = store.preview()
    #expect(second.messages == first.messages)
    #expect(second.problems.count == 1)
    try fixture.write("hello/ko.md", "Subject: 안녕\nPreview: {{service}}의 말\n\n{{service}}은(는) 또 안녕.\n")
    let third = try #require(store.preview().messages.first?.views.first { $0.sample == .examples })
    #expect(third.text == "가게는 또 안녕.\n")
    #expect(third.previewLine == "가게의 말")
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
    #expect(try MessageStoreTests.text(store, "hello", ["fr", "en-GB"]) == "Hello from 파발.\n")
    #expect(try MessageStoreTests.text(store, "hello", ["fr"]) == "파발은 안녕.\n")
    #expect(try MessageStoreTests.text(store) == "파발은 안녕.\n")
  }

  @Test func `an edit takes effect after a second`() throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store()
    #expect(try MessageStoreTests.text(store) == "파발은 안녕.\n")
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{service}}이(가) 바뀜.\n")
    #expect(try MessageStoreTests.text(store) == "파발은 안녕.\n")
    fixture.advance(by: 1)
    #expect(try MessageStoreTests.text(store) == "파발이 바뀜.\n")
    #expect(fixture.changes == ["hello: 0", "hello: 0"])
  }

  @Test func `an edit that keeps the file size takes effect`() throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store()
    #expect(try MessageStoreTests.text(store, "hello", ["en"]) == "Hello from 파발.\n")
    try fixture.write("hello/en.md", "Subject: Hello\n\nHullo from {{service}}.\n")
    fixture.advance(by: 1)
    #expect(try MessageStoreTests.text(store, "hello", ["en"]) == "Hullo from 파발.\n")
  }

  @Test func `a changed layout, a new language and a removed language take effect`() throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store()
    _ = try MessageStoreTests.text(store)
    try fixture.write("layout.html", "<html lang=\"{{language}}\"><b>{{content}}</b></html>")
    fixture.advance(by: 1)
    #expect(try store.render("hello", languages: [], values: ["service": "x"]).html.contains("<b>"))
    try fixture.write("hello/ja.md", "Subject: こんにちは\n\n{{service}}\n")
    fixture.advance(by: 1)
    #expect(try store.render("hello", languages: ["ja"], values: ["service": "x"]).language == "ja")
    try fixture.remove("hello/ja.md")
    fixture.advance(by: 1)
    #expect(try store.render("hello", languages: ["ja"], values: ["service": "x"]).language == "ko")
  }

  @Test func `a broken edit keeps the last valid version and is reported`() throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store()
    _ = try MessageStoreTests.text(store)
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{servcie}}\n")
    fixture.advance(by: 1)
    #expect(try MessageStoreTests.text(store) == "파발은 안녕.\n")
    #expect(
      store.problems.map(\.description) == [
        "\(fixture.root)/hello/ko.md:3:1: error: {{servcie}} is not declared in message.json; did you mean {{service}}?"
      ])
    // Reported once per reload, not once per mail.
    fixture.advance(by: 1)
    #expect(try MessageStoreTests.text(store) == "파발은 안녕.\n")
    #expect(fixture.changes == ["hello: 0", "hello: 1"])
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n다시 {{service}}.\n")
    fixture.advance(by: 1)
    #expect(try MessageStoreTests.text(store) == "다시 파발.\n")
    #expect(store.problems.isEmpty)
  }

  @Test func `a removed folder keeps the last valid version`() throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store()
    _ = try MessageStoreTests.text(store)
    try fixture.remove("hello")
    fixture.advance(by: 1)
    #expect(try MessageStoreTests.text(store) == "파발은 안녕.\n")
    #expect(!store.problems.isEmpty)
  }

  @Test func `a message that never loaded reports all errors and loads once they are fixed`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{a}} {{b}}\n")
    let store = fixture.store()
    let error = #expect(throws: MessageError.self) { try MessageStoreTests.text(store) }
    #expect(error?.description.split(separator: "\n").count == 2)
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n안녕 {{service}}.\n")
    fixture.advance(by: 1)
    #expect(try MessageStoreTests.text(store) == "안녕 파발.\n")
  }

  @Test func `after a restart, the languages without errors are used while another one is broken`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("hello/en.md", "Subject: Hello\n\nHello from {{service}}.\n")
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{servcie}}\n")
    let store = fixture.store()
    let values: [String: MessageValue] = ["service": "x"]
    #expect(try store.render("hello", languages: ["en"], values: values).text == "Hello from x.\n")
    // The default language is the broken one, so a reader of it can't be served by another.
    for languages in [[], ["ko"], ["ja"]] {
      let error = #expect(throws: MessageError.self) {
        try store.render("hello", languages: languages, values: values)
      }
      #expect(error?.description.contains("{{servcie}} is not declared") == true)
    }
    #expect(
      store.problems(ofMessage: "hello", hasCode: false).map(\.message).first?.contains("servcie") == true)
    #expect(store.languageProblems(ofMessage: "hello").count == 1)
    #expect(try store.describe("hello").languages == ["en"])
    // Languages that work are edited as ever.
    try fixture.write("hello/en.md", "Subject: Hello\n\nHi from {{service}}.\n")
    fixture.advance(by: 1)
    #expect(try store.render("hello", languages: ["en"], values: values).text == "Hi from x.\n")
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n다시 {{service}}.\n")
    fixture.advance(by: 1)
    #expect(try store.render("hello", languages: [], values: values).text == "다시 x.\n")
    #expect(store.problems(ofMessage: "hello", hasCode: false).isEmpty)
    #expect(store.languageProblems(ofMessage: "hello").isEmpty)
    // From now on there is a whole version to keep.
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{servcie}}\n")
    fixture.advance(by: 1)
    #expect(try store.render("hello", languages: [], values: values).text == "다시 x.\n")
    #expect(!store.problems.isEmpty && store.problems(ofMessage: "hello", hasCode: false).isEmpty)
  }

  @Test func `an error outside the languages breaks all of them`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("layout.html", "<html><body>no placeholder</body></html>")
    let store = fixture.store()
    for languages in [[], ["en"]] {
      #expect(throws: MessageError.self) {
        try store.render("hello", languages: languages, values: ["service": "x"])
      }
    }
    #expect(!store.problems(ofMessage: "hello", hasCode: false).isEmpty)
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

  @Test func `a broken message doesn't affect others`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("broken/message.json", "{")
    let store = fixture.store()
    #expect(try MessageStoreTests.text(store) == "파발은 안녕.\n")
    #expect(try store.names() == ["broken", "hello"])
    #expect(throws: MessageError.self) { try MessageStoreTests.text(store, "broken") }
    #expect(store.lint().contains { $0.file?.hasSuffix("broken/message.json") == true })
  }

  @Test(arguments: [
    "..", "../hello", "hello/", "/hello", "./hello", "hello/../hello", "Hello", "hello\0", "hel lo", "",
    "héllo",
    "hello\nBcc: x", String(repeating: "a", count: 65),
  ])
  func `a name can't lead outside the messages directory`(name: String) throws {
    let store = try MessageDirectoryFixture().store()
    let error = #expect(throws: MessageError.self) { try MessageStoreTests.text(store, name) }
    guard case .unknownMessage = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.description.contains("\n") == false)
  }

  @Test func `a misspelled name gets a suggestion`() throws {
    let store = try MessageDirectoryFixture().store()
    let error = #expect(throws: MessageError.self) { try MessageStoreTests.text(store, "helo") }
    #expect(error == .unknownMessage("helo", nearest: "hello"))
  }

  @Test func `a link within the directory works, and a link out of it doesn't`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("data/ko.md", "Subject: 안녕\n\n속 {{service}}.\n")
    try fixture.link("hello/ko.md", to: "../data/ko.md")
    #expect(try MessageStoreTests.text(fixture.store()) == "속 파발.\n")

    let outside = try MessageDirectoryFixture()
    try outside.write("ko.md", "Subject: 비밀\n\n{{service}}\n")
    try fixture.link("hello/ko.md", to: outside.root + "/ko.md")
    let error = #expect(throws: MessageError.self) { try MessageStoreTests.text(fixture.store()) }
    #expect(error?.description.contains("links to a file outside the messages directory") == true)
    #expect(error?.description.contains("비밀") == false)

    try fixture.remove("hello/ko.md")
    try fixture.link("away", to: outside.root + "/hello")
    #expect(throws: MessageError.self) { try MessageStoreTests.text(fixture.store(), "away") }

    try fixture.link("layout.html", to: "/etc/passwd")
    #expect(throws: MessageError.self) { try MessageStoreTests.text(fixture.store()) }
  }

  @Test func `the messages directory may be a link`() throws {
    let fixture = try MessageDirectoryFixture()
    let link = fixture.root + "-link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: fixture.root)
    defer { try? FileManager.default.removeItem(atPath: link) }
    let store = MessageStore(directory: link, language: "ko")
    #expect(try MessageStoreTests.text(store) == "파발은 안녕.\n")
  }

  @Test func `a special file or a file that is too large is rejected`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.remove("hello/ko.md")
    #expect(mkfifo(fixture.root + "/hello/ko.md", 0o600) == 0)
    let error = #expect(throws: MessageError.self) { try MessageStoreTests.text(fixture.store()) }
    #expect(error?.description.contains("not a regular file") == true)
    try fixture.remove("hello/ko.md")
    try fixture.write("hello/ko.md", "Subject: x\n\n" + String(repeating: "x", count: 300_000))
    #expect(throws: MessageError.self) { try MessageStoreTests.text(fixture.store()) }
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
    let error = #expect(throws: MessageError.self) { try MessageStoreTests.text(fixture.store()) }
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

  @Test func `threads can render concurrently while files are edited`() async throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<4 {
        group.addTask {
          for round in 0..<200 {
            let text = try MessageStoreTests.text(store)
            #expect(text == "파발은 안녕.\n" || text.hasPrefix("파발이 바뀜"))
            if worker == 0, round % 50 == 0 {
              try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{service}}이(가) 바뀜 \(round).\n")
              fixture.advance(by: 1)
            }
          }
        }
      }
      try await group.waitForAll()
    }
    fixture.advance(by: 1)
    #expect(try MessageStoreTests.text(store) == "파발이 바뀜 150.\n")
  }
}
