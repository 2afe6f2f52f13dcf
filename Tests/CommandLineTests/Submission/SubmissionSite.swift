import Foundation
import PabalTesting
import Testing

/// A mail as a service received it.
struct SubmittedMailRecord: Decodable, Sendable {
  var sender: String
  var recipients: [String]
  var parameters: String
  /// The content, with each byte as a character of Latin-1.
  var content: String

  /// The content as text.
  var text: String {
    String(decoding: content.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }, as: UTF8.self)
  }

  /// The content after the first empty line, as bytes.
  var body: [UInt8] {
    let bytes = content.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return [] }
    return Array(bytes[end.upperBound...])
  }
}

/// A directory with a recording SMTP service on a Unix socket, and links to `pabal` by sendmail's names.
final class SubmissionSite: Sendable {
  let directory: TemporaryDirectory
  private let input = Pipe()
  private let service: SpawnedProcess?

  /// Starts the service with these settings (see `Tests/Servers/submission.py`); none without a service.
  init(_ settings: [String]? = []) throws {
    directory = try TemporaryDirectory()
    for name in ["sendmail", "mailq", "newaliases"] {
      try FileManager.default.createSymbolicLink(
        atPath: "\(directory.path)/\(name)", withDestinationPath: "\(BuiltProducts.directory)/pabal")
    }
    guard let settings else {
      service = nil
      return
    }
    let output = Pipe()
    service = try SpawnedProcess(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/submission.py", "\(directory.path)/submit",
        "\(directory.path)/log",
      ] + settings, input: .pipe(input), output: .pipe(output))
    guard output.firstLine() == "ready" else { throw TestError("the service did not start") }
  }

  deinit { try? input.fileHandleForWriting.close() }

  /// The flags that lead to this site.
  var ways: [String] { ["--socket", "\(directory.path)/submit", "--drop", "\(directory.path)/drop"] }

  /// Makes the drop directory.
  func makeDrop() throws {
    let path = "\(directory.path)/drop"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    #expect(chmod(path, 0o3733) == 0)
  }

  /// The names in the drop directory, except for the file of limits.
  var dropped: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(directory.path)/drop")) ?? [])
      .filter { $0 != "limits" }.sorted()
  }

  /// Runs `sendmail`, a link to `pabal`, with these arguments.
  func sendmail(
    _ arguments: [String], input: String = "Subject: hi\n\ntext\n", environment: [String: String?] = [:],
    in folder: String? = nil
  ) throws -> ChildProcess {
    try ChildProcess.run(
      "\(directory.path)/sendmail", ways + arguments, input: Array(input.utf8), environment: environment,
      directory: folder ?? directory.path)
  }

  /// The mails that the service has accepted.
  func mails() throws -> [SubmittedMailRecord] {
    let log = (try? String(contentsOfFile: "\(directory.path)/log", encoding: .utf8)) ?? ""
    return try log.split(separator: "\n").map {
      try JSONDecoder().decode(SubmittedMailRecord.self, from: Data($0.utf8))
    }
  }

  /// The only mail that the service has accepted.
  func onlyMail() throws -> SubmittedMailRecord {
    let mails = try mails()
    try #require(mails.count == 1)
    return mails[0]
  }
}
