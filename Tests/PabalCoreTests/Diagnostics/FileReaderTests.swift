import Foundation
import Testing

@testable import PabalCore

@Suite struct FileReaderTests {
  @Test(arguments: [0, 1, 4095, 4096, 4097, 100_000])
  func `a file up to exactly the limit is read completely`(size: Int) throws {
    try TemporaryFolder.with { folder in
      let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let file = folder.path("file")
      try Data(bytes).write(to: URL(filePath: file))
      #expect(try readFile(file, atMost: size) == bytes)
      #expect(try readFile(file, atMost: size + 1) == bytes)
      guard size > 0 else { return }
      #expect(throws: FileError(kind: .tooLarge(limit: size - 1), path: file)) {
        try readFile(file, atMost: size - 1)
      }
    }
  }

  @Test func `a file of the kernel, which has no size, is read completely`() throws {
    let status = try readFile("/proc/self/status", atMost: 65_536)
    #expect(String(decoding: status, as: UTF8.self).hasPrefix("Name:"))
    #expect(throws: FileError(kind: .tooLarge(limit: 10), path: "/proc/self/status")) {
      try readFile("/proc/self/status", atMost: 10)
    }
    #expect(throws: FileError(kind: .tooLarge(limit: 10_000), path: "/dev/zero")) {
      try readFile("/dev/zero", atMost: 10_000)
    }
  }

  @Test func `every error has its kind and message`() throws {
    try TemporaryFolder.with { folder in
      func problem(_ path: String) -> FileError? {
        #expect(throws: FileError.self) { try readFile(path, atMost: 10) }
      }
      #expect(problem("/none/such")?.kind == .notFound)
      #expect(problem("/none/such")?.message == "/none/such: file not found")
      #expect(problem("")?.kind == .notFound)
      let file = try folder.write("file", "a")
      #expect(problem(file + "/x")?.kind == .notFound)
      #expect(problem(folder.root)?.kind == .directory)
      #expect(problem(folder.root)?.message == "\(folder.root): a directory, not a file")
      #expect(problem(file + "\0x")?.kind == .notFound)
      #expect(problem("/none/a\nb")?.message == "'/none/a\\u{A}b': file not found")
      let loop = folder.path("loop")
      try FileManager.default.createSymbolicLink(atPath: loop, withDestinationPath: loop)
      #expect(problem(loop)?.kind == .other(ELOOP))
      #expect(problem(loop)?.message == "\(loop): Too many levels of symbolic links")
    }
  }

  @Test(.enabled(if: geteuid() != 0, "root may read everything"))
  func `a file without permission to read it is reported`() throws {
    try TemporaryFolder.with { folder in
      let file = try folder.write("file", "a", mode: 0)
      #expect(throws: FileError(kind: .notPermitted, path: file)) { try readFile(file, atMost: 10) }
    }
  }

  @Test func `a named pipe without a writer is empty and is not waited for`() throws {
    try TemporaryFolder.with { folder in
      #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
      let bytes = try readFile(folder.path("pipe"), atMost: 10)
      #expect(bytes.isEmpty)
    }
  }
}
