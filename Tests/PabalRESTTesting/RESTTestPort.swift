import PabalFormats
package import PabalREST
package import PabalTesting

/// A port of a fake mail API that plays one script.
package struct RESTTestPort: Sendable {
  package let fake: ScriptedServer
  package let port: Int
  package let isPlain: Bool

  /// A port that is open already.
  package init(fake: ScriptedServer, port: Int, isPlain: Bool) {
    self.fake = fake
    self.port = port
    self.isPlain = isPlain
  }

  /// Opens a port of `fake` that plays `script`.
  package init<Script: Encodable>(_ fake: ScriptedServer, _ script: Script, isPlain: Bool) throws {
    self.init(fake: fake, port: try fake.listen(script), isPlain: isPlain)
  }

  package var endpoint: String { "\(isPlain ? "http" : "https")://localhost:\(port)" }

  /// Returns what the port has received.
  package func report() throws -> RESTServerReport {
    try fake.ask(["report": port], as: RESTServerReport.self)
  }

  /// Closes the idle connections.
  package func hangUp() throws {
    struct Nothing: Decodable {}
    _ = try fake.ask(["hangUp": port], as: Nothing.self)
  }

  /// Returns the port as the server of a client; the timeouts are in milliseconds.
  package func server(timeout: Int, finalTimeout: Int? = nil) throws -> RESTServer {
    var server = RESTServer(try HTTPEndpoint(endpoint, query: .refused))
    server.certificateFile = fake.authority.authority
    server.timeout = timeout
    server.finalTimeout = finalTimeout ?? timeout
    return server
  }

  /// Returns the plugin's settings, as in `config.json`.
  package func settings(account: String) -> [String: String] {
    ["account": account, "endpoint": endpoint, "ca_file": fake.authority.authority]
  }
}
