import Foundation
import Testing

@testable import PabalCore

@Suite struct ConfigurationFileTests {
  @Test func `the explicit path comes before PABAL_CONFIG, which comes before the standard paths`() throws {
    try TemporaryFolder.with { folder in
      let first = try folder.write("first.json", "{}")
      let second = try folder.write("second.json", "{}")
      let standard = [folder.path("none.json"), first, second]
      #expect(
        try Configuration.locate("x.json", environment: { _ in "y.json" }, standard: standard) == "x.json")
      #expect(
        try Configuration.locate(
          nil, environment: { $0 == "PABAL_CONFIG" ? "y.json" : nil }, standard: standard) == "y.json")
      #expect(try Configuration.locate(nil, environment: { _ in "" }, standard: standard) == first)
      #expect(try Configuration.locate(nil, environment: { _ in nil }, standard: [second, first]) == second)
      let problem = #expect(throws: Diagnostic.self) {
        try Configuration.locate(nil, environment: { _ in nil }, standard: ["/none/a.json", "/none/b.json"])
      }
      #expect(
        problem?.description
          == "error: no configuration found: neither /none/a.json nor /none/b.json exists; name a file with --config FILE or PABAL_CONFIG"
      )
    }
  }

  @Test func `relative paths start from the directory of the file`() throws {
    try TemporaryFolder.with { folder in
      let file = try folder.write(
        "config.json",
        #"{"transport": "a", "transports": {"a": {"plugin": "./a.so"}}, "from": "a@example.com"}"#)
      let configuration = try Configuration.read(file)
      #expect(configuration.directory == folder.root)
      #expect(configuration.transports[0].plugin == folder.path("a.so"))
    }
  }

  @Test func `an unreadable file is reported with the reason`() throws {
    try TemporaryFolder.with { folder in
      func problem(_ path: String) -> String? {
        #expect(throws: Diagnostics.self) { try Configuration.read(path) }?.description
      }
      let missing = folder.path("none.json")
      #expect(problem(missing) == "error: \(missing): file not found")
      #expect(problem(folder.root) == "error: \(folder.root): a directory, not a file")
      let large = try folder.write("large.json", String(repeating: " ", count: Configuration.sizeLimit + 1))
      #expect(problem(large) == "error: \(large): larger than 1048576 bytes")
    }
  }

  @Test func `the example configuration is valid`() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().path()
    let configuration = try Configuration.read(root + "config.json")
    #expect(configuration.route == ["file"])
    #expect(configuration.transports.map(\.plugin) == ["console", "file"])
    #expect(configuration.messages?.directory == root + "Sources/Messages")
    #expect(try configuration.sender().address.description == "pabal@example.com")
  }
}

/// A temporary directory, which is removed after the test.
struct TemporaryFolder {
  let root: String

  static func with(_ body: (TemporaryFolder) throws -> Void) throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "pabal-\(UUID())")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    try body(TemporaryFolder(root: url.path()))
  }

  func path(_ name: String) -> String { "\(root)/\(name)" }

  func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws -> String {
    try Data(text.utf8).write(to: URL(filePath: path(name)))
    chmod(path(name), mode)
    return path(name)
  }
}
