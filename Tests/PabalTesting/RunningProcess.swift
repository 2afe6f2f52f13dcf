import Foundation
import Synchronization

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

  /// Types these octets; 3 is Ctrl-C on a terminal.
  public func type(_ octets: [UInt8]) throws {
    try input.fileHandleForWriting.write(contentsOf: Data(octets))
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
