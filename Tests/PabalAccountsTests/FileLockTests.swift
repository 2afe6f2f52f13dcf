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
}
