import Foundation

/// A program run to its end, with what it printed.
public struct ChildProcess: Sendable {
  /// The exit status, or the signal's number negated.
  public let status: Int32
  /// Standard output.
  public let output: String
  /// Standard error.
  public let errors: String
  /// Standard output, octet for octet.
  public let octets: [UInt8]

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
      errors: String(decoding: errors, as: UTF8.self), octets: Array(output))
  }
}
