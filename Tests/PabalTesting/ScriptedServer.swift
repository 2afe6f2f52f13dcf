import Foundation
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
