import Foundation
import PabalTesting
import Testing

/// Three nodes on one PostgreSQL database, under load, while they or the server are killed; see `Tests/Servers/nodes.py`.
@Suite(.enabled("needs PostgreSQL") { PostgreSQLServer.isAvailable })
struct NodesTests {
  /// The steps: a short form, or the one for `./dev soak` if `PABAL_KILLS` is set.
  private static let steps =
    ProcessInfo.processInfo.environment["PABAL_KILLS"].flatMap(Int.init).map {
      ["kill=\($0)", "restart=\($0 / 10)", "terminate=30", "idle=60", "clock=30"]
    } ?? ["kill=4", "restart=1", "terminate=2", "idle=2", "clock=2"]

  @Test func `no acknowledged mail is lost, and none is sent twice but by an attempt that was cut off`()
    async throws
  {
    let directory = try TemporaryDirectory()
    let authority = try TestAuthority.shared.get()
    let arguments =
      [
        "\(BuiltProducts.root)/Tests/Servers/nodes.py", "\(BuiltProducts.directory)/pabal", directory.path,
        "\(BuiltProducts.root)/Tests/Servers/postgresql.sh", authority.good, authority.key,
        "\(BuiltProducts.directory)/libfixture-clock.so",
      ] + Self.steps
    let run = try await mapOnThreads([0]) { _ in
      Result { try ChildProcess.run("python3", arguments) }
    }[0].get()
    try #require(run.status == 0, "\(run.errors)")
    print("nodes: \(run.output)")
    let result = try run.json
    let acknowledged = try #require(result["acknowledged"] as? Int)
    #expect(acknowledged >= 100, "too little load")
    for key in ["lost", "unfinished", "queued twice", "unexpected"] {
      #expect(result[key] as? [String] == [], "\(key): \(run.output)")
    }
    let twice = try #require(result["sent twice"] as? Int)
    let permitted = try #require(result["may be sent twice"] as? Int)
    #expect(twice <= permitted)
  }
}
