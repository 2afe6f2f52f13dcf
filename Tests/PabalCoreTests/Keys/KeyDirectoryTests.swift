import Foundation
import PabalTesting
import Testing

@testable import PabalCore

@Suite struct KeyDirectoryTests {
  private func mode(_ path: String) throws -> Int {
    try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
  }

  private func setMode(_ mode: Int, _ path: String) throws {
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
  }

  private func problem(_ directory: String) -> String? {
    #expect(throws: Diagnostic.self) { try Keyring.loadOrCreate(directory: directory) }?.description
  }

  @Test func `a key that only its owner may read is created once and then read`() throws {
    let folder = try TemporaryDirectory()
    let keys = "\(folder.path)/data/keys"
    let first = try Keyring.loadOrCreate(directory: keys)
    #expect(try mode(keys) == 0o700 && mode("\(keys)/current.key") == 0o600)
    #expect(try FileManager.default.contentsOfDirectory(atPath: keys) == ["current.key"])
    let second = try Keyring.loadOrCreate(directory: keys)
    #expect(first.checkValue == second.checkValue)
    #expect(try second.open(first.seal([7], id: "A"), id: "A") == [7])
    let other = try Keyring.loadOrCreate(directory: "\(folder.path)/other")
    #expect(other.checkValue != first.checkValue)
  }

  @Test func `concurrent processes create one key together`() async throws {
    for _ in 0..<20 {
      let folder = try TemporaryDirectory()
      let checks = await mapOnThreads(Array(0..<16)) { _ in
        try? Keyring.loadOrCreate(directory: "\(folder.path)/keys").checkValue
      }
      #expect(Set(checks).count == 1 && checks[0] != nil)
      #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/keys") == ["current.key"])
    }
  }

  @Test func `a rotation keeps the previous key`() throws {
    let folder = try TemporaryDirectory()
    // A keyring notices a rotation by itself, so its values are recorded before the next rotation.
    var made: [(check: [UInt8], sealed: [UInt8])] = []
    for number in 1...3 {
      let keys =
        number == 1
        ? try Keyring.loadOrCreate(directory: folder.path) : try Keyring.rotate(directory: folder.path)
      made.append((keys.checkValue, keys.seal([1], id: "A")))
    }
    #expect(Set(made.map(\.check)).count == 3)
    let last = try Keyring.loadOrCreate(directory: folder.path)
    #expect(last.checkValue == made.last?.check)
    for (_, sealed) in made { #expect(try last.open(sealed, id: "A") == [1]) }
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      #expect(try mode("\(folder.path)/\(name)") == 0o600)
    }
  }

  @Test(arguments: [0o644, 0o640, 0o604, 0o660, 0o620, 0o602])
  func `a key file that other users may read or write is rejected with the command that corrects it`(
    wrong: Int
  ) throws {
    let folder = try TemporaryDirectory()
    _ = try Keyring.rotate(
      directory: {
        _ = try Keyring.loadOrCreate(directory: folder.path); return folder.path
      }())
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      try setMode(wrong, "\(folder.path)/\(name)")
      #expect(problem(folder.path)?.hasSuffix("; chmod 600 \(folder.path)/\(name)") == true)
      try setMode(0o600, "\(folder.path)/\(name)")
    }
    #expect(throws: Never.self) { try Keyring.loadOrCreate(directory: folder.path) }
  }

  @Test func `a key directory that other users may write is rejected`() throws {
    let folder = try TemporaryDirectory()
    try setMode(0o770, folder.path)
    #expect(
      problem(folder.path)
        == "error: \(folder.path): mode 770 lets other users replace the keys; chmod 700 \(folder.path)"
    )
  }

  @Test func `a file without a key is reported without its contents`() throws {
    let folder = try TemporaryDirectory()
    try setMode(0o600, folder.write("hunter2\n", to: "current.key"))
    let message = try #require(problem(folder.path))
    #expect(message.contains("current.key: not a key") && !message.contains("hunter2"))
    try setMode(0o600, folder.write("", to: "current.key"))
    #expect(problem(folder.path) != nil)
  }

  @Test func `a path that isn't a directory is an error`() throws {
    let folder = try TemporaryDirectory()
    try folder.write("", to: "file")
    #expect(problem("\(folder.path)/file")?.contains(": not a directory") == true)
    #expect(problem("\(folder.path)/file/keys")?.contains("no key can be created: ") == true)
  }
}
