internal import CPabalGNU
public import Foundation
import Synchronization

/// A child process that inherits only its three standard streams, has default signal handling, and is reaped when it
/// ends.
///
/// Used instead of Foundation's `Process`, which leaks descriptors that other threads open at the same time. Among them
/// is the socket that reports the end of another child, so that waiting for that child takes until this one ends.
public final class SpawnedProcess: Sendable {
  /// A standard stream of the child.
  public enum Stream {
    /// `/dev/null`.
    case nothing
    /// The stream of this process.
    case inherited
    /// An open file.
    case file(FileHandle)
    /// A pipe whose other end stays in this process.
    case pipe(Pipe)
  }

  /// The process id.
  public let number: Int32
  private let status = Mutex<Int32?>(nil)
  private let end = DispatchGroup()
  // Kept open until the child ends, so that a server that keeps printing doesn't get SIGPIPE.
  private let pipes: [Pipe]

  /// Starts `program`, a path or a name in `PATH`.
  public init(
    _ program: String, _ arguments: [String] = [], environment: [String: String]? = nil,
    directory: String? = nil, input: Stream = .nothing, output: Stream = .nothing,
    errors: Stream = .inherited
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (target, stream) in zip(Int32(0)..., [input, output, errors]) {
      switch stream {
      case .nothing: posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_RDWR, 0)
      case .inherited: posix_spawn_file_actions_adddup2(&actions, target, target)
      case .file(let file): posix_spawn_file_actions_adddup2(&actions, file.fileDescriptor, target)
      case .pipe(let pipe):
        posix_spawn_file_actions_adddup2(&actions, pipe.end(of: target).fileDescriptor, target)
      }
    }
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    if let directory { posix_spawn_file_actions_addchdir_np(&actions, directory) }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The child would inherit the signal mask of test threads, which block signals.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    let environment = environment ?? ProcessInfo.processInfo.environment
    let argv = ([program] + arguments).map { strdup($0) }
    let variables = environment.map { strdup("\($0.key)=\($0.value)") }
    defer { for text in argv + variables { free(text) } }
    var number: pid_t = 0
    let problem = posix_spawnp(&number, program, &actions, &attributes, argv + [nil], variables + [nil])
    // Closes the child's ends, because readers see the end of a pipe only when all copies are closed.
    var pipes: [Pipe] = []
    for (target, stream) in zip(Int32(0)..., [input, output, errors]) {
      guard case .pipe(let pipe) = stream else { continue }
      try? pipe.end(of: target).close()
      // The input isn't kept, so that it ends when its writer closes it.
      if target > 0 { pipes.append(pipe) }
    }
    self.pipes = pipes
    guard problem == 0 else {
      throw TestError("\(program) can't be started: \(String(cString: strerror(problem)))")
    }
    self.number = number
    end.enter()
    Thread.detachNewThread { [self] in reap() }
  }

  /// Waits for the end of the child and stores its status.
  private func reap() {
    var facts = siginfo_t()
    while waitid(P_PID, id_t(number), &facts, WEXITED | WNOWAIT) != 0, errno == EINTR {}
    status.withLock { status in
      var word: Int32 = 0
      waitpid(number, &word, 0)
      status = word & 0x7F == 0 ? word >> 8 & 0xFF : -(word & 0x7F)
    }
    withExtendedLifetime(pipes) { end.leave() }
  }

  /// Waits for the end of the child; returns its exit status, or the negated number of the signal that ended it.
  @discardableResult
  public func wait() -> Int32 {
    end.wait()
    guard let status = status.withLock({ $0 }) else {
      preconditionFailure("the child ended without a status")
    }
    return status
  }

  /// Sends a signal, unless the child has ended.
  public func signal(_ signal: Int32) {
    // The process id can't be reused before the child is reaped.
    status.withLock { status in
      if status == nil { kill(number, signal) }
    }
  }
}

extension [String: String] {
  /// Returns the environment of this process with `changes`; `nil` removes a variable.
  package static func current(with changes: [String: String?]) -> [String: String] {
    changes.reduce(into: ProcessInfo.processInfo.environment) { $0[$1.key] = $1.value }
  }
}

extension Pipe {
  /// Reads the first line, or everything if the pipe is closed before.
  public func firstLine() -> String {
    var line = Data()
    while line.last != 10, case let more = fileHandleForReading.availableData, !more.isEmpty { line += more }
    return String(decoding: line, as: UTF8.self).trimmingCharacters(in: .newlines)
  }

