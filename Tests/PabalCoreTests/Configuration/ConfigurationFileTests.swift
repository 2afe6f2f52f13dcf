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

/// A configuration names commands and where passwords are sent, so a user who can write it acts as the user of the process.
@Suite struct ConfigurationOwnershipTests {
  private static let text =
    #"{"transport": "a", "transports": {"a": {"plugin": "console"}}, "from": {"command": ["id"]}}"#

  private func problem(_ path: String) -> Diagnostic? {
    do throws(Diagnostics) {
      _ = try Configuration.read(path)
      return nil
    } catch {
      return error.all.first
    }
  }

  @Test func `a world-writable configuration is refused with the command that corrects it`() throws {
    try TemporaryFolder.with { folder in
      let file = try folder.write("config.json", Self.text, mode: 0o646)
      let found = try #require(problem(file))
      #expect(
        found.message
          == "anyone can change this file, which decides what pabal runs: it is world-writable")
      #expect(found.file == file)
      let remedy = try #require(found.remedy)
      let shell = try Process.run(URL(filePath: "/bin/sh"), arguments: ["-c", remedy])
      shell.waitUntilExit()
      #expect(problem(file) == nil)
    }
  }

  @Test func `a folder where others can replace the configuration is refused, also further up`() throws {
    try TemporaryFolder.with { folder in
      try FileManager.default.createDirectory(atPath: folder.path("a/b"), withIntermediateDirectories: true)
      let file = try folder.write("a/b/config.json", Self.text)
      for name in ["a/b", "a"] {
        chmod(folder.path(name), 0o777)
        #expect(problem(file)?.message.hasPrefix("anyone can replace this file through ") == true)
        #expect(problem(file)?.remedy?.hasSuffix(name) == true)
        chmod(folder.path(name), 0o755)
      }
      #expect(problem(file) == nil)
    }
  }

  @Test func `a link in a folder that others can write is refused although its target is safe`() throws {
    try TemporaryFolder.with { folder in
      let target = try folder.write("config.json", Self.text)
      try FileManager.default.createDirectory(atPath: folder.path("open"), withIntermediateDirectories: true)
      let link = folder.path("open/config.json")
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target)
      #expect(problem(link) == nil)
      chmod(folder.path("open"), 0o777)
      #expect(problem(link) != nil)
    }
  }

  @Test func `the configuration of a user who isn't trusted is refused`() throws {
    try TemporaryFolder.with { folder in
      let file = try folder.write("config.json", Self.text, mode: 0o644)
      let found = #expect(throws: Diagnostic.self) {
        try ConfigurationFile(file, owners: { _ in false })
      }
      #expect(found?.message.contains("can replace this file through /") == true)
      guard geteuid() == 0 else { return }
      chown(file, 65_534, 65_534)
      #expect(
        problem(file)?.message
          == "user 65534 can change this file, which decides what pabal runs: its owner isn't root, you or the owner of pabal"
      )
      #expect(problem(file)?.remedy?.hasSuffix("or run pabal as user 65534") == true)
    }
  }

  @Test func `a group-writable configuration is a warning if the group is the user's own`() throws {
    guard geteuid() == 0 else { return }
    try TemporaryFolder.with { folder in
      let file = try folder.write("config.json", Self.text, mode: 0o664)
      #expect(try Configuration.read(file).warnings.map(\.severity) == [.warning])
      chown(file, 0, 54_321)
      #expect(problem(file)?.message.hasPrefix("group 54321 can change this file") == true)
    }
  }

  @Test func `a command's program that others can change is a warning`() throws {
    try TemporaryFolder.with { folder in
      let program = try folder.write("print-token", "#!/bin/sh\n", mode: 0o777)
      func warnings(_ command: String) throws -> [Diagnostic] {
        let text = Self.text.replacing(#"["id"]"#, with: "[\"\(command)\"]")
        return try Configuration.read(try folder.write("config.json", text)).commandWarnings
      }
      #expect(try warnings("./print-token").map(\.path) == ["from.command"])
      #expect(try warnings("./print-token").first?.message.hasPrefix("anyone can change the program") == true)
      chmod(program, 0o755)
      #expect(try warnings("./print-token").isEmpty)
      #expect(try warnings("id").isEmpty)
    }
  }

  @Test func `a configuration can still be piped in`() throws {
    let pipe = Pipe()
    try pipe.fileHandleForWriting.write(contentsOf: Data(Self.text.utf8))
    try pipe.fileHandleForWriting.close()
    #expect(problem("/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)") == nil)
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
