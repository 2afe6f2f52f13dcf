import Foundation
import PabalTesting

/// A quick SMTP server that counts what it takes; see `Tests/Servers/sink.py`.
final class SMTPSink: Sendable {
  private let input = Pipe()
  private let output = Pipe()
  private let log: String
  let port: Int

  /// Of a thousand mails `defer` are deferred, and `drop` are taken without an answer; `delay` is the longest
  /// time, in seconds, between a mail's last byte and its reply.
  init(in directory: TemporaryDirectory, defer deferred: Int = 0, drop: Int = 0, delay: Double) throws {
    log = "\(directory.path)/sink.log"
    _ = try SpawnedProcess(
      "python3",
      ["\(BuiltProducts.root)/Tests/Servers/sink.py", log, "\(deferred)", "\(drop)", "\(delay)"],
      input: .pipe(input), output: .pipe(output))
    guard let port = Int(output.firstLine()) else { throw TestError("the sink did not start") }
    self.port = port
  }

  /// Returns when the bytes of `count` mails have come, whether they are taken then or not.
  func received(_ count: Int) throws {
    var transcript = Data()
    while transcript.count(where: { $0 == 10 }) < count {
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw TestError("the sink has gone") }
      transcript += more
    }
  }

  deinit { try? input.fileHandleForWriting.close() }

  /// By address, when the MAIL of each mail came that was taken, in milliseconds since 1970.
  func taken() throws -> [String: [Int]] {
    var taken: [String: [Int]] = [:]
    for line in (try? String(contentsOfFile: log, encoding: .utf8))?.split(separator: "\n") ?? [] {
      let words = line.split(separator: " ")
      guard words.count == 2, let began = Int(words[0]) else { throw TestError("the sink wrote \(line)") }
      taken[String(words[1]), default: []].append(began)
    }
    return taken
  }
}
