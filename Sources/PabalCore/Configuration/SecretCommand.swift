internal import CPabalGNU
internal import Glibc

/// A run of a program that prints a secret.
struct SecretCommand {
  let commandLine: [String]
  /// The names of variables it gets besides the common ones.
  var environment: [String] = []
  let timeout: Duration
  let sizeLimit: Int

  /// The program, without its arguments.
  var name: String { quoted(commandLine[0]) }

  /// Returns what the program prints. Blocks until it has ended; after `timeout`, kills it and what it started.
  func run() throws(SecretError) -> [UInt8] {
    let deadline = ContinuousClock.now + timeout
    let (output, outputInput) = try pipe()
    defer { close(output) }
    let (errors, errorsInput): (Int32, Int32)
    do throws(SecretError) {
      (errors, errorsInput) = try pipe()
    } catch {
      close(outputInput)
      throw error
    }
    defer { close(errors) }
    let process: pid_t
    do {
      defer {
        close(outputInput)
        close(errorsInput)
      }
      process = try start(output: outputInput, errors: errorsInput)
    }

    var standardOutput = PipeBuffer(first: sizeLimit)
    var standardError = PipeBuffer(last: 4096)
    let status: Int32
    do throws(SecretError) {
      status = try collectOutput(
        process, until: deadline, output: output, errors: errors, &standardOutput, &standardError)
    } catch {
      // The process has not been waited for, so the id of its group can't belong to another one yet.
      kill(-process, SIGKILL)
      _ = wait(for: process)
      throw error
    }
    guard status == 0 else {
      throw SecretError(
        message:
          "the command \(name) \(exitDescription(status))\(Self.lastLine(standardError.bytes, without: standardOutput.bytes))",
        remedy: "run it by hand to see why; if it needs variables, name them in \"environment\"")
    }
    return standardOutput.bytes
  }

  /// Returns the two ends of a pipe. Neither is 0, 1 or 2, because the child redirects these.
  private func pipe() throws(SecretError) -> (output: Int32, input: Int32) {
    var ends: [Int32] = [-1, -1]
    guard pipe2(&ends, O_CLOEXEC) == 0 else { throw systemError(errno) }
    for i in 0..<2 where ends[i] < 3 {
      let moved = fcntl(ends[i], F_DUPFD_CLOEXEC, 3)
      close(ends[i])
      ends[i] = moved
    }
    // Only this end is made non-blocking, because the child doesn't expect it of its own.
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    return (ends[0], ends[1])
  }

