import Foundation
import Testing

@testable import PabalCore

@Suite struct SecretCommandTests {
  private func fetch(_ commandLine: [String], timeout: Duration = .seconds(30), sizeLimit: Int = 65_536)
    throws
    -> String
  {
    try SecretSourceTests.text(.command(commandLine), timeout: timeout, sizeLimit: sizeLimit).fetch()
  }

  private func problem(_ commandLine: [String], timeout: Duration = .seconds(30), sizeLimit: Int = 65_536)
    -> String?
  {
    SecretSourceTests.problem(
      SecretSourceTests.text(.command(commandLine), timeout: timeout, sizeLimit: sizeLimit))
  }

  @Test func `the secret is the output of the command without one trailing line break`() throws {
    #expect(try fetch(["echo", "hunter2"]) == "hunter2")
    #expect(try fetch(["printf", "hunter2"]) == "hunter2")
    #expect(try fetch(["/bin/echo", "비밀"]) == "비밀")
  }

  @Test func `the arguments are not read by a shell`() throws {
    #expect(try fetch(["echo", "$HOME; `id` * > x"]) == "$HOME; `id` * > x")
  }

  @Test func `the command has an empty standard input`() throws {
    #expect(try fetch(["sh", "-c", "cat; echo end"]) == "end")
  }

