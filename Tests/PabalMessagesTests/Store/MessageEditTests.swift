import Foundation
import PabalCore
import Testing

@testable import PabalMessages

/// Edits of messages that are in use, valid and broken ones.
@Suite struct MessageEditTests {
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

  @Test func `an edit takes effect after a second`() throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store()
    #expect(try renderedText(store) == "파발은 안녕.\n")
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{service}}이(가) 바뀜.\n")
    #expect(try renderedText(store) == "파발은 안녕.\n")
    fixture.advance(by: 1)
    #expect(try renderedText(store) == "파발이 바뀜.\n")
    #expect(fixture.changes == ["hello: 0", "hello: 0"])
  }

  @Test func `an edit that keeps the file size takes effect`() throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store()
    #expect(try renderedText(store, "hello", ["en"]) == "Hello from 파발.\n")
    try fixture.write("hello/en.md", "Subject: Hello\n\nHullo from {{service}}.\n")
    fixture.advance(by: 1)
    #expect(try renderedText(store, "hello", ["en"]) == "Hullo from 파발.\n")
  }

  @Test func `a changed layout, a new language and a removed language take effect`() throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store()
    _ = try renderedText(store)
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
    _ = try renderedText(store)
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{servcie}}\n")
    fixture.advance(by: 1)
    #expect(try renderedText(store) == "파발은 안녕.\n")
    #expect(
      store.problems.map(\.description) == [
        "\(fixture.root)/hello/ko.md:3:1: error: {{servcie}} is not declared in message.json; did you mean {{service}}?"
      ])
    // Reported once per reload, not once per mail.
    fixture.advance(by: 1)
    #expect(try renderedText(store) == "파발은 안녕.\n")
    #expect(fixture.changes == ["hello: 0", "hello: 1"])
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n다시 {{service}}.\n")
    fixture.advance(by: 1)
    #expect(try renderedText(store) == "다시 파발.\n")
    #expect(store.problems.isEmpty)
  }

  @Test func `a removed folder keeps the last valid version`() throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store()
    _ = try renderedText(store)
    try fixture.remove("hello")
    fixture.advance(by: 1)
    #expect(try renderedText(store) == "파발은 안녕.\n")
    #expect(!store.problems.isEmpty)
  }

  @Test func `a message that never loaded reports all errors and loads once they are fixed`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n{{a}} {{b}}\n")
    let store = fixture.store()
    let error = #expect(throws: MessageError.self) { try renderedText(store) }
    #expect(error?.description.split(separator: "\n").count == 2)
    try fixture.write("hello/ko.md", "Subject: 안녕\n\n안녕 {{service}}.\n")
    fixture.advance(by: 1)
    #expect(try renderedText(store) == "안녕 파발.\n")
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

  @Test func `a broken message doesn't affect others`() throws {
    let fixture = try MessageDirectoryFixture()
    try fixture.write("broken/message.json", "{")
    let store = fixture.store()
    #expect(try renderedText(store) == "파발은 안녕.\n")
    #expect(try store.names() == ["broken", "hello"])
    #expect(throws: MessageError.self) { try renderedText(store, "broken") }
    #expect(store.lint().contains { $0.file?.hasSuffix("broken/message.json") == true })
  }

  @Test func `threads can render concurrently while files are edited`() async throws {
    let fixture = try MessageDirectoryFixture()
    let store = fixture.store()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<4 {
        group.addTask {
          for round in 0..<200 {
            let text = try renderedText(store)
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
    #expect(try renderedText(store) == "파발이 바뀜 150.\n")
  }
}
