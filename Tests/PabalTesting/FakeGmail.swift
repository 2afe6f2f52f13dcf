public import Foundation
import Synchronization

/// What came over a port of the fake Gmail.
public struct Report: Decodable, Sendable {
  /// A mail that was taken.
  public struct Mail: Decodable, Sendable {
    /// As it came; nil above a million octets.
    public let octets: Data?
    /// As its recipients see it, without Bcc.
    public let delivered: Data?
    /// In octets.
    public let size: Int
    /// Whom its header names.
    public let recipients: [String]
    /// Of the To header.
    public let to: [String]
    /// Of the Cc header.
    public let cc: [String]
    /// Of the Bcc header.
    public let bcc: [String]
  }

  /// Connections that were made.
  public let connections: Int
  /// Requests of which at least one octet came.
  public let begun: Int
  /// POSTs that came to their last octet.
  public let whole: Int
  /// The mails, in their order.
  public let taken: [Mail]
  /// The token of each request; nil where there was none.
  public let tokens: [String?]
  /// What no well-behaved client does.
  public let strange: [String]
  /// The most requests at once.
  public let mostUnderway: Int
}

/// One Python process that plays every script, each on a port of its own.
public final class FakeGmail: Sendable {
  /// Started by whoever asks first.
  public static let shared = Result { try FakeGmail() }

  private struct Pipes {
    let requests: FileHandle
    let answers: FileHandle
  }

  private let pipes: Mutex<Pipes>
  /// Whose certificate it shows.
  public let authority: TestAuthority

  private init() throws {
    authority = try TestAuthority.shared.get()
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "python3", "\(BuiltProducts.root)/Tests/Servers/gmail.py", authority.good, authority.key,
    ]
    let (requests, answers) = (Pipe(), Pipe())
    process.standardInput = requests
    process.standardOutput = answers
    try process.run()
    pipes = Mutex(Pipes(requests: requests.fileHandleForWriting, answers: answers.fileHandleForReading))
  }

  /// Asks one question of `Tests/Servers/gmail.py`.
  public func ask<Request: Encodable, Answer: Decodable>(_ request: Request, as: Answer.Type) throws -> Answer
  {
    let line = try JSONEncoder().encode(request) + Data("\n".utf8)
    let answer = try pipes.withLock { pipes in
      try pipes.requests.write(contentsOf: line)
      var answer = Data()
      while answer.last != 10 {
        let more = pipes.answers.availableData
        if more.isEmpty { throw TestFailure("the fake Gmail has gone") }
        answer += more
      }
      return answer
    }
    return try JSONDecoder().decode(Answer.self, from: answer)
  }
}
