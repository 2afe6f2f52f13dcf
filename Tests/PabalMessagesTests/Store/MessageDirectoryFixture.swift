import Foundation
import PabalCore
import Synchronization

@testable import PabalMessages

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
    variables: [String: String] = [:], variableLocations: [String: SettingLocation] = [:],
    overrides: MessageDirectoryFixture? = nil
  ) -> MessageStore {
    let start = ContinuousClock.now
    return MessageStore(
      directory: root, overrides: overrides?.root, language: "ko", variables: variables,
      variableLocations: variableLocations,
      now: { start + .seconds(self.seconds.withLock { $0 }) },
      onChange: { name, diagnostics in
        self.reported.withLock { $0.append("\(name): \(diagnostics.count)") }
      })
  }
}

/// Returns the text of a rendered message.
func renderedText(
  _ store: MessageStore, _ name: String = "hello", _ languages: [String] = []
) throws -> String {
  try store.render(name, languages: languages, values: ["service": "파발"]).text
}
