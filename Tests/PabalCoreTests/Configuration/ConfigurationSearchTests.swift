import Foundation
import Testing

@testable import PabalCore

/// `config.json` is searched for in the directories above, as git searches for its repository.
@Suite struct ConfigurationSearchTests {
  private static let text =
    #"{"transport": "a", "transports": {"a": {"plugin": "console"}}, "from": "a@example.com"}"#

  /// Calls `body` with a folder that has `a/b/c`.
  private func withFolders(_ body: (TemporaryFolder, String) throws -> Void) throws {
    try TemporaryFolder.with { folder in
      let real = TemporaryFolder(root: URL(filePath: folder.root).resolvingSymlinksInPath().path())
      let deepest = real.path("a/b/c")
      try FileManager.default.createDirectory(atPath: deepest, withIntermediateDirectories: true)
      for name in ["", "a", "a/b", "a/b/c"] { chmod(real.path(name), 0o755) }
      try body(real, deepest)
    }
  }

  private func found(
    _ directory: String, home: String? = nil, owners: @escaping (uid_t) -> Bool = TrustedOwners.contains
  ) -> String? {
    ConfigurationSearch.file(above: directory, home: home, owners: owners)
  }

  @Test func `the nearest file above is taken, up to the home directory`() throws {
    try withFolders { folder, deepest in
      #expect(found(deepest, home: folder.root) == nil)
      let top = try folder.write("config.json", Self.text)
      #expect(found(deepest, home: folder.root) == top)
      #expect(found(deepest, home: folder.path("a")) == nil)
      #expect(found(folder.path("a"), home: folder.path("a")) == nil)
      let nearer = try folder.write("a/config.json", Self.text)
      #expect(found(deepest, home: folder.root) == nearer)
      #expect(found(folder.path("a"), home: folder.root) == top)
    }
  }

  @Test func `another program's config.json is passed over, one with a syntax error isn't`() throws {
    try withFolders { folder, deepest in
      let top = try folder.write("config.json", String(Self.text.dropLast()))
      _ = try folder.write("a/config.json", #"{"name": "some-app"}"#)
      #expect(found(deepest, home: folder.root) == top)
    }
  }

  @Test func `the search ends at a directory or file that others control`() throws {
    try withFolders { folder, deepest in
      let top = try folder.write("config.json", Self.text)
      #expect(found(deepest, home: folder.root) { _ in false } == nil)
      chmod(folder.path("a"), 0o777)
      #expect(found(deepest, home: folder.root) == nil)
      chmod(folder.path("a"), 0o1777)
      #expect(found(deepest, home: folder.root) == nil)
      chmod(folder.path("a"), 0o755)
      #expect(found(deepest, home: folder.root) == top)
      guard geteuid() == 0 else { return }
      chown(folder.path("a/b"), 65_534, 65_534)
      #expect(found(deepest, home: folder.root) == nil)
      chown(folder.path("a/b"), 0, 0)
      chown(top, 65_534, 65_534)
      #expect(found(deepest, home: folder.root) == nil)
    }
  }

  @Test func `a file above comes after ./config.json and before the system's`() throws {
    try TemporaryFolder.with { folder in
      let here = folder.path("here.json")
      let system = try folder.write("system.json", "{}")
      func located() throws -> String {
        try Configuration.locate(nil, environment: { _ in nil }, standard: [here, system]) { "above" }
      }
      #expect(try located() == "above")
      _ = try folder.write("here.json", "{}")
      #expect(try located() == here)
    }
  }
}
