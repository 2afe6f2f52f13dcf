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

  @Test func `a command gives what it prints without one line break at its end`() throws {
    #expect(try fetch(["echo", "hunter2"]) == "hunter2")
    #expect(try fetch(["printf", "hunter2"]) == "hunter2")
    #expect(try fetch(["/bin/echo", "비밀"]) == "비밀")
  }

  @Test func `no shell reads the arguments`() throws {
    #expect(try fetch(["echo", "$HOME; `id` * > x"]) == "$HOME; `id` * > x")
  }

  @Test func `it inherits the environment and an empty standard input`() throws {
    #expect(try fetch(["sh", "-c", "echo \"$PATH\""]) == ProcessInfo.processInfo.environment["PATH"])
    #expect(try fetch(["sh", "-c", "cat; echo end"]) == "end")
  }

  @Test func `it gets no other open file, a group of its own, and no signal blocked or ignored`() throws {
    // A descriptor without O_CLOEXEC, as a careless library leaves it.
    let inheritedDescriptor = open("/dev/null", O_RDONLY)
    let ignored = signal(SIGPIPE, SIG_IGN)
    defer {
      close(inheritedDescriptor)
      signal(SIGPIPE, ignored)
    }
    // The three it was given, and the folder that the shell has open while it looks.
    #expect(try fetch(["sh", "-c", "set -- /proc/$$/fd/*; echo $#"]) == "4")
    let masks = try fetch([
      "sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/$$/status | grep -oE '[0-9a-f]{16}' | tr '\\n' ' '",
    ])
    .split(separator: " ").map { UInt64($0, radix: 16) }
    // 32 and 33 are glibc's own, which posix_spawn ignores for good.
    #expect(masks.map { $0.map { $0 & ~0x1_8000_0000 } } == [0, 0])
    #expect(try fetch(["sh", "-c", "test $(cut -d' ' -f5 /proc/$$/stat) -eq $$ && echo own"]) == "own")
  }

  @Test func `a large output is read whole`() throws {
    #expect(try fetch(["head", "-c", "60000", "/dev/zero"].tr("x")).utf8.count == 60_000)
  }

  @Test func `more than the limit is refused, however long it goes on`() {
    #expect(problem(["yes"], sizeLimit: 1000) == "the command 'yes' prints more than 1000 octets")
    #expect(
      problem(["printf", "12345678901"], sizeLimit: 10) == "the command 'printf' prints more than 10 octets")
  }

  @Test func `a failure shows the status and the last complaint, and never what was printed`() {
    #expect(
      problem([
        "sh", "-c", "echo hunter2; echo first >&2; echo 'gpg: no\u{1B}[31m key' >&2; echo >&2; exit 3",
      ])
        == "the command 'sh' ended with status 3: 'gpg: no\\u{1B}[31m key'; run it by hand and see")
    #expect(
      problem(["sh", "-c", "echo hunter2; exit 1"])
        == "the command 'sh' ended with status 1; run it by hand and see")
    #expect(
      problem(["sh", "-c", "echo hunter2; echo bad hunter2 >&2; exit 1"])
        == "the command 'sh' ended with status 1; run it by hand and see")
    #expect(
      problem(["sh", "-c", "kill -9 $$"]) == "the command 'sh' was ended by signal 9; run it by hand and see")
  }

  @Test func `however much it complains, it is read to its end`() throws {
    #expect(try fetch(["sh", "-c", "head -c 300000 /dev/zero >&2; echo hunter2"]) == "hunter2")
  }

  @Test func `a program that isn't there, or may not be run, is named`() throws {
    #expect(
      problem(["no-such-program"]) == "there is no program 'no-such-program'; install it, or look at PATH")
    #expect(problem(["/no/such/program"]) == "there is no program '/no/such/program'")
    try TemporaryFolder.with { folder in
      let file = try folder.write("script", "#!/bin/sh\n")
      #expect(problem([file]) == "\(quoted(file)) may not be run by this user; chmod +x it")
    }
  }

  @Test func `an output that is no one line of text is refused`() {
    #expect(problem(["true"]) == "the command 'true' is empty")
    #expect(problem(["printf", "a\\nb"])?.hasPrefix("the command 'printf' gives a line break") == true)
    #expect(problem(["printf", "\\377"]) == "the command 'printf' gives something that isn't UTF-8")
  }

  @Test func `what outlives its time is killed with all it started`() throws {
    try TemporaryFolder.with { folder in
      let pipe = folder.path("pipe")
      let ids = folder.path("ids")
      #expect(mkfifo(pipe, 0o600) == 0)
      // Both wait for a writer who never comes.
      let script = "echo $$ > \(ids); cat \(pipe) & echo $! >> \(ids); cat \(pipe)"
      #expect(
        problem(["sh", "-c", script], timeout: .milliseconds(300))
          == "the command 'sh' hasn't ended within 300ms; run it by hand and see whether it asks for something"
      )
      let started = try String(contentsOfFile: ids, encoding: .utf8).split(separator: "\n").compactMap {
        pid_t($0)
      }
      #expect(started.count == 2)
      for id in started { #expect(Self.isGone(id)) }
    }
  }

  @Test func `it ends with its first process, whatever that leaves running`() throws {
    try TemporaryFolder.with { folder in
      let pipe = folder.path("pipe")
      #expect(mkfifo(pipe, 0o600) == 0)
      // The one left behind holds both ends open until the pipe is opened for writing.
      let text = try fetch(["sh", "-c", "cat \(pipe) & echo hunter2"])
      #expect(text == "hunter2")
      close(open(pipe, O_WRONLY))
    }
  }

  @Test func `no process is left to be waited for`() throws {
    for _ in 0..<20 { _ = try fetch(["echo", "a"]) }
    _ = problem(["false"])
    let children = try String(contentsOfFile: "/proc/self/task/\(getpid())/children", encoding: .utf8)
    let zombies = children.split(separator: " ").filter { Self.state(pid_t($0) ?? 0) == "Z" }
    #expect(zombies.isEmpty)
  }

  @Test func `no descriptor is left open`() throws {
    func open() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
    _ = try fetch(["echo", "a"])
    let before = try open()
    for _ in 0..<50 {
      _ = try fetch(["echo", "a"])
      _ = problem(["no-such-program"])
    }
    // Other tests open files meanwhile, but not a hundred.
    #expect(try open() < before + 50)
  }

  // A process without a parent that waits for it may stay as a zombie.
  private static func isGone(_ id: pid_t) -> Bool {
    for _ in 0..<10_000 {
      let state = state(id)
      if state == nil || state == "Z" { return true }
      sched_yield()
    }
    return false
  }

  /// The letter of the process's state, `nil` when there is none of that id.
  private static func state(_ id: pid_t) -> Character? {
    let status = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)
    return status.flatMap { $0[$0.index(after: $0.lastIndex(of: ")") ?? $0.startIndex)...].dropFirst().first }
  }
}

extension [String] {
  /// A shell's pipe of this command into `tr`, which makes its NULs a character.
  fileprivate func tr(_ character: String) -> [String] {
    ["sh", "-c", "\(joined(separator: " ")) | tr '\\0' \(character)"]
  }
}
