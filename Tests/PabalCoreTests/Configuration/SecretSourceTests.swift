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

  /// What fetching complains of, without its place.
  static func problem(_ text: ConfiguredValue) -> String? {
    let problem = #expect(throws: Diagnostic.self) { try text.fetch() }
    let prefix = "config.json:3:7: error: transports.smtp.password: "
    #expect(problem?.description.hasPrefix(prefix) == true)
    return problem.map { String($0.description.dropFirst(prefix.count)) }
  }

  @Test func `an environment variable is taken when asked for`() throws {
    #expect(try Self.text(.environment("P"), environment: ["P": "비밀 1"]).fetch() == "비밀 1")
  }

  @Test func `the process's own environment is the usual one`() throws {
    let path = try #require(ProcessInfo.processInfo.environment["PATH"])
    #expect(try ConfiguredValue(.secret(.environment("PATH")), at: Self.location).fetch() == path)
  }

  @Test func `a variable that is missing, empty or holds a line break is refused`() {
    #expect(
      Self.problem(Self.text(.environment("P"))) == "the environment variable P isn't set; set it: export P=…"
    )
    #expect(
      Self.problem(Self.text(.environment("P"), environment: ["P": ""]))
        == "the environment variable P is empty")
    #expect(
      Self.problem(Self.text(.environment("P"), environment: ["P": "a\r\nRCPT TO:<x@y>"]))
        == "the environment variable P gives a line break or another control character inside the secret; keep the secret alone, on one line"
    )
  }

  @Test(arguments: [
    ("hunter2", "hunter2"), ("hunter2\n", "hunter2"), ("hunter2\r\n", "hunter2"), (" hunter2 ", " hunter2 "),
    ("비밀\n", "비밀"),
  ])
  func `a file gives its text without one line break at its end`(content: String, expected: String) throws {
    try TemporaryFolder.with { folder in
      let file = try folder.write("secret", content)
      #expect(try Self.text(.file(file)).fetch() == expected)
    }
  }

  @Test func `a file is read anew each time`() throws {
    try TemporaryFolder.with { folder in
      let text = Self.text(.file(try folder.write("secret", "first")))
      #expect(try text.fetch() == "first")
      _ = try folder.write("secret", "second")
      #expect(try text.fetch() == "second")
    }
  }

  @Test func `a file that gives no one line of text is refused`() throws {
    try TemporaryFolder.with { folder in
      let file = folder.path("secret")
      _ = try folder.write("secret", "")
      func problem(_ bytes: [UInt8]) -> String? {
        #expect(throws: Never.self) { try Data(bytes).write(to: URL(filePath: file)) }
        return Self.problem(Self.text(.file(file), sizeLimit: 10))
      }
      let several =
        "\(file) gives a line break or another control character inside the secret; keep the secret alone, on one line"
      #expect(problem([]) == "\(file) is empty")
      #expect(problem(Array("\n".utf8)) == "\(file) is empty")
      #expect(problem(Array("a\n\n".utf8)) == several)
      #expect(problem(Array("a\nb".utf8)) == several)
      #expect(problem(Array("a\0b".utf8)) == several)
      #expect(problem(Array("a\rb\n".utf8)) == several)
      #expect(problem([0x61, 0xFF]) == "\(file) gives something that isn't UTF-8")
      #expect(problem(Array("12345678901".utf8)) == "\(file) is larger than 10 octets")
      #expect(Self.problem(Self.text(.file(folder.root))) == "\(folder.root) is a folder, not a file")
      #expect(Self.problem(Self.text(.file(file + "x"))) == "there is no file \(file)x")
      #expect(Self.problem(Self.text(.file("/etc/pass\0wd"))) == "there is no file '/etc/pass\\u{0}wd'")
    }
  }

  @Test(
    arguments: [
      (0o640, "may be read by others: its mode is 640"), (0o604, "may be read by others: its mode is 604"),
      (0o644, "may be read by others: its mode is 644"), (0o660, "may be read by others: its mode is 660"),
      (0o620, "may be written by others: its mode is 620"),
      (0o602, "may be written by others: its mode is 602"),
    ] as [(mode_t, String)])
  func `a secret that others may read or write is refused with what mends it`(mode: mode_t, expected: String)
    throws
  {
    try TemporaryFolder.with { folder in
      let file = try folder.write("my secret", "hunter2", mode: mode)
      let problem = Self.problem(Self.text(.file(file)))
      #expect(problem == "\(file) \(expected); chmod 600 '\(file)'")
      // The command really mends it.
      let shell = try Process.run(URL(filePath: "/bin/sh"), arguments: ["-c", "chmod 600 '\(file)'"])
      shell.waitUntilExit()
      #expect(try Self.text(.file(file)).fetch() == "hunter2")
    }
  }

  @Test func `root may lend a secret to a group, and nobody else may`() {
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
        == "/s may be read by others: its mode is 640; chmod 600 /s")
    #expect(
      problem(owner: 0, mode: 0o644, user: 1000)
        == "/s may be read by others: its mode is 644; sudo chown \"$(id -un)\" /s && sudo chmod 600 /s")
    #expect(
      problem(owner: 0, mode: 0o660, user: 1000)
        == "/s may be written by others: its mode is 660; sudo chown \"$(id -un)\" /s && sudo chmod 600 /s")
    #expect(
      problem(owner: 1001, mode: 0o640, user: 1000)
        == "/s may be read by others: its mode is 640; sudo chown \"$(id -un)\" /s && sudo chmod 600 /s")
  }

  @Test func `a named pipe is refused and holds nobody up`() throws {
    try TemporaryFolder.with { folder in
      let pipe = folder.path("pipe")
      #expect(mkfifo(pipe, 0o600) == 0)
      #expect(
        Self.problem(Self.text(.file(pipe)))
          == "\(pipe) is no regular file; read it by {\"command\": [\"cat\", \"\(pipe)\"]}")
    }
  }

  @Test func `nothing shows a text, and a secret shows where it is kept`() {
    let texts = [
      ConfiguredValue(.literal("hunter2"), at: Self.location), Self.text(.command(["pass", "hunter2"])),
    ]
    for text in texts {
      var dumped = "\(text) \(text.source) \(String(reflecting: text)) \([text]) \(text as Any)"
      dump(text, to: &dumped)
      dump([text.source], to: &dumped)
      #expect(!dumped.contains("hunter2"))
    }
    #expect(texts[0].description == "a text written in place")
    #expect(texts[1].description == "{\"command\": ['pass', …]}")
    #expect(Self.text(.environment("A")).description == "{\"env\": 'A'}")
    #expect(Self.text(.file("/a b")).description == "{\"file\": '/a b'}")
  }
}
