import Foundation
import PabalTesting
import Testing

/// A proxy of a server that loses connections at their commits (`Tests/Servers/lost_commits.py`).
final class LossyProxy: Sendable {
  /// When a connection is lost.
  enum Loss: String, CaseIterable, CustomTestStringConvertible {
    /// Before the server gets the commit.
    case before
    /// After the server committed, before its answer.
    case after
    /// At once, while the commit arrives at the server half a second later.
    case slow

    var testDescription: String { rawValue }
  }

  /// The directory of its Unix socket.
  var socket: String { directory.path }
  private let directory: TemporaryDirectory
  private let input = Pipe()
  private let output = Pipe()

  init(_ server: PostgreSQLServer) throws {
    directory = try TemporaryDirectory()
    _ = try SpawnedProcess(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/lost_commits.py", directory.path, server.socket,
        String(server.port),
      ], input: .pipe(input), output: .pipe(output))
    _ = try output.read(until: "READY")
  }

  /// Loses the connection of the next commit.
  func loseNextCommit(_ loss: Loss) throws {
    try input.fileHandleForWriting.write(contentsOf: Data("\(loss.rawValue)\n".utf8))
    _ = try output.read(until: "ARMED")
  }

  /// Waits until a commit was lost.
  func waitForLoss() throws { _ = try output.read(until: "LOST") }
}
