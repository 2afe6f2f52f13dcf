import Foundation
import PabalCore
import Testing

@testable import PabalMessages

/// A directory whose files take the place of those of the messages directory.
@Suite struct MessageOverridesTests {
  private let shipped: MessageDirectoryFixture
  private let site: MessageDirectoryFixture

  init() throws {
    shipped = try MessageDirectoryFixture()
    site = try MessageDirectoryFixture()
    try site.remove("hello")
    try site.remove("layout.html")
  }

  private func store() -> MessageStore { shipped.store(overrides: site) }

  @Test func `one language of a message is replaced, and the others stay`() throws {
    try site.write("hello/ko.md", "Subject: 여기\n\n{{service}}의 글.\n")
    let store = store()
    #expect(try renderedText(store) == "파발의 글.\n")
    #expect(try renderedText(store, "hello", ["en"]) == "Hello from 파발.\n")
    #expect(store.lint().isEmpty)
  }

  @Test func `the layout is replaced alone`() throws {
    try site.write("layout.html", "<html><body id=\"site\">{{content}}</body></html>")
    let mail = try store().render("hello", languages: [], values: ["service": "파발"])
    #expect(mail.html.contains("id=\"site\""))
    #expect(mail.text == "파발은 안녕.\n")
  }

  @Test func `a message and a language can be added`() throws {
    try site.write("welcome/message.json", MessageFixture.json([("service", "text", "파발")]))
    try site.write("welcome/ko.md", "Subject: 환영\n\n{{service}}에 어서 오세요.\n")
    try site.write("hello/ja.md", "Subject: こんにちは\n\n{{service}}から。\n")
    let store = store()
    #expect(try store.names() == ["hello", "welcome"])
    #expect(try renderedText(store, "welcome") == "파발에 어서 오세요.\n")
    #expect(try renderedText(store, "hello", ["ja"]) == "파발から。\n")
  }

  @Test func `a missing directory changes nothing`() throws {
    try site.remove("")
    let store = store()
    #expect(try store.names() == ["hello"])
    #expect(try renderedText(store) == "파발은 안녕.\n")
    #expect(store.lint().isEmpty)
  }

  @Test func `files that appear, change and disappear apply to the next mail`() throws {
    let store = store()
    #expect(try renderedText(store) == "파발은 안녕.\n")
    try site.write("hello/ko.md", "Subject: 하나\n\n{{service}} 하나.\n")
    shipped.advance(by: 1)
    #expect(try renderedText(store) == "파발 하나.\n")
    try site.write("hello/ko.md", "Subject: 둘셋\n\n{{service}} 둘셋.\n")
    shipped.advance(by: 1)
    #expect(try renderedText(store) == "파발 둘셋.\n")
    try site.remove("hello/ko.md")
    shipped.advance(by: 1)
    #expect(try renderedText(store) == "파발은 안녕.\n")
  }

  @Test func `an error names the file that is in use`() throws {
    try site.write("hello/en.md", "Subject: Hello\n\nHello from {{servcie}}.\n")
    try site.write("hello/notes.txt.bak", "x")
    let store = store()
    let errors = store.lint().map(\.description)
    #expect(
      errors.contains(
        "\(site.root)/hello/en.md:3:12: error: {{servcie}} is not declared in message.json; did you mean {{service}}?"
      ), "\(errors)")
    #expect(errors.contains { $0.hasPrefix("\(site.root)/hello/notes.txt.bak: warning:") }, "\(errors)")
    // The other language doesn't suffer from it.
    #expect(try renderedText(store) == "파발은 안녕.\n")
  }

  @Test func `an error in a file that is replaced doesn't matter`() throws {
    try shipped.write("hello/en.md", "Subject: Hello\n\nHello from {{servcie}}.\n")
    try site.write("hello/en.md", "Subject: Hello\n\nHello, {{service}}.\n")
    #expect(store().lint().isEmpty)
  }

  @Test func `a link out of the directory is refused, also to the other one`() throws {
    try site.write("other/ko.md", "Subject: 하나\n\n하나.\n")
    try site.link("other/en.md", to: "\(shipped.root)/hello/en.md")
    try site.write("other/message.json", MessageFixture.json([("service", "text", "파발")]))
    let errors = store().lint(["other"]).map(\.description)
    #expect(
      errors.contains {
        $0.hasPrefix("\(site.root)/other/en.md: error: links to a file outside the messages directory")
      }, "\(errors)")
  }

  @Test func `a directory that can't be read is an error, not an empty one`() throws {
    try site.remove("")
    try Data().write(to: URL(filePath: site.root))
    #expect(
      store().lint().map(\.description) == [
        "\(site.root): error: the messages directory can't be read: Not a directory; check messages.overrides in config.json"
      ])
  }

  @Test func `stores with other overrides are not the same`() {
    #expect(store().hasSameSources(as: store()))
    #expect(!store().hasSameSources(as: shipped.store()))
  }
}
