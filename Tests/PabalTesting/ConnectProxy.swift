import Foundation

/// A real HTTP proxy (Tests/Servers/proxy.py), which runs until it is deinitialized.
public final class ConnectProxy: Sendable {
  /// A request to the proxy.
  public struct Request: Decodable, Sendable {
    /// Its first line: `CONNECT host:port HTTP/1.1`.
    public let request: String
    /// Its header fields, with names in lower case.
    public let fields: [String: String]
  }

  private struct Options: Encodable {
    let to: Int
    let login: String?
    let status: Int?
  }

  /// Its port on 127.0.0.1.
  public let port: Int
  private let input = Pipe()
  private let directory: TemporaryDirectory

  /// Starts a proxy whose tunnels all lead to the port `server` of 127.0.0.1.
  ///
  /// `login` is the only `user:password` it accepts; `status` is its answer to every request.
  public init(to server: Int, login: String? = nil, status: Int? = nil) throws {
    directory = try TemporaryDirectory()
    let output = Pipe()
    let options = try JSONEncoder().encode(Options(to: server, login: login, status: status))
    _ = try SpawnedProcess(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/proxy.py", "\(directory.path)/log",
        String(decoding: options, as: UTF8.self),
      ], input: .pipe(input), output: .pipe(output))
    guard let port = Int(output.firstLine()) else { throw TestError("proxy.py did not start") }
    self.port = port
  }

  deinit { try? input.fileHandleForWriting.close() }

  /// Returns the requests so far.
  public func requests() throws -> [Request] {
    guard let log = try? Data(contentsOf: URL(filePath: "\(directory.path)/log")) else { return [] }
    return try log.split(separator: 10).map { try JSONDecoder().decode(Request.self, from: Data($0)) }
  }
}
