import Foundation
import Testing

@testable import PabalCore

/// Who could change a file that decides what the process runs. Owners are injected, so that any user can run the tests.
@Suite struct TrustedPathTests {
  private static let me: @Sendable (uid_t) -> Bool = { $0 == 0 || $0 == geteuid() }

  private func examined(_ path: String) throws -> TrustedPath { try TrustedPath(path, owners: Self.me) }

  private func problem(
    _ path: String, allowsStickyFolder: Bool = true, owners: @escaping (uid_t) -> Bool = me
  ) -> TrustedPath.Problem? {
    do throws(TrustedPath.Problem) {
      _ = try TrustedPath(path, allowsStickyFolder: allowsStickyFolder, owners: owners)
      return nil
    } catch {
      return error
    }
  }

  /// Calls `body` with a folder whose path has no symbolic links, and the path of a file two folders below it.
  private func withFile(_ body: (TemporaryFolder, String) throws -> Void) throws {
    try TemporaryFolder.with { folder in
      let real = TemporaryFolder(root: URL(filePath: folder.root).resolvingSymlinksInPath().path())
      let file = real.path("a/b/file")
      try FileManager.default.createDirectory(atPath: real.path("a/b"), withIntermediateDirectories: true)
      for name in ["", "a", "a/b"] { chmod(real.path(name), 0o755) }
      #expect(FileManager.default.createFile(atPath: file, contents: nil))
      chmod(file, 0o644)
      try body(real, file)
    }
  }

  @Test func `a file that only trusted users can change is accepted, with its real path`() throws {
    try withFile { folder, file in
      let paths = [try examined(file).real, try examined("\(folder.root)/./a//../a/b/file").real]
      #expect(paths == [file, file])
    }
  }

  @Test(arguments: ["a/b/file", "a/b", "a"])
  func `a world-writable file or folder on the way is found`(name: String) throws {
    try withFile { folder, file in
      chmod(folder.path(name), 0o777)
      #expect(problem(file) == TrustedPath.Problem(reason: .worldWritable, path: folder.path(name)))
    }
  }

  @Test func `a sticky folder is harmless, unless it is the file's own and a caller objects`() throws {
    try withFile { folder, file in
      chmod(folder.path("a/b"), 0o1777)
      #expect(problem(file) == nil)
      #expect(
        problem(file, allowsStickyFolder: false)
          == TrustedPath.Problem(reason: .worldWritable, path: folder.path("a/b")))
    }
  }

  @Test
  func `a link's folders are examined on both ways, and so is a link of another user in a sticky folder`()
    throws
  {
    try withFile { folder, file in
      try FileManager.default.createDirectory(atPath: folder.path("links"), withIntermediateDirectories: true)
      let link = folder.path("links/link")
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "../a/b/file")
      chmod(folder.path("links"), 0o755)
      let real = try examined(link).real
      #expect(real == file)
      chmod(folder.path("links"), 0o777)
      #expect(problem(link)?.path == folder.path("links"))
      chmod(folder.path("links"), 0o755)
      chmod(folder.path("a"), 0o777)
      #expect(problem(link)?.path == folder.path("a"))
    }
  }

  @Test func `a loop of links, a missing file and a file as a folder are errors`() throws {
    try withFile { folder, file in
      let link = folder.path("loop")
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "loop")
      #expect(problem(link)?.reason == .error(ELOOP))
      #expect(problem(folder.path("none"))?.reason == .error(ENOENT))
      #expect(problem(file + "/x")?.reason == .error(ENOTDIR))
    }
  }

  @Test func `a file or folder of another user is found, at any depth`() throws {
    try withFile { folder, file in
      // Nothing of this user is trusted, as for a process of another one.
      let found = try #require(problem(file) { _ in false })
      #expect(found.reason == .owner(0))
      guard geteuid() == 0 else { return }
      for name in ["a/b/file", "a/b", "a"] {
        chown(folder.path(name), 65_534, 65_534)
        #expect(problem(file) == TrustedPath.Problem(reason: .owner(65_534), path: folder.path(name)))
        chown(folder.path(name), 0, 0)
      }
      let link = folder.path("a/link")
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "b/file")
      lchown(link, 65_534, 65_534)
      // Only in a sticky folder can the owner of the link replace it.
      #expect(problem(link) == nil)
      chmod(folder.path("a"), 0o1777)
      #expect(problem(link) == TrustedPath.Problem(reason: .owner(65_534), path: link))
    }
  }

  @Test func `the group created with the user is reported as a warning, another one is a problem`() throws {
    try withFile { folder, file in
      chmod(file, 0o664)
      guard geteuid() == 0 else { return }
      let warned = try examined(file).writableByPrivateGroup.map(\.path)
      #expect(warned == [file])
      // A group without a name that belongs to no trusted user.
      chown(file, 0, 54_321)
      #expect(problem(file) == TrustedPath.Problem(reason: .groupWritable(54_321), path: file))
      chmod(file, 0o644)
      chown(folder.path("a"), 0, 54_321)
      chmod(folder.path("a"), 0o775)
      #expect(problem(file) == TrustedPath.Problem(reason: .groupWritable(54_321), path: folder.path("a")))
    }
  }

  @Test func `a service's group is not private`() {
    // www-data has the user www-data, who isn't listed as its member.
    guard let service = getgrnam("www-data"), getpwnam("www-data") != nil else { return }
    #expect(!PrivateGroup.contains(service.pointee.gr_gid, owner: 0))
    #expect(PrivateGroup.contains(0, owner: 0))
  }

  @Test func `an open descriptor in /dev/fd is accepted as the caller passed it`() throws {
    try withFile { folder, file in
      let descriptor = open(file, O_RDONLY)
      defer { close(descriptor) }
      #expect(problem("/dev/fd/\(descriptor)") == nil)
    }
  }
}
