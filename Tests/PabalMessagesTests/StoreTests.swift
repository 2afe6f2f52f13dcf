import Foundation
import PabalCore
import Synchronization
import Testing

@testable import PabalMessages

@Suite struct StoreTests {
  /// A messages directory of its own, with a clock that stands still.
  final class Desk: Sendable {
    let root: String
    private let seconds = Mutex(0)
    private let told = Mutex<[String]>([])

    init() throws {
      root = NSTemporaryDirectory() + "messages-\(UUID().uuidString)"
      try write("layout.html", "<html lang=\"{{language}}\">{{content}}</html>")
      try write("hello/message.json", Workshop.json([("service", "text", "파발")]))
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

    var changes: [String] { told.withLock { $0 } }

    func store(
      variables: [String: String] = [:], variablePlaces: [String: SettingPlace] = [:]
    ) -> MessageStore {
      let start = ContinuousClock.now
      return MessageStore(
        directory: root, language: "ko", variables: variables, variablePlaces: variablePlaces,
        now: { start + .seconds(self.seconds.withLock { $0 }) },
        onChange: { name, diagnostics in
          self.told.withLock { $0.append("\(name): \(diagnostics.count)") }
        })
    }
  }

  private static func text(_ store: MessageStore, _ name: String = "hello", _ languages: [String] = []) throws
    -> String
  {
    try store.render(name, languages: languages, values: ["service": "파발"]).text
  }

  @Test func `what lies beside the messages as if it were one is told`() throws {
    let desk = try Desk()
    try desk.write("환영/ko.md", "Subject: x\n\ny\n")
    try desk.write("ko.md", "Subject: x\n\ny\n")
    try desk.write("README.md", "words about words")
    try desk.write(".git/config", "")
    let findings = desk.store().lint().map { $0.description.replacing(desk.root + "/", with: "") }
    #expect(
      findings == [
        "ko.md: warning: stands in no message's folder, so nobody reads it; move it into the folder of its message",
        "환영: warning: not the name of a message, so nobody finds it; use small letters a to z, digits and -, 64 at most, such as welcome",
      ])
  }

  @Test func `a preview keeps the last good words, and sees an edit at once`() throws {
    let desk = try Desk()
    let store = desk.store(variables: ["service": "가게"])
    let stamp = store.filesStamp
    #expect(store.filesStamp == stamp)
    let first = store.preview()
    #expect(first.problems == [])
    #expect(first.messages.first?.views.map(\.text).contains("가게는 안녕.\n") == true)
    try desk.write("hello/ko.md", "Subject: 안녕\n\n{{servcie}}은(는) 안녕.\n")
    #expect(store.filesStamp != stamp)
    let second = store.preview()
    #expect(second.messages == first.messages)
    #expect(second.problems.count == 1)
    try desk.write("hello/ko.md", "Subject: 안녕\nPreview: {{service}}의 말\n\n{{service}}은(는) 또 안녕.\n")
    let third = try #require(store.preview().messages.first?.views.last { $0.sample == .examples })
    #expect(third.text == "가게는 또 안녕.\n")
    #expect(third.previewLine == "가게의 말")
  }

  @Test func `a message carries everything its mail needs`() throws {
    let desk = try Desk()
    try desk.write(
      "hello/message.json",
      #"{"lane":"code","lifetime":"10m","unknown":"keep","variables":{"service":{"for":"x","kind":"text","example":"x"}}}"#
    )
    let message = try desk.store().render("hello", languages: ["en-US"], values: ["service": "Pabal"])
    #expect(message.name == "hello")
    #expect(message.language == "en")
    #expect(message.subject == "Hello")
    #expect(message.text == "Hello from Pabal.\n")
    #expect(message.html == "<html lang=\"en\"><p>Hello from Pabal.</p>\n</html>")
    #expect(message.lane == .code)
    #expect(message.lifetime == .seconds(600))
    #expect(message.unknownPolicy == .keep)
  }

  @Test func `languages are whole messages, the default one last`() throws {
    let store = try Desk().store()
    #expect(try StoreTests.text(store, "hello", ["fr", "en-GB"]) == "Hello from 파발.\n")
    #expect(try StoreTests.text(store, "hello", ["fr"]) == "파발은 안녕.\n")
    #expect(try StoreTests.text(store) == "파발은 안녕.\n")
  }

  @Test func `an edit is seen after a second`() throws {
    let desk = try Desk()
    let store = desk.store()
    #expect(try StoreTests.text(store) == "파발은 안녕.\n")
    try desk.write("hello/ko.md", "Subject: 안녕\n\n{{service}}이(가) 바뀜.\n")
    #expect(try StoreTests.text(store) == "파발은 안녕.\n")
    desk.advance(by: 1)
    #expect(try StoreTests.text(store) == "파발이 바뀜.\n")
    #expect(desk.changes == ["hello: 0", "hello: 0"])
  }

