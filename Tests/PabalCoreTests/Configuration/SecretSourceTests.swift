import Foundation
import Testing

@testable import PabalCore

@Suite struct SecretSourceTests {
  static let location = SettingLocation(
    file: "config.json", position: SourcePosition(line: 3, column: 7), path: "transports.smtp.password")

  static func text(
    _ source: SecretSource, environment: [String: String] = [:], timeout: Duration = .seconds(30),
    sizeLimit: Int = 65_536
  ) -> ConfiguredValue {
    ConfiguredValue(
      .secret(source), at: location,
      access: SecretAccess(
        environment: { environment[$0] }, commandTimeout: timeout, sizeLimit: sizeLimit))
  }

  /// Returns the error of fetching `text`, without its location.
  static func problem(_ text: ConfiguredValue) -> String? {
    let problem = #expect(throws: Diagnostic.self) { try text.fetch() }
    let prefix = "config.json:3:7: error: transports.smtp.password: "
    #expect(problem?.description.hasPrefix(prefix) == true)
    return problem.map { String($0.description.dropFirst(prefix.count)) }
  }

  @Test func `an environment variable is read when the value is fetched`() throws {
    #expect(try Self.text(.environment("P"), environment: ["P": "비밀 1"]).fetch() == "비밀 1")
  }

  @Test func `the environment of the process is the default`() throws {
    let path = try #require(ProcessInfo.processInfo.environment["PATH"])
    #expect(try ConfiguredValue(.secret(.environment("PATH")), at: Self.location).fetch() == path)
  }

