import PabalStorage
import PabalTesting

/// Runs `body` with the settings of an empty database, which is emptied afterwards.
func withPostgreSQL<Value>(
  _ server: PostgreSQLServer? = nil, pooled: Bool = false,
  _ body: (PostgreSQLSettings) async throws -> Value
) async throws -> Value {
  let server = if let server { server } else { try PostgreSQLServer.shared() }
  return try await server.withDatabase { name in
    try await body(
      PostgreSQLSettings(
        parameters: server.parameters(name, pooled: pooled), place: "postgresql://\(server.port)/\(name)"))
  }
}

extension PostgreSQLSettings {
  /// The name of the database.
  var database: String { parameters.first { $0.keyword == "dbname" }?.value ?? "" }
}
