internal import Foundation
import Synchronization

/// A PostgreSQL server with PgBouncer (`Tests/Servers/postgresql.sh`), which stops when its standard input is closed.
public final class PostgreSQLServer: Sendable {
  /// Whether this machine has the server.
  public static let isAvailable = FileManager.default.isExecutableFile(
    atPath: "/usr/lib/postgresql/15/bin/postgres")

  private let directory: TemporaryDirectory
  private let input = Pipe()
  private let output = Pipe()
  /// The authority of the server's certificate.
  public let authority: TestAuthority
  /// The directory of the server's Unix socket.
  public let socket: String
  /// The directory of PgBouncer's Unix socket.
  public let pooled: String
  /// The port of both, on loopback too.
  public let port: Int

  // Tests share a server, which stops at the end of the test run.
  private static let running = Mutex<PostgreSQLServer?>(nil)

  /// Returns the shared server; the first call starts it.
  public static func shared() throws -> PostgreSQLServer {
    try running.withLock { running in
      if let running { return running }
      let server = try PostgreSQLServer()
      running = server
      return server
    }
  }

  /// Starts a server of its own, for a test that stops it. `isDurable` makes commits wait for the disk.
  public init(isDurable: Bool = false) throws {
    authority = try TestAuthority.shared.get()
    directory = try TemporaryDirectory()
    _ = try SpawnedProcess(
      "bash",
      [
        "\(BuiltProducts.root)/Tests/Servers/postgresql.sh", directory.path, authority.good, authority.key,
      ], environment: .current(with: isDurable ? ["DURABLE": "1"] : [:]), input: .pipe(input),
      output: .pipe(output))
    let text = try output.read(until: "READY")
    var values: [Substring: String] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "=", maxSplits: 1)
      if parts.count == 2 { values[parts[0]] = String(parts[1]) }
    }
    guard let socket = values["socket"], let port = values["port"].flatMap(Int.init) else {
      throw TestError("postgresql.sh printed \(text)")
    }
    self.socket = socket
    self.port = port
    pooled = values["pooled"] ?? ""
  }

  /// Parameters of libpq for a database, as the superuser over the Unix socket.
  public func parameters(_ database: String, pooled isPooled: Bool = false) -> [(
    keyword: String, value: String
  )] {
    [
      ("host", isPooled ? pooled : socket), ("port", String(port)), ("user", "postgres"),
      ("dbname", database),
    ]
  }

  // Databases that earlier tests have left empty, because creating one takes longer than emptying it.
  private let idle = Mutex<[String]>([])

  /// Runs `body` with a database that has nothing of Pabal.
  public func withDatabase<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let name: String
    if let used = idle.withLock({ $0.popLast() }) {
      name = used
    } else {
      name = "test\(UInt64.random(in: 0...UInt64.max))"
      try await runOnThread("CREATE DATABASE \(name)")
    }
    let value = try await body(name)
    // A test may have left connections or settings. After a failure, the database isn't used again.
    try await runOnThread(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)' AND pid <> pg_backend_pid(); "
        + "ALTER DATABASE \(name) RESET ALL")
    try await runOnThread("DROP SCHEMA IF EXISTS pabal CASCADE", in: name)
    idle.withLock { $0.append(name) }
    return value
  }

  // Tests share few threads, which a child process would keep.
  private func runOnThread(_ sql: String, in database: String = "postgres") async throws {
    _ = try await mapOnThreads([0]) { _ in Result { try self.run(sql, in: database) } }[0].get()
  }

  /// Runs SQL as the superuser. Returns the rows, one in a line, with `|` between columns.
  @discardableResult
  public func run(_ sql: String, in database: String = "postgres") throws -> String {
    let run = try ChildProcess.run(
      "psql",
      [
        "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", socket, "-p", String(port), "-U", "postgres",
        "-d", database, "-c", sql,
      ])
    guard run.status == 0 else { throw TestError("psql: \(run.errors)") }
    return run.output.trimmingCharacters(in: .newlines)
  }

  /// Restarts the server, after a crash if `isCrash` is set.
  public func restart(isCrash: Bool = true) throws {
    try order("restart \(isCrash ? "immediate" : "fast")", answer: "RESTARTED")
  }

  /// Stops the server.
  public func stop() throws { try order("stop", answer: "STOPPED") }

  /// Starts the server again.
  public func start() throws { try order("start", answer: "STARTED") }

  private func order(_ line: String, answer: String) throws {
    try input.fileHandleForWriting.write(contentsOf: Data("\(line)\n".utf8))
    _ = try output.read(until: answer)
  }
}
