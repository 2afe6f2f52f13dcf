internal import CPabalGNU
public import Foundation
import Synchronization

/// A child process that gets of this one's descriptors only its three streams, hears every signal and is reaped as
/// soon as it ends.
///
/// Foundation's Process hands over what another thread opens while it starts a child, the socket that tells the end
/// of another child among it: whoever waits for that one waits for as long as a stranger lives.
public final class SpawnedProcess: Sendable {
  /// What one of its streams is.
  public enum Stream {
    /// `/dev/null`.
    case nothing
    /// This process's own.
    case inherited
    /// A file that is open.
    case file(FileHandle)
    /// A pipe, whose other end stays here.
    case pipe(Pipe)
  }

  /// Its number.
  public let number: Int32
  private let status = Mutex<Int32?>(nil)
  private let end = DispatchGroup()
  // Kept until it ends: a server that goes on to print must not die of it once nobody reads.
  private let pipes: [Pipe]

  /// Starts `program`: a path, or a name that is found in `PATH`.
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
    // Threads of a test run block signals, and a child inherits that.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    let environment = environment ?? ProcessInfo.processInfo.environment
    let words = ([program] + arguments).map { strdup($0) }
    let variables = environment.map { strdup("\($0.key)=\($0.value)") }
    defer { for text in words + variables { free(text) } }
    var number: pid_t = 0
    let problem = posix_spawnp(&number, program, &actions, &attributes, words + [nil], variables + [nil])
    // Nobody would learn that a pipe's other end has gone while this process holds it, too.
    var pipes: [Pipe] = []
    for (target, stream) in zip(Int32(0)..., [input, output, errors]) {
      guard case .pipe(let pipe) = stream else { continue }
      try? pipe.end(of: target).close()
      // Its input ends when whoever writes lets go of it.
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

  /// Waits for its end and keeps how it was.
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

  /// Waits for its end; its status, or its signal's number negated.
  @discardableResult
  public func wait() -> Int32 {
    end.wait()
    guard let status = status.withLock({ $0 }) else { preconditionFailure("it ended without a status") }
    return status
  }

  /// Sends it a signal, unless it has ended.
  public func signal(_ signal: Int32) {
    // While it isn't reaped nobody else has its number.
    status.withLock { status in
      if status == nil { kill(number, signal) }
    }
  }
}

extension [String: String] {
  /// This process's environment with `changes`; `nil` removes a variable.
  package static func current(with changes: [String: String?]) -> [String: String] {
    changes.reduce(into: ProcessInfo.processInfo.environment) { $0[$1.key] = $1.value }
  }
}

extension Pipe {
  /// The first line that comes through it, or what came before its end.
  public func firstLine() -> String {
    var line = Data()
    while line.last != 10, case let more = fileHandleForReading.availableData, !more.isEmpty { line += more }
    return String(decoding: line, as: UTF8.self).trimmingCharacters(in: .newlines)
  }

  /// The end that a child has as its descriptor `target`.
  fileprivate func end(of target: Int32) -> FileHandle {
    target == 0 ? fileHandleForReading : fileHandleForWriting
  }
}

/// A program run to its end, with what it printed.
public struct ChildProcess: Sendable {
  /// The exit status, or the signal's number negated.
  public let status: Int32
  /// Standard output.
  public let output: String
  /// Standard error.
  public let errors: String
  /// Standard output, byte for byte.
  public let bytes: [UInt8]

  /// Runs `program` (a path, or a name found in `PATH`) and waits for its end; blocks.
  ///
  /// `environment` is added to this process's; `nil` removes a variable.
  public static func run(
    _ program: String, _ arguments: [String] = [], input: [UInt8] = [],
    environment: [String: String?] = [:], directory: String? = nil
  ) throws -> ChildProcess {
    // Files, not pipes: nobody has to read while the child writes.
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

/// A program that is talked to while it runs, in a terminal of its own where that is wanted.
public final class InteractiveProcess: Sendable {
  private let process: SpawnedProcess
  private let input = Pipe()
  private let folder: TemporaryDirectory
  private let transcript = Mutex("")
  private let errors: FileHandle

  /// Starts `program`; `onTerminal` puts its standard input and error on one, as a person has it.
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

  /// What it said on standard error until `words` were among it; throws when it ends before.
  @discardableResult
  public func transcript(until words: String) throws -> String {
    while true {
      let text = transcript.withLock { $0 }
      if text.contains(words) { return text }
      let more = errors.availableData
      guard !more.isEmpty else { throw TestError("it ended before it said \(words): \(text)") }
      transcript.withLock { $0 += String(decoding: more, as: UTF8.self) }
    }
  }

  /// Types these bytes; 3 is Ctrl-C on a terminal.
  public func type(_ bytes: [UInt8]) throws {
    try input.fileHandleForWriting.write(contentsOf: Data(bytes))
  }

  /// Types a line.
  public func type(line: String) throws { try type(Array("\(line)\n".utf8)) }

  /// Its number; that of the program itself without a terminal only.
  public var number: Int32 { process.number }

  /// Sends it a signal; without a terminal only, where there is nothing between.
  public func signal(_ number: Int32) { process.signal(number) }

  /// Waits for its end; a status of a signal is its number negated.
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