  @Test func `the command gets the common variables and those it names, and no other secret of the service`()
    async throws
  {
    // In a process of its own, because the environment is shared with other tests.
    await #expect(processExitsWith: .success) {
      for name in ["SMTP_PASSWORD", "VAULT_TOKEN", "LD_LIBRARY_PATH", "https_proxy"] {
        setenv(name, "s3cret", 1)
      }
      setenv("LC_ALL", "ko_KR.UTF-8", 1)
      func names(_ environment: [String]) throws -> Set<Substring> {
        let command = SecretCommand(
          commandLine: ["env"], environment: environment, timeout: .seconds(30), sizeLimit: 65_536)
        let lines = String(decoding: try command.run(), as: UTF8.self).split(separator: "\n")
        return Set(lines.compactMap { $0.split(separator: "=").first })
      }
      let common = try names([])
      #expect(common.isSuperset(of: ["PATH", "LC_ALL"]))
      #expect(common.isDisjoint(with: ["SMTP_PASSWORD", "VAULT_TOKEN", "LD_LIBRARY_PATH", "https_proxy"]))
      #expect(common.isSubset(of: Set(CommandEnvironment.common.map { $0[...] })))
      #expect(try names(["VAULT_TOKEN", "NOT_SET"]) == common.union(["VAULT_TOKEN"]))
    }
  }

  @Test func `an alert gets no secret of the service either`() async throws {
    await #expect(processExitsWith: .success) {
      setenv("SMTP_PASSWORD", "s3cret", 1)
      setenv("WEBHOOK", "https://x.test", 1)
      try TemporaryFolder.with { folder in
        let log = folder.path("log")
        let script = "env > \(log)"
        try AlertCommand(["sh", "-c", script], environment: ["WEBHOOK"]).run("held", "relay")
        let text = try String(contentsOfFile: log, encoding: .utf8)
        #expect(text.contains("WEBHOOK=https://x.test"))
        #expect(!text.contains("SMTP_PASSWORD"))
      }
    }
  }

  @Test func `without PATH, a command is found in the usual directories`() {
    #expect(
      CommandEnvironment.variables(["A"]) { $0 == "A" ? "1" : nil } == [
        "A=1", "PATH=/usr/local/bin:/usr/bin:/bin",
      ])
  }

  @Test func `the command has no other open files, its own process group, and no blocked or ignored signals`()
    throws
  {
    // A descriptor without O_CLOEXEC, as some libraries open it.
    let inheritedDescriptor = open("/dev/null", O_RDONLY)
    let ignored = signal(SIGPIPE, SIG_IGN)
    defer {
      close(inheritedDescriptor)
      signal(SIGPIPE, ignored)
    }
    // The three standard descriptors, and the directory that the shell has open while it lists it.
    #expect(try fetch(["sh", "-c", "set -- /proc/$$/fd/*; echo $#"]) == "4")
    let masks = try fetch([
      "sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/$$/status | grep -oE '[0-9a-f]{16}' | tr '\\n' ' '",
    ])
    .split(separator: " ").map { UInt64($0, radix: 16) }
    // 32 and 33 belong to glibc, whose posix_spawn leaves them ignored.
    #expect(masks.map { $0.map { $0 & ~0x1_8000_0000 } } == [0, 0])
    #expect(try fetch(["sh", "-c", "test $(cut -d' ' -f5 /proc/$$/stat) -eq $$ && echo own"]) == "own")
  }

  @Test func `a large output is read completely`() throws {
    #expect(try fetch(["head", "-c", "60000", "/dev/zero"].tr("x")).utf8.count == 60_000)
  }

  @Test func `an output above the limit is rejected, even if it never ends`() {
    #expect(problem(["yes"], sizeLimit: 1000) == "the command 'yes' printed more than 1000 bytes")
    #expect(
      problem(["printf", "12345678901"], sizeLimit: 10) == "the command 'printf' printed more than 10 bytes")
  }

  @Test func `a failure is reported with the status and the last line of standard error, without the output`()
  {
    #expect(
      problem([
        "sh", "-c", "echo hunter2; echo first >&2; echo 'gpg: no\u{1B}[31m key' >&2; echo >&2; exit 3",
      ])
        == "the command 'sh' ended with status 3: 'gpg: no\\u{1B}[31m key'; run it by hand to see why; if it needs variables, name them in \"environment\""
    )
    #expect(
      problem(["sh", "-c", "echo hunter2; exit 1"])
        == "the command 'sh' ended with status 1; run it by hand to see why; if it needs variables, name them in \"environment\""
    )
    #expect(
      problem(["sh", "-c", "echo hunter2; echo bad hunter2 >&2; exit 1"])
        == "the command 'sh' ended with status 1; run it by hand to see why; if it needs variables, name them in \"environment\""
    )
    #expect(
      problem(["sh", "-c", "kill -9 $$"])
        == "the command 'sh' was killed by signal 9; run it by hand to see why; if it needs variables, name them in \"environment\""
    )
  }

  @Test func `a large standard error is read to its end`() throws {
    #expect(try fetch(["sh", "-c", "head -c 300000 /dev/zero >&2; echo hunter2"]) == "hunter2")
  }

  @Test func `a missing program, or one without permission, is named`() throws {
    #expect(
      problem(["no-such-program"]) == "program 'no-such-program' not found; install it, or correct PATH")
    #expect(problem(["/no/such/program"]) == "program '/no/such/program' not found")
    try TemporaryFolder.with { folder in
      let file = try folder.write("script", "#!/bin/sh\n")
      #expect(problem([file]) == "this user has no permission to run \(quoted(file)); add it with chmod +x")
    }
  }

  @Test func `an output other than one line of text is rejected`() {
    #expect(problem(["true"]) == "the output of 'true': empty")
    #expect(problem(["printf", "a\\nb"])?.hasPrefix("the output of 'printf': contains a line break") == true)
    #expect(problem(["printf", "\\377"]) == "the output of 'printf': not UTF-8")
  }

  @Test func `a command that takes too long is killed with its children`() throws {
    try TemporaryFolder.with { folder in
      let pipe = folder.path("pipe")
      let ids = folder.path("ids")
      #expect(mkfifo(pipe, 0o600) == 0)
      // Both wait for a writer that never opens the pipe.
      let script = "echo $$ > \(ids); cat \(pipe) & echo $! >> \(ids); cat \(pipe)"
      #expect(
        problem(["sh", "-c", script], timeout: .milliseconds(300))
          == "the command 'sh' didn't end within 300ms; run it by hand to see whether it waits for input"
      )
      let started = try String(contentsOfFile: ids, encoding: .utf8).split(separator: "\n").compactMap {
        pid_t($0)
      }
      #expect(started.count == 2)
      for id in started { #expect(Self.isGone(id)) }
    }
  }

  @Test func `the command ends with its first process, even if that leaves another one running`() throws {
    try TemporaryFolder.with { folder in
      let pipe = folder.path("pipe")
      #expect(mkfifo(pipe, 0o600) == 0)
      // The remaining process keeps both pipes open until its own is opened for writing.
      let text = try fetch(["sh", "-c", "cat \(pipe) & echo hunter2"])
      #expect(text == "hunter2")
      close(open(pipe, O_WRONLY))
    }
  }

  @Test func `every child process is waited for`() throws {
    for _ in 0..<20 { _ = try fetch(["echo", "a"]) }
    _ = problem(["false"])
    let children = try String(contentsOfFile: "/proc/self/task/\(getpid())/children", encoding: .utf8)
    let zombies = children.split(separator: " ").filter { Self.state(pid_t($0) ?? 0) == "Z" }
    #expect(zombies.isEmpty)
  }

  @Test func `every descriptor is closed`() throws {
    func open() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
    _ = try fetch(["echo", "a"])
    let before = try open()
    for _ in 0..<50 {
      _ = try fetch(["echo", "a"])
      _ = problem(["no-such-program"])
    }
    // Other tests open files at the same time, but fewer than 50.
    #expect(try open() < before + 50)
  }

  // A process whose parent doesn't wait for it may remain as a zombie.
  private static func isGone(_ id: pid_t) -> Bool {
    for _ in 0..<10_000 {
      let state = state(id)
      if state == nil || state == "Z" { return true }
      sched_yield()
    }
    return false
  }

  /// Returns the letter of the state of a process; `nil` if it doesn't exist.
  private static func state(_ id: pid_t) -> Character? {
    let status = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)
    return status.flatMap { $0[$0.index(after: $0.lastIndex(of: ")") ?? $0.startIndex)...].dropFirst().first }
  }
}

extension [String] {
  /// A shell command that replaces the NULs in the output of this command with `character`.
  fileprivate func tr(_ character: String) -> [String] {
    ["sh", "-c", "\(joined(separator: " ")) | tr '\\0' \(character)"]
  }
}