  @Test func `an edit of the same length is seen too`() throws {
    let desk = try Desk()
    let store = desk.store()
    #expect(try StoreTests.text(store, "hello", ["en"]) == "Hello from 파발.\n")
    try desk.write("hello/en.md", "Subject: Hello\n\nHullo from {{service}}.\n")
    desk.advance(by: 1)
    #expect(try StoreTests.text(store, "hello", ["en"]) == "Hullo from 파발.\n")
  }

  @Test func `the layout, a new language and a removed one are edits`() throws {
    let desk = try Desk()
    let store = desk.store()
    _ = try StoreTests.text(store)
    try desk.write("layout.html", "<html lang=\"{{language}}\"><b>{{content}}</b></html>")
    desk.advance(by: 1)
    #expect(try store.render("hello", languages: [], values: ["service": "x"]).html.contains("<b>"))
    try desk.write("hello/ja.md", "Subject: こんにちは\n\n{{service}}\n")
    desk.advance(by: 1)
    #expect(try store.render("hello", languages: ["ja"], values: ["service": "x"]).language == "ja")
    try desk.remove("hello/ja.md")
    desk.advance(by: 1)
    #expect(try store.render("hello", languages: ["ja"], values: ["service": "x"]).language == "ko")
  }

  @Test func `a broken edit keeps the last good version and says so`() throws {
    let desk = try Desk()
    let store = desk.store()
    _ = try StoreTests.text(store)
    try desk.write("hello/ko.md", "Subject: 안녕\n\n{{servcie}}\n")
    desk.advance(by: 1)
    #expect(try StoreTests.text(store) == "파발은 안녕.\n")
    #expect(
      store.problems.map(\.description) == [
        "\(desk.root)/hello/ko.md:3:1: error: {{servcie}} is not declared in message.json; did you mean {{service}}?"
      ])
    // Told once for each reading, not for each mail.
    desk.advance(by: 1)
    #expect(try StoreTests.text(store) == "파발은 안녕.\n")
    #expect(desk.changes == ["hello: 0", "hello: 1"])
    try desk.write("hello/ko.md", "Subject: 안녕\n\n다시 {{service}}.\n")
    desk.advance(by: 1)
    #expect(try StoreTests.text(store) == "다시 파발.\n")
    #expect(store.problems.isEmpty)
  }

  @Test func `a folder taken away keeps the last good version`() throws {
    let desk = try Desk()
    let store = desk.store()
    _ = try StoreTests.text(store)
    try desk.remove("hello")
    desk.advance(by: 1)
    #expect(try StoreTests.text(store) == "파발은 안녕.\n")
    #expect(!store.problems.isEmpty)
  }

  @Test func `a message broken from the start tells all that is wrong, and is read again when mended`() throws
  {
    let desk = try Desk()
    try desk.write("hello/ko.md", "Subject: 안녕\n\n{{a}} {{b}}\n")
    let store = desk.store()
    let error = #expect(throws: MessageError.self) { try StoreTests.text(store) }
    #expect(error?.description.split(separator: "\n").count == 2)
    try desk.write("hello/ko.md", "Subject: 안녕\n\n안녕 {{service}}.\n")
    desk.advance(by: 1)
    #expect(try StoreTests.text(store) == "안녕 파발.\n")
  }

  @Test func `one broken message stops no other`() throws {
    let desk = try Desk()
    try desk.write("broken/message.json", "{")
    let store = desk.store()
    #expect(try StoreTests.text(store) == "파발은 안녕.\n")
    #expect(try store.names() == ["broken", "hello"])
    #expect(throws: MessageError.self) { try StoreTests.text(store, "broken") }
    #expect(store.lint().contains { $0.file?.hasSuffix("broken/message.json") == true })
  }

  @Test(arguments: [
    "..", "../hello", "hello/", "/hello", "./hello", "hello/../hello", "Hello", "hello\0", "hel lo", "",
    "héllo",
    "hello\nBcc: x", String(repeating: "a", count: 65),
  ])
  func `no name leads anywhere but to a folder of the directory`(name: String) throws {
    let store = try Desk().store()
    let error = #expect(throws: MessageError.self) { try StoreTests.text(store, name) }
    guard case .unknownMessage = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.description.contains("\n") == false)
  }

  @Test func `a misspelt name gets a suggestion`() throws {
    let store = try Desk().store()
    let error = #expect(throws: MessageError.self) { try StoreTests.text(store, "helo") }
    #expect(error == .unknownMessage("helo", nearest: "hello"))
  }

  @Test func `a link may lead about inside of the directory and never out of it`() throws {
    let desk = try Desk()
    try desk.write("data/ko.md", "Subject: 안녕\n\n속 {{service}}.\n")
    try desk.link("hello/ko.md", to: "../data/ko.md")
    #expect(try StoreTests.text(desk.store()) == "속 파발.\n")

    let outside = try Desk()
    try outside.write("ko.md", "Subject: 비밀\n\n{{service}}\n")
    try desk.link("hello/ko.md", to: outside.root + "/ko.md")
    let error = #expect(throws: MessageError.self) { try StoreTests.text(desk.store()) }
    #expect(error?.description.contains("leads out of the messages directory") == true)
    #expect(error?.description.contains("비밀") == false)

    try desk.remove("hello/ko.md")
    try desk.link("away", to: outside.root + "/hello")
    #expect(throws: MessageError.self) { try StoreTests.text(desk.store(), "away") }

    try desk.link("layout.html", to: "/etc/passwd")
    #expect(throws: MessageError.self) { try StoreTests.text(desk.store()) }
  }

  @Test func `the directory itself may be a link`() throws {
    let desk = try Desk()
    let link = desk.root + "-link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: desk.root)
    defer { try? FileManager.default.removeItem(atPath: link) }
    let store = MessageStore(directory: link, language: "ko")
    #expect(try StoreTests.text(store) == "파발은 안녕.\n")
  }

  @Test func `what is no file, or too large, is refused`() throws {
    let desk = try Desk()
    try desk.remove("hello/en.md")
    #expect(mkfifo(desk.root + "/hello/en.md", 0o600) == 0)
    let error = #expect(throws: MessageError.self) { try StoreTests.text(desk.store()) }
    #expect(error?.description.contains("is no regular file") == true)
    try desk.remove("hello/en.md")
    try desk.write("hello/en.md", "Subject: x\n\n" + String(repeating: "x", count: 300_000))
    #expect(throws: MessageError.self) { try StoreTests.text(desk.store()) }
  }

  @Test func `lint tells what is wrong among messages`() throws {
    let desk = try Desk()
    try desk.write("bye/message.json", "{}")
    try desk.write("bye/ko.md", "Subject: 잘 가\n\n안녕히.\n")
    try desk.write("bye/notes.doc", "x")
    try desk.write("bye/README.md", "x")
    try desk.write("hello/KO.md", "Subject: x\n\n{{service}}\n")
    let findings = desk.store(variables: ["servcie": "x", "service.reading": "y"]).lint()
    #expect(
      findings.map { $0.description.replacingOccurrences(of: desk.root, with: "M") } == [
        "warning: messages.variables.servcie: no message declares {{servcie}}; did you mean \"service\"?",
        "M/bye/notes.doc: warning: neither message.json nor a language's .md, .html or .txt, so nobody reads it; name it by its language, such as ko.md, or take it out",
        "M/hello/ko.md: error: the same language as KO.md; keep one of them",
      ])
    try desk.remove("hello/KO.md")
    #expect(
      desk.store().lint(["bye", "hullo"]).map(\.what) == [
        "there is no message \"hullo\"; did you mean \"hello\"?",
        "neither message.json nor a language's .md, .html or .txt, so nobody reads it",
      ])
    try desk.remove("bye/notes.doc")
    #expect(
      desk.store().lint().map { $0.description.replacingOccurrences(of: desk.root, with: "M") } == [
        "M/bye: warning: there is no en.md, and other messages have one; write it, or whoever reads en gets ko"
      ])
  }

  @Test func `a directory that is not there is told`() {
    let store = MessageStore(directory: "/nowhere/messages", language: "ko")
    #expect(throws: Diagnostics.self) { try store.names() }
    #expect(store.lint().map(\.severity) == [.error])
    #expect(throws: MessageError.self) { try store.describe("hello") }
  }

  @Test func `a missing layout is told`() throws {
    let desk = try Desk()
    try desk.remove("layout.html")
    let error = #expect(throws: MessageError.self) { try StoreTests.text(desk.store()) }
    #expect(error?.description.contains("layout.html") == true)
  }

  @Test func `a description says what a render needs`() throws {
    let desk = try Desk()
    try desk.write(
      "hello/message.json",
      #"""
      {"for": "greets", "variables": {
        "service": {"for": "x", "kind": "text", "example": "파발"},
        "wait": {"for": "y", "kind": "duration", "example": "5m", "default": "10m"},
        "unused": {"for": "z", "kind": "url", "example": "https://a.example"}}}
      """#)
    try desk.write("hello/ko.md", "Subject: 안녕\n\n{{service}} {{wait}}\n")
    let description = try desk.store().describe("hello")
    #expect(description.purpose == "greets")
    #expect(description.languages == ["en", "ko"])
    #expect(description.variables.map(\.name) == ["service", "wait", "unused"])
    #expect(description.variables.map(\.isRequired) == [true, false, false])
    #expect(
      try desk.store(variables: ["service": "x"]).describe("hello").variables.map(\.isRequired) == [
        false, false, false,
      ])
    let message = try desk.store().render("hello", languages: [], values: description.examples)
    #expect(message.text == "파발 5분\n")
  }

  @Test func `many threads may render and edits come in between`() async throws {
    let desk = try Desk()
    let store = desk.store()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<4 {
        group.addTask {
          for round in 0..<200 {
            let text = try StoreTests.text(store)
            #expect(text == "파발은 안녕.\n" || text.hasPrefix("파발이 바뀜"))
            if worker == 0, round % 50 == 0 {
              try desk.write("hello/ko.md", "Subject: 안녕\n\n{{service}}이(가) 바뀜 \(round).\n")
              desk.advance(by: 1)
            }
          }
        }
      }
      try await group.waitForAll()
    }
    desk.advance(by: 1)
    #expect(try StoreTests.text(store) == "파발이 바뀜 150.\n")
  }
}
