import Foundation
import PabalTesting

/// A program that is started, killed and started again; what all of them print stands in one file.
final class KilledProcess {
  let name: String
  private let arguments: [String]
  private let environment: [String: String]
  private let directory: String
  private let output: String
  private var process: SpawnedProcess?

  /// `arguments` begin with the program's name, among the built products.
  init(_ name: String, _ arguments: [String], environment: [String: String] = [:], in directory: String)
    throws
  {
    self.name = name
    self.arguments = arguments
    self.environment = environment
    self.directory = directory
    output = "\(directory)/\(name).out"
    try Data().write(to: URL(filePath: output))
  }

  func start() throws {
    let file = try FileHandle(forWritingTo: URL(filePath: output))
    try file.seekToEnd()
    process = try SpawnedProcess(
      "\(BuiltProducts.directory)/\(arguments[0])", Array(arguments.dropFirst()),
      environment: .current(with: environment), directory: directory, output: .file(file),
      errors: .file(file))
  }

  /// Kills it as `kill -9` does; whether it was alive until then.
  @discardableResult
  func kill() -> Bool {
    guard let process else { return false }
    process.signal(SIGKILL)
    self.process = nil
    return process.wait() == -SIGKILL
  }

  /// The whole lines that all of its lives printed.
  func lines() throws -> [Substring] {
    try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n")
  }
}
