import Foundation
import PabalTesting
import Testing

@testable import PabalAccounts

@Suite struct FileLockTests {
  /// A child that is being spawned by another thread shares every descriptor until its exec.
  @Test func `a released lock is free even while a copy of its descriptor is open`() throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/token.lock"
    var lock = try FileLock.acquire(path, atMost: .zero, pause: { _ in })
    #expect(lock != nil)
    let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap(
      CInt.init)
    let held = try #require(
      descriptors.first {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path
      })
    let copy = dup(held)
    defer { close(copy) }
    #expect(try FileLock.acquire(path, atMost: .zero, pause: { _ in }) == nil)
    lock = nil
    #expect(try FileLock.acquire(path, atMost: .zero, pause: { _ in }) != nil)
  }

  @Test func `a lock that was waited for is taken on the file that is there then`() throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/token"
    func write() throws { try Data("x".utf8).write(to: URL(filePath: path), options: .atomic) }
    try write()
    func acquire(pause: (Duration) -> Void = { _ in }) throws -> FileLock? {
      try FileLock.acquire(path, existing: true, atMost: .seconds(1), pause: pause)
    }
    var holder = try acquire()
    let waiter = try acquire { _ in
      // The holder replaces the file, as it does to store a token, and releases the lock.
      try? write()
      holder = nil
    }
    #expect(holder == nil && waiter != nil)
    #expect(try acquire() == nil)
    withExtendedLifetime(waiter) {}
  }

  @Test(arguments: [true, false])
  func `links to a token file share its lock, before it exists, too`(exists: Bool) throws {
    let directory = try TemporaryDirectory()
    let (real, link) = ("\(directory.path)/tokens/a.json", "\(directory.path)/links/a.json")
    for folder in ["tokens", "links"] {
      try FileManager.default.createDirectory(
        atPath: "\(directory.path)/\(folder)", withIntermediateDirectories: false)
    }
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "../tokens/a.json")
    if exists { try Data("{}".utf8).write(to: URL(filePath: real)) }
    let dependencies = TestTime().dependencies
    let held = try TokenFile(path: link).lock(dependencies)
    #expect(held != nil)
    #expect(try TokenFile(path: real).lock(dependencies) == nil)
    withExtendedLifetime(held) {}
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(directory.path)/links") == ["a.json"])
  }

  @Test func `a token file without a usable lock file is locked itself`() throws {
    let directory = try TemporaryDirectory()
    let file = TokenFile(path: "\(directory.path)/a.json")
    try Data("{}".utf8).write(to: URL(filePath: file.path))
    try FileManager.default.createDirectory(atPath: file.lockPath, withIntermediateDirectories: false)
    let dependencies = TestTime().dependencies
    let held = try file.lock(dependencies)
    #expect(held != nil)
    #expect(try file.lock(dependencies) == nil)
    withExtendedLifetime(held) {}
  }
}