  /// Returns the end that the child uses as its descriptor `target`.
  fileprivate func end(of target: Int32) -> FileHandle {
    target == 0 ? fileHandleForReading : fileHandleForWriting
  }
}

/// A program that has run, with its output.
public struct ChildProcess: Sendable {
  /// The exit status, or the negated number of the signal that ended it.
  public let status: Int32
  /// Standard output.
  public let output: String
  /// Standard error.
  public let errors: String
  /// Standard output as bytes.
  public let bytes: [UInt8]

  /// Runs `program`, a path or a name in `PATH`, and waits until it ends; blocks.
  ///
  /// `environment` is added to that of this process; `nil` removes a variable.
  public static func run(
    _ program: String, _ arguments: [String] = [], input: [UInt8] = [],
    environment: [String: String?] = [:], directory: String? = nil
  ) throws -> ChildProcess {
    // Files instead of pipes, because a full pipe would block the child.
    let folder = try TemporaryDirectory()
    let files = ["in", "out", "err"].map { "\(folder.path)/\($0)" }
    for file in files { try Data(file == files[0] ? input : []).write(to: URL(filePath: file)) }
    let status = try SpawnedProcess(
      program, arguments, environment: .current(with: environment), directory: directory,
      input: .file(FileHandle(forReadingFrom: URL(filePath: files[0]))),
      output: .file(FileHandle(forWritingTo: URL(filePath: files[1]))),
      errors: .file(FileHandle(forWritingTo: URL(filePath: files[2])))
    ).wait()
    let output = try Data(contentsOf: URL(filePath: files[1]))
    let errors = try Data(contentsOf: URL(filePath: files[2]))
    return ChildProcess(
      status: status, output: String(decoding: output, as: UTF8.self),
      errors: String(decoding: errors, as: UTF8.self), bytes: Array(output))
  }
}

/// A running program that receives input, optionally on its own terminal.
public final class InteractiveProcess: Sendable {
  private let process: SpawnedProcess
  private let input = Pipe()
  private let folder: TemporaryDirectory
  private let transcript = Mutex("")
  private let errors: FileHandle

  /// Starts `program`; with `onTerminal`, its standard input and standard error are a terminal.
  public init(
    _ program: String, _ arguments: [String], environment: [String: String?] = [:], directory: String,
    onTerminal: Bool = false
  ) throws {
    folder = try TemporaryDirectory()
    let output = "\(folder.path)/out"
    try Data().write(to: URL(filePath: output))
    let pipe = Pipe()
    errors = pipe.fileHandleForReading
    process = try SpawnedProcess(
      "python3",
      ["\(BuiltProducts.root)/Tests/Servers/terminal.py", onTerminal ? "terminal" : "pipe", program]
        + arguments,
      environment: .current(with: environment), directory: directory, input: .pipe(input),
      output: .file(FileHandle(forWritingTo: URL(filePath: output))), errors: .pipe(pipe))
  }

  /// Waits until standard error contains `expected` this often and returns it so far; throws if the program ends before.
  @discardableResult
  public func transcript(until expected: String, times: Int = 1) throws -> String {
    while true {
      let text = transcript.withLock { $0 }
      if text.ranges(of: expected).count >= times { return text }
      let more = errors.availableData
      guard !more.isEmpty else { throw TestError("the program ended before it printed \(expected): \(text)") }
      transcript.withLock { $0 += String(decoding: more, as: UTF8.self) }
    }
  }

  /// Types these bytes; 3 is Ctrl-C on a terminal.
  public func type(_ bytes: [UInt8]) throws {
    try input.fileHandleForWriting.write(contentsOf: Data(bytes))
  }

  /// Types a line.
  public func type(line: String) throws { try type(Array("\(line)\n".utf8)) }

  /// The process id; with a terminal it is that of the script in between.
  public var number: Int32 { process.number }

  /// Sends a signal. With a terminal it doesn't reach the program.
  public func signal(_ number: Int32) { process.signal(number) }

  /// Waits for the end; returns the exit status, or the negated number of a signal.
  public func finish() throws -> (status: Int32, output: String, errors: String) {
    while case let more = errors.availableData, !more.isEmpty {
      transcript.withLock { $0 += String(decoding: more, as: UTF8.self) }
    }
    let number = process.wait()
    try? input.fileHandleForWriting.close()
    let output = try String(contentsOfFile: "\(folder.path)/out", encoding: .utf8)
    return (number > 200 ? 200 - number : number, output, transcript.withLock { $0 })
  }
}
