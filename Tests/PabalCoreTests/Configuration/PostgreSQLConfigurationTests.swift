import Foundation
import PabalTesting
import Testing

@testable import PabalCore

/// `storage.postgresql` of the configuration.
@Suite struct PostgreSQLConfigurationTests {
  private func read(_ storage: String) throws(Diagnostics) -> Configuration {
    let text = """
      {"transport": "a", "transports": {"a": {"plugin": "a"}}, "from": "a@example.com", "storage": {\(storage)}}
      """
    return try Configuration.read(Array(text.utf8), file: "config.json", directory: "/etc/pabal")
  }

  private func address(_ postgresql: String) throws -> PostgreSQLAddress {
    try #require(try read("\"postgresql\": \(postgresql)").storage.postgresql).address()
  }

  private func errors(_ storage: String) -> [String] {
    do throws(Diagnostics) {
      _ = try read(storage)
      return []
    } catch {
      return error.all.map { "\($0.path ?? ""): \($0.message); \($0.remedy ?? "")" }
    }
  }

  @Test func `a URI and an object describe the same database`() throws {
    let uri = try address(
      #""postgresql://kim%40x:p%3Aw%2F@db1.example.com,[::1]:5433,%2Frun%2Fpg/pabal%20x?sslmode=require&sslrootcert=/ca.pem""#
    )
    #expect(uri.hosts.map(\.name) == ["db1.example.com", "::1", "/run/pg"])
    #expect(uri.hosts.map(\.port) == [nil, 5_433, nil])
    #expect(uri.hosts.map(\.isLocal) == [false, true, true])
    #expect(uri.user == "kim@x" && uri.password == "p:w/" && uri.database == "pabal x")
    #expect(uri.security == .require && uri.authorities == "/ca.pem")
    let object = try address(
      #"""
      {"hosts": ["db1.example.com", "[::1]:5433", "/run/pg"], "database": "pabal x", "user": "kim@x",
       "password": "p:w/", "sslmode": "require", "ca_file": "/ca.pem", "connections": 8, "listener": "db:6432"}
      """#)
    #expect(object == uri)
  }

  @Test func `what a URI leaves out has the defaults of libpq`() throws {
    let address = try address(#""postgres:///pabal?application_name=x&connect_timeout=9""#)
    #expect(address.hosts.map(\.name) == ["/var/run/postgresql"])
    #expect(address.user == nil && address.password == nil && address.security == nil)
    #expect(try self.address(#""postgresql://%2Frun%2Fa:6000/x""#).hosts.map(\.name) == ["/run/a"])
    #expect(try self.address(#""postgresql://%2Frun%2Fa:6000/x""#).hosts.map(\.port) == [6_000])
    #expect(try self.address(#""postgresql:///x?host=/tmp&port=6000""#).hosts.map(\.port) == [6_000])
  }

  @Test func `a URI may be a secret, whose mistakes are found when it is fetched`() throws {
    let folder = try TemporaryDirectory()
    let file = try folder.write("postgresql://kim:horse@db.example.com/pabal\n", to: "uri")
    #expect(chmod(file, 0o600) == 0)
    #expect(try address(#"{"file": "\#(file)"}"#).password == "horse")
    let broken = try folder.write("postgresql://kim:ho%rse@db.example.com/pabal\n", to: "broken")
    #expect(chmod(broken, 0o600) == 0)
    do {
      _ = try address(#"{"file": "\#(broken)"}"#)
      Issue.record("it was accepted")
    } catch {
      #expect("\(error)".contains("% without two digits") && !"\(error)".contains("ho%"))
    }
  }

  @Test func `only a password in the file is reported as a secret in plain text`() throws {
    func warnings(_ postgresql: String) throws -> Int {
      let folder = try TemporaryDirectory()
      let path = try folder.write(
        """
        {"transport": "a", "transports": {"a": {"plugin": "a"}}, "from": "a@example.com",
        "storage": {"postgresql": \(postgresql)}}
        """, to: "config.json")
      return try Configuration.read(path).warnings.count { "\($0)".contains("plain text") }
    }
    #expect(try warnings(#""postgresql://kim@db/pabal""#) == 0)
    #expect(try warnings(#""postgresql://kim:horse@db/pabal""#) == 1)
    #expect(try warnings(#"{"hosts": ["db"], "database": "x", "password": "horse"}"#) == 1)
    #expect(try warnings(#"{"hosts": ["db"], "database": "x", "password": {"env": "P"}}"#) == 0)
  }

  @Test(arguments: [
    (#""postgresql": "mysql://db/x""#, "not the URI"), (#""postgresql": "postgresql://db""#, "no database"),
    (#""postgresql": "postgresql://db:0/x""#, "the port"),
    (#""postgresql": "postgresql://d b/x""#, "not a host"),
    (#""postgresql": "postgresql://db/x?sslmode=full""#, "not a valid choice"),
    (#""postgresql": "postgresql://db/x?options=-c%20a""#, "poolers refuse"),
    (#""postgresql": "postgresql://db/x?pool=1""#, "unknown parameter 'pool'"),
    (#""postgresql": "postgresql://db/x?sslrootcert=system""#, "absolute path"),
    (#""postgresql": "postgresql://a:%zz@db/x""#, "% without two digits"),
    (#""postgresql": "postgresql://db/%ff""#, "isn't UTF-8"), (#""postgresql": 5"#, "expected a string"),
    (#""postgresql": "postgresql://db/x", "path": "a""#, "a path or a PostgreSQL database"),
    (#""postgresql": {"hosts": ["db"]}"#, "missing key 'database'"),
    (#""postgresql": {"database": "x"}"#, "missing key 'hosts'"),
    (#""postgresql": {"hosts": [], "database": "x"}"#, "no host"),
    (#""postgresql": {"hosts": ["db:x"], "database": "x"}"#, "the port"),
    (#""postgresql": {"hosts": ["db"], "database": "x", "connections": 1}"#, "2 to 64"),
    (#""postgresql": {"hosts": ["db"], "database": "x", "sslmode": "on"}"#, "not a valid choice"),
    (
      #""postgresql": {"hosts": ["db"], "database": "x", "host": "db"}"#,
      "storage.postgresql.host: unknown key"
    ),
    (#""postgres": "postgresql://db/x""#, "storage.postgres: unknown key"),
  ])
  func `a mistake is one error that names it`(_ storage: String, _ message: String) {
    let errors = errors(storage)
    #expect(errors.count == 1)
    #expect(errors.first?.contains(message) == true, "\(errors)")
  }

  @Test func `a change of the storage is noticed`() throws {
    let storages = [
      #""path": "a""#, #""path": "b""#, #""postgresql": "postgresql://db/x""#,
      #""postgresql": "postgresql://db/y""#, #""postgresql": {"hosts": ["db"], "database": "x"}"#,
      #""postgresql": {"hosts": ["db"], "database": "x", "password": {"env": "P"}}"#,
      #""postgresql": {"hosts": ["db"], "database": "x", "connections": 9}"#,
    ]
    for (number, one) in storages.enumerated() {
      for (otherNumber, other) in storages.enumerated() {
        #expect(try read(one).storage.isSame(as: read(other).storage) == (number == otherNumber))
      }
    }
  }
}
