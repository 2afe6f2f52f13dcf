import Foundation
import PabalCore
import PabalTesting
import Testing

@Suite struct FileTransportTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func open(_ path: String) throws -> LoadedTransport {
    try TestPlugin.open(BuiltProducts.plugin("file"), ["directory": .string(path)])
  }

  private func files(in path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  @Test func `the directory is created with its parents, accessible only by its owner`() throws {
    let path = "\(directory.path)/a/b/c"
    try open(path).close()
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o700)
  }

  @Test func `a mail is written byte for byte, readable only by its owner`() throws {
    let transport = try open(directory.path)
    defer { transport.close() }
    let mail = try Mail.sample(bytes: Array("Subject: 안녕\r\n\r\n.\r\n".utf8) + [0xFF, 0x0D, 0x0A])
    let receipt = transport.attempt(mail)
    #expect(receipt.outcome == .sent)
    #expect(receipt.remoteID == "\(mail.id).eml")
    let path = "\(directory.path)/\(mail.id).eml"
    #expect(Array(try Data(contentsOf: URL(filePath: path))) == mail.bytes)
    #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
    #expect(try files(in: directory.path) == ["\(mail.id).eml"])
  }

  @Test func `a mail never overwrites a file`() throws {
    let transport = try open(directory.path)
    defer { transport.close() }
    let names = try (0..<5).map { number in
      let receipt = transport.attempt(try Mail.sample(bytes: Array("X: \(number)\r\n\r\n".utf8), id: "SAME"))
      return try #require(receipt.remoteID)
    }
    #expect(names == ["SAME.eml", "SAME-2.eml", "SAME-3.eml", "SAME-4.eml", "SAME-5.eml"])
    for (number, name) in names.enumerated() {
      let text = try String(contentsOfFile: "\(directory.path)/\(name)", encoding: .utf8)
      #expect(text == "X: \(number)\r\n\r\n")
    }
  }

  @Test func `an unusable directory is an error when the transport opens`() throws {
    for path in ["/proc/none/mail", try directory.write("file", to: "file") + "/below", "/dev/null"] {
      let failure = #expect(throws: Diagnostic.self) { try open(path) }
      #expect(failure?.message.contains("can't be used") == true)
    }
  }

  @Test func `a directory that was removed is created again, and check agrees`() throws {
    let path = "\(directory.path)/a/gone"
    let transport = try open(path)
    defer { transport.close() }
    try FileManager.default.removeItem(atPath: "\(directory.path)/a")
    #expect(transport.attempt(try Mail.sample()).outcome == .sent)
    #expect(try files(in: path).count == 1)
    try FileManager.default.removeItem(atPath: "\(directory.path)/a")
    #expect(transport.check().problem == nil)
    #expect(transport.attempt(try Mail.sample()).outcome == .sent)
    #expect(try files(in: path).count == 1)
  }

  @Test func `mails go to the directory that is at the path now`() throws {
    let path = "\(directory.path)/mail"
    let transport = try open(path)
    defer { transport.close() }
    #expect(transport.attempt(try Mail.sample()).outcome == .sent)
    // As a rotation moves it away; and as a deployment switches a symbolic link.
    try FileManager.default.moveItem(atPath: path, toPath: "\(path).1")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    #expect(transport.attempt(try Mail.sample()).outcome == .sent)
    try FileManager.default.moveItem(atPath: path, toPath: "\(path).2")
    try FileManager.default.createDirectory(atPath: "\(path).3", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "\(path).3")
    #expect(transport.attempt(try Mail.sample()).outcome == .sent)
    for number in 1...3 { #expect(try files(in: "\(path).\(number)").count == 1) }
  }

  @Test func `a file in the directory's place holds the transport until it is gone, and check agrees`() throws
  {
    let path = "\(directory.path)/mail"
    let transport = try open(path)
    defer { transport.close() }
    try FileManager.default.removeItem(atPath: path)
    try directory.write("not a directory", to: "mail")
    let receipt = transport.attempt(try Mail.sample())
    #expect(receipt.outcome == .held(.transport))
    #expect(receipt.reply?.contains("Not a directory") == true)
    #expect(transport.check().problem == .held(.transport))
    try FileManager.default.removeItem(atPath: path)
    #expect(transport.attempt(try Mail.sample()).outcome == .sent)
    #expect(try files(in: path).count == 1)
  }

  @Test(.enabled(if: geteuid() == 0, "mounting a file system needs root"))
  func `a full disk defers the mail and leaves no partial file`() throws {
    let path = "\(directory.path)/small"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let mounted = try ChildProcess.run("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", path])
    // Mounting may be forbidden in a container.
    guard mounted.status == 0 else { return }
    defer { _ = try? ChildProcess.run("umount", [path]) }
    let transport = try open(path)
    defer { transport.close() }
    let big = try Mail.sample(bytes: Array("X: y\r\n\r\n".utf8) + Array(repeating: 0x61, count: 200_000))
    let receipt = transport.attempt(big)
    #expect(receipt.outcome == .deferred())
    #expect(try files(in: path) == [])
    try Data(count: 60_000).write(to: URL(filePath: "\(path)/other"))
    try? Data(count: 8_192).write(to: URL(filePath: "\(path)/more"))
    #expect(transport.check().problem == .deferred())
    try FileManager.default.removeItem(atPath: "\(path)/other")
    #expect(transport.check().problem == nil)
    #expect(transport.attempt(try Mail.sample()).outcome == .sent)
  }

  @Test func `a killed process never leaves a partial .eml`() throws {
    try directory.copy("\(BuiltProducts.root)/Sources/Messages", to: "messages")
    let config = try directory.write(
      """
      {"transport": "file", "transports": {"file": {"plugin": "file", "directory": "mail"}},
       "from": "a@example.org", "messages": {"directory": "messages", "language": "ko", "variables": {"service": "x"}}}
      """, to: "config.json")
    var whole = 0
    for round in 0..<12 {
      let process = try SpawnedProcess(
        "\(BuiltProducts.directory)/pabal",
        ["send", "you@example.org", "--count", "100000", "--parallel", "4", "--config", config],
        errors: .nothing)
      // Killed at an arbitrary moment, once there are more mails than before.
      let mail = "\(directory.path)/mail"
      while ((try? files(in: mail).count) ?? 0) < whole + 20 + round { sched_yield() }
      process.signal(SIGKILL)
      process.wait()
      let names = try files(in: mail).filter { $0.hasSuffix(".eml") }
      for name in names {
        let bytes = try Data(contentsOf: URL(filePath: "\(mail)/\(name)"))
        #expect(bytes.starts(with: Array("Date: ".utf8)) && bytes.suffix(4) == Data("--\r\n".utf8))
      }
      whole = names.count
    }
    #expect(whole > 12)
  }
}
