public import Foundation
import Synchronization

/// One Python process of `Tests/Servers` that plays every script, each on a port of its own.
///
/// It answers lines of JSON: `{"listen": SCRIPT}` with `{"port": N}`, and what its own file says.
public final class ScriptedServer: Sendable {
  private struct Pipes {
    let requests: FileHandle
    let answers: FileHandle
  }

  private struct Listening: Decodable { let port: Int }

  private let name: String
  private let pipes: Mutex<Pipes>
  /// Whose certificate it shows.
  public let authority: TestAuthority

  /// Starts the file `name`.
  public init(_ name: String) throws {
    self.name = name
    authority = try TestAuthority.shared.get()
    let (requests, answers) = (Pipe(), Pipe())
    _ = try SpawnedProcess(
      "python3", ["\(BuiltProducts.root)/Tests/Servers/\(name)", authority.good, authority.key],
      input: .pipe(requests), output: .pipe(answers))
    pipes = Mutex(Pipes(requests: requests.fileHandleForWriting, answers: answers.fileHandleForReading))
  }

  /// Opens a port that plays `script`.
  public func listen<Script: Encodable>(_ script: Script) throws -> Int {
    try ask(["listen": script], as: Listening.self).port
  }

  /// Asks one question; blocks until it is answered.
  public func ask<Request: Encodable, Answer: Decodable>(_ request: Request, as: Answer.Type) throws -> Answer
  {
    let line = try JSONEncoder().encode(request) + Data("\n".utf8)
    let answer = try pipes.withLock { pipes in
      try pipes.requests.write(contentsOf: line)
      var answer = Data()
      while answer.last != 10 {
        let more = pipes.answers.availableData
        if more.isEmpty { throw TestError("\(name) has gone") }
        answer += more
      }
      return answer
    }
    return try JSONDecoder().decode(Answer.self, from: answer)
  }
}

/// What came over a port of the fake Gmail.
public struct GmailReport: Decodable, Sendable {
  /// A mail that was taken.
  public struct Mail: Decodable, Sendable {
    /// As it came; nil above a million bytes.
    public let bytes: Data?
    /// As its recipients see it, without Bcc.
    public let delivered: Data?
    /// In bytes.
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
  /// Requests of which at least one byte came.
  public let begun: Int
  /// POSTs that came to their last byte.
  public let whole: Int
  /// The bytes of each POST that came to its last, head and body.
  public let lengths: [Int]
  /// The mails, in their order.
  public let taken: [Mail]
  /// The token of each request; nil where there was none.
  public let tokens: [String?]
  /// What no well-behaved client does.
  public let strange: [String]
  /// The most requests at once.
  public let mostUnderway: Int
}

/// `Tests/Servers/gmail.py`.
public enum FakeGmail {
  /// Started by whoever asks first.
  public static let shared = Result { try ScriptedServer("gmail.py") }
}