  @Test func `a missing or empty variable, or one with a line break, is rejected`() {
    #expect(
      Self.problem(Self.text(.environment("P")))
        == "environment variable P is not set; set it with export P=…"
    )
    #expect(
      Self.problem(Self.text(.environment("P"), environment: ["P": ""]))
        == "environment variable P: empty")
    #expect(
      Self.problem(Self.text(.environment("P"), environment: ["P": "a\r\nRCPT TO:<x@y>"]))
        == "environment variable P: contains a line break or another control character; store only the secret, on one line"
    )
  }

  @Test(arguments: [
    ("hunter2", "hunter2"), ("hunter2\n", "hunter2"), ("hunter2\r\n", "hunter2"), (" hunter2 ", " hunter2 "),
    ("비밀\n", "비밀"),
  ])
  func `the secret is the text of the file without one trailing line break`(content: String, expected: String)
    throws
  {
    try TemporaryFolder.with { folder in
      let file = try folder.write("secret", content)
      #expect(try Self.text(.file(file)).fetch() == expected)
    }
  }

  @Test func `a file is read again each time`() throws {
    try TemporaryFolder.with { folder in
      let text = Self.text(.file(try folder.write("secret", "first")))
      #expect(try text.fetch() == "first")
      _ = try folder.write("secret", "second")
      #expect(try text.fetch() == "second")
    }
  }

  @Test func `a file without exactly one line of text is rejected`() throws {
    try TemporaryFolder.with { folder in
      let file = folder.path("secret")
      _ = try folder.write("secret", "")
      func problem(_ bytes: [UInt8]) -> String? {
        #expect(throws: Never.self) { try Data(bytes).write(to: URL(filePath: file)) }
        return Self.problem(Self.text(.file(file), sizeLimit: 10))
      }
      let several =
        "\(file): contains a line break or another control character; store only the secret, on one line"
      #expect(problem([]) == "\(file): empty")
      #expect(problem(Array("\n".utf8)) == "\(file): empty")
      #expect(problem(Array("a\n\n".utf8)) == several)
      #expect(problem(Array("a\nb".utf8)) == several)
      #expect(problem(Array("a\0b".utf8)) == several)
      #expect(problem(Array("a\rb\n".utf8)) == several)
      #expect(problem([0x61, 0xFF]) == "\(file): not UTF-8")
      #expect(problem(Array("12345678901".utf8)) == "\(file): larger than 10 bytes")
      #expect(Self.problem(Self.text(.file(folder.root))) == "\(folder.root): a directory, not a file")
      #expect(Self.problem(Self.text(.file(file + "x"))) == "\(file)x: file not found")
      #expect(Self.problem(Self.text(.file("/etc/pass\0wd"))) == "'/etc/pass\\u{0}wd': file not found")
    }
  }

  @Test(
    arguments: [
      (0o640, "mode 640 lets other users read the secret"),
      (0o604, "mode 604 lets other users read the secret"),
      (0o644, "mode 644 lets other users read the secret"),
      (0o660, "mode 660 lets other users read the secret"),
      (0o620, "mode 620 lets other users replace the secret"),
      (0o602, "mode 602 lets other users replace the secret"),
    ] as [(mode_t, String)])
  func `a secret that other users may read or write is rejected with the command that corrects it`(
    mode: mode_t, expected: String
  )
    throws
  {
    try TemporaryFolder.with { folder in
      let file = try folder.write("my secret", "hunter2", mode: mode)
      let problem = Self.problem(Self.text(.file(file)))
      #expect(problem == "\(file): \(expected); chmod 600 '\(file)'")
      // The command of the remedy works.
      let shell = try Process.run(URL(filePath: "/bin/sh"), arguments: ["-c", "chmod 600 '\(file)'"])
      shell.waitUntilExit()
      #expect(try Self.text(.file(file)).fetch() == "hunter2")
    }
  }

  @Test func `only a secret of root may be readable by a group`() {
    func problem(owner: UInt32, mode: UInt32, user: UInt32) -> String? {
      do throws(SecretError) {
        let attributes = FileAttributes(mode: mode, owner: owner, isRegular: true)
        try SecretSource.checkPermissions("/s", attributes, user: user)
        return nil
      } catch {
        return "\(error.message); \(error.remedy ?? "")"
      }
    }
    #expect(problem(owner: 0, mode: 0o640, user: 1000) == nil)
    #expect(problem(owner: 0, mode: 0o440, user: 1000) == nil)
    #expect(problem(owner: 0, mode: 0o400, user: 0) == nil)
    #expect(
      problem(owner: 0, mode: 0o640, user: 0)
        == "/s: mode 640 lets other users read the secret; chmod 600 /s")
    #expect(
      problem(owner: 0, mode: 0o644, user: 1000)
        == "/s: mode 644 lets other users read the secret; sudo chown \"$(id -un)\" /s && sudo chmod 600 /s")
    #expect(
      problem(owner: 0, mode: 0o660, user: 1000)
        == "/s: mode 660 lets other users replace the secret; sudo chown \"$(id -un)\" /s && sudo chmod 600 /s"
    )
    #expect(
      problem(owner: 1001, mode: 0o640, user: 1000)
        == "/s: mode 640 lets other users read the secret; sudo chown \"$(id -un)\" /s && sudo chmod 600 /s")
  }

  @Test func `a secret mounted by a container engine may be readable by everyone in the container`() {
    func isAccepted(
      owner: UInt32, mode: UInt32, user: UInt32 = 1000, readOnly: Bool = true
    ) -> Bool {
      let attributes = FileAttributes(
        mode: mode, owner: owner, isRegular: true, isOnReadOnlyMount: readOnly, device: 0)
      return (try? SecretSource.checkPermissions("/s", attributes, user: user)) != nil
    }
    // Docker and Podman, Kubernetes (defaultMode), Compose with a uid.
    for (owner, mode) in [(0, 0o444), (0, 0o644), (1000, 0o444)] as [(UInt32, UInt32)] {
      #expect(isAccepted(owner: owner, mode: mode))
      #expect(!isAccepted(owner: owner, mode: mode, readOnly: false))
    }
    #expect(isAccepted(owner: 0, mode: 0o444, user: 0))
    // Someone else may change it elsewhere.
    #expect(!isAccepted(owner: 1001, mode: 0o444))
    for mode: UInt32 in [0o664, 0o646, 0o666] { #expect(!isAccepted(owner: 0, mode: mode)) }
  }

  @Test(
    .enabled(
      if: FileManager.default.fileExists(atPath: "/dev/shm") && geteuid() == 0, "needs root and a tmpfs"))
  func `a secret in memory must be unwritable to be readable by everyone`() throws {
    let path = "/dev/shm/pabal-test-\(getpid())"
    defer { unlink(path) }
    try Data("hunter2\n".utf8).write(to: URL(filePath: path))
    chmod(path, 0o444)
    #expect(try Self.text(.file(path)).fetch() == "hunter2")
    chmod(path, 0o644)
    #expect(Self.problem(Self.text(.file(path)))?.contains("mode 644 lets other users read") == true)
  }

  @Test func `a named pipe is rejected without waiting for a writer`() throws {
    try TemporaryFolder.with { folder in
      let pipe = folder.path("pipe")
      #expect(mkfifo(pipe, 0o600) == 0)
      #expect(
        Self.problem(Self.text(.file(pipe)))
          == "\(pipe): not a regular file; read it with {\"command\": [\"cat\", \"\(pipe)\"]}")
    }
  }

  @Test func `no description shows a text, and that of a secret shows its source`() {
    let texts = [
      ConfiguredValue(.literal("hunter2"), at: Self.location), Self.text(.command(["pass", "hunter2"])),
    ]
    for text in texts {
      var dumped = "\(text) \(text.source) \(String(reflecting: text)) \([text]) \(text as Any)"
      dump(text, to: &dumped)
      dump([text.source], to: &dumped)
      #expect(!dumped.contains("hunter2"))
    }
    #expect(texts[0].description == "a text in the file")
    #expect(texts[1].description == "{\"command\": ['pass', …]}")
    #expect(Self.text(.environment("A")).description == "{\"env\": 'A'}")
    #expect(Self.text(.file("/a b")).description == "{\"file\": '/a b'}")
  }
}