  private func start(output: Int32, errors: Int32) throws(SecretError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, errors, 2)
    // Not every library opens files with O_CLOEXEC.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A process group of its own, so that a timeout also ends what the program started. Signals have their defaults,
    // as in a shell, because the host ignores SIGPIPE and an ignored signal stays ignored after exec.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    let arguments: [UnsafeMutablePointer<CChar>?] = commandLine.map { strdup($0) } + [nil]
    let variables: [UnsafeMutablePointer<CChar>?] =
      CommandEnvironment.variables(environment).map { strdup($0) } + [nil]
    defer { for text in arguments + variables { free(text) } }
    var process: pid_t = 0
    let failure = posix_spawnp(&process, commandLine[0], &actions, &attributes, arguments, variables)
    guard failure == 0 else {
      switch failure {
      case ENOENT:
        throw SecretError(
          message: "program \(name) not found",
          remedy: commandLine[0].contains("/") ? nil : "install it, or correct PATH")
      case EACCES:
        throw SecretError(
          message: "this user has no permission to run \(name)", remedy: "add it with chmod +x")
      default:
        throw systemError(failure)
      }
    }
    return process
  }

  private func systemError(_ number: Int32) -> SecretError {
    SecretError(
      message: "the command \(name) can't be started: \(String(cString: strerror(number)))",
      isTransient: [EAGAIN, ENOMEM, EMFILE, ENFILE].contains(number))
  }

  // MARK: Output

  /// Reads from both pipes until the process has ended, and returns its wait status.
  private func collectOutput(
    _ process: pid_t, until deadline: ContinuousClock.Instant, output: Int32, errors: Int32,
    _ standardOutput: inout PipeBuffer, _ standardError: inout PipeBuffer
  ) throws(SecretError) -> Int32 {
    // Short at first, because most commands close their output just before they end.
    var pollInterval: Int32 = 1
    while true {
      // Checked before reading, so that all output of a process that has ended is read. The end of the pipes is not
      // awaited, because a process that it left running, such as an agent, may keep them open.
      let status = hasExited(process)
      let received = (standardOutput.drain(from: output), standardError.drain(from: errors))
      guard standardOutput.total <= sizeLimit else { throw outputTooLargeError }
      if status { return wait(for: process) }
      guard ContinuousClock.now < deadline else {
        throw SecretError(
          message: "the command \(name) didn't end within \(timeout.configurationText)",
          remedy: "run it by hand to see whether it waits for input", isTransient: true)
      }
      var ends = [
        pollfd(fd: standardOutput.isAtEnd ? -1 : output, events: Int16(POLLIN), revents: 0),
        pollfd(fd: standardError.isAtEnd ? -1 : errors, events: Int16(POLLIN), revents: 0),
      ]
      pollInterval = received.0 || received.1 ? 1 : min(pollInterval * 2, 20)
      poll(&ends, 2, pollInterval)
    }
  }

  private var outputTooLargeError: SecretError {
    SecretError(message: "the command \(name) printed more than \(sizeLimit) bytes")
  }

  /// Whether `process` has ended. It remains to be waited for, so that its id isn't reused.
  private func hasExited(_ process: pid_t) -> Bool {
    var found = siginfo_t()
    while waitid(P_PID, id_t(process), &found, WEXITED | WNOHANG | WNOWAIT) != 0 {
      guard errno == EINTR else { return true }
    }
    return found.si_signo != 0
  }

  /// Waits for `process` and returns its wait status. Blocks while it runs.
  private func wait(for process: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(process, &status, 0) != process {
      guard errno == EINTR else { return Self.statusLost }
    }
    return status
  }

  /// The wait status if SIGCHLD is ignored, or other code has waited for the child.
  private static let statusLost: Int32 = -1

  private func exitDescription(_ status: Int32) -> String {
    if status == Self.statusLost { return "ended with an unknown status, because SIGCHLD is ignored" }
    let signal = status & 0x7F
    return signal == 0 ? "ended with status \(status >> 8 & 0xFF)" : "was killed by signal \(signal)"
  }

  /// Returns `: ` and the last line of the error output, or nothing if that line contains the secret.
  private static func lastLine(_ standardError: [UInt8], without standardOutput: [UInt8]) -> String {
    guard
      let line = standardError.split(separator: UInt8(ascii: "\n")).last(where: { $0.contains { $0 > 0x20 } })
    else { return "" }
    let text = String(decoding: line, as: UTF8.self)
    let secret = String(decoding: standardOutput.prefix { $0 > 0x20 }, as: UTF8.self)
    if secret.utf8.count >= 4, text.contains(secret) { return "" }
    return ": \(quoted(text))"
  }
}

/// The first or the last `limit` bytes from a pipe.
private struct PipeBuffer {
  private let limit: Int
  private let keepsFirst: Bool
  private(set) var bytes: [UInt8] = []
  /// The number of bytes read, including those that were dropped.
  private(set) var total = 0
  private(set) var isAtEnd = false

  init(first limit: Int) { (self.limit, keepsFirst) = (limit, true) }

  init(last limit: Int) { (self.limit, keepsFirst) = (limit, false) }

  /// Reads what is available without waiting; returns whether there were bytes or the end.
  mutating func drain(from descriptor: Int32) -> Bool {
    let before = (total, isAtEnd)
    var buffer = [UInt8](repeating: 0, count: 4096)
    // Bounded, so that the deadline is checked even if the program never stops printing.
    for _ in 0..<64 where !isAtEnd {
      let bytesRead = read(descriptor, &buffer, buffer.count)
      if bytesRead < 0, errno == EINTR { continue }
      if bytesRead < 0, errno == EAGAIN { break }
      guard bytesRead > 0 else {
        isAtEnd = true
        break
      }
      total += bytesRead
      bytes += buffer[..<bytesRead]
      if bytes.count > limit {
        if keepsFirst {
          bytes.removeLast(bytes.count - limit)
        } else {
          bytes.removeFirst(bytes.count - limit)
        }
      }
    }
    return before != (total, isAtEnd)
  }
}
