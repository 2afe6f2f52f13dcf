import Foundation
import PabalCore
import PabalStorage
import PabalTesting

/// An empty database on the test server.
func withPostgreSQL<Value>(_ body: (PostgreSQLSettings) async throws -> Value) async throws -> Value {
  let name = "t\(UInt64.random(in: 0...UInt64.max))"
  _ = try ChildProcess.run("psql", ["-h", "/tmp/pgt", "-U", "postgres", "-qc", "CREATE DATABASE \(name)"])
  defer { _ = try? ChildProcess.run("psql", ["-h", "/tmp/pgt", "-U", "postgres", "-qc", "DROP DATABASE \(name) WITH (FORCE)"]) }
  return try await body(
    PostgreSQLSettings(
      parameters: [("host", "/tmp/pgt"), ("user", "postgres"), ("dbname", name)], place: "postgresql://test"))
}
