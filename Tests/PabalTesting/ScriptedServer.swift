import Foundation
import Synchronization

/// A Python process of `Tests/Servers` that plays scripts, each on its own port.
///
/// It answers lines of JSON: `{"listen": SCRIPT}` with `{"port": N}`, and others as its file documents.
public final class ScriptedServer: Sendable {
  private struct Pipes {
    let requests: FileHandle
    let answers: FileHandle
  }

  private struct Listening: Decodable { let port: Int }

  private let name: String
  private let pipes: Mutex<Pipes>
  /// The authority of the server's certificate.
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

  /// Sends a request and returns the answer; blocks.
  public func ask<Request: Encodable, Answer: Decodable>(_ request: Request, as: Answer.Type) throws -> Answer
  {
    let line = try JSONEncoder().encode(request) + Data("\n".utf8)
    let answer = try pipes.withLock { pipes in
      try pipes.requests.write(contentsOf: line)
      var answer = Data()
      while answer.last != 10 {
        let more = pipes.answers.availableData
        if more.isEmpty { throw TestError("\(name) has exited") }
        answer += more
      }
      return answer
    }
    return try JSONDecoder().decode(Answer.self, from: answer)
  }
}

/// The fake Gmail (`Tests/Servers/gmail.py`).
public enum FakeGmail {
  /// The shared server; the first access starts it.
  public static let shared = Result { try ScriptedServer("gmail.py") }
}

/// The fake Microsoft Graph (`Tests/Servers/graph.py`).
public enum FakeGraph {
  /// The shared server; the first access starts it.
  public static let shared = Result { try ScriptedServer("graph.py") }
}
