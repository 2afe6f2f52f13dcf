import Foundation
import PabalTesting

/// A fast SMTP server that records accepted mail; see `Tests/Servers/sink.py`.
final class SMTPSink: Sendable {
  private let input = Pipe()
  private let output = Pipe()
  private let log: String
  let port: Int

  /// Starts a server that defers `defer` of a thousand mails and accepts `drop` of a thousand without a reply. `delay` is
  /// the longest time, in seconds, before a reply to a mail.
  init(in directory: TemporaryDirectory, defer deferred: Int = 0, drop: Int = 0, delay: Double) throws {
    log = "\(directory.path)/sink.log"
    _ = try SpawnedProcess(
      "python3",
      ["\(BuiltProducts.root)/Tests/Servers/sink.py", log, "\(deferred)", "\(drop)", "\(delay)"],
      input: .pipe(input), output: .pipe(output))
    guard let port = Int(output.firstLine()) else { throw TestError("the sink did not start") }
    self.port = port
  }

  /// Waits until `count` mails were received, accepted or not.
  func received(_ count: Int) throws {
    var transcript = Data()
    while transcript.count(where: { $0 == 10 }) < count {
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw TestError("the sink has gone") }
      transcript += more
    }
  }

  deinit { try? input.fileHandleForWriting.close() }

  /// Returns the times of MAIL of the accepted mails by address, in milliseconds since 1970.
  func taken() throws -> [String: [Int]] {
    var taken: [String: [Int]] = [:]
    for line in (try? String(contentsOfFile: log, encoding: .utf8))?.split(separator: "\n") ?? [] {
      let fields = line.split(separator: " ")
      guard fields.count == 2, let began = Int(fields[0]) else { throw TestError("the sink wrote \(line)") }
      taken[String(fields[1]), default: []].append(began)
    }
    return taken
  }
}
