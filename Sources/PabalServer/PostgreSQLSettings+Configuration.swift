import Glibc
package import PabalCore
package import PabalStorage

extension PostgreSQLSettings {
  /// The settings of a configuration. Fetches the password, which may block.
  init(_ configuration: PostgreSQLConfiguration) throws(Diagnostic) {
    self.init(
      try configuration.address(), connections: configuration.connections, listener: configuration.listener)
  }

  /// The settings of an address; those for the listening connection differ if `listener` isn't `nil`.
  package init(_ address: PostgreSQLAddress, connections: Int = 4, listener: PostgreSQLAddress.Host? = nil) {
    let names = address.hosts.map { host in
      host.port.map { "\(Self.bracketed(host.name)):\($0)" } ?? host.name
    }
    self.init(
      parameters: Self.parameters(address, address.hosts),
      listener: listener.map { Self.parameters(address, [$0]) }, connections: connections,
      place: "postgresql://\(names.joined(separator: ","))/\(address.database)")
  }

  private static func bracketed(_ name: String) -> String { name.contains(":") ? "[\(name)]" : name }

  /// The authorities that Debian's packages install; libpq 15 doesn't know `sslrootcert=system`.
  private static let systemAuthorities = "/etc/ssl/certs/ca-certificates.crt"

  private static func parameters(
    _ address: PostgreSQLAddress, _ hosts: [PostgreSQLAddress.Host]
  ) -> [(keyword: String, value: String)] {
    let isLocal = hosts.allSatisfy(\.isLocal)
    let security = address.security ?? (isLocal ? .prefer : .verifyFull)
    var parameters: [(keyword: String, value: String)] = [
      ("host", hosts.map(\.name).joined(separator: ",")),
      ("port", hosts.map { String($0.port ?? 5_432) }.joined(separator: ",")),
      ("dbname", address.database), ("sslmode", security.rawValue), ("gssencmode", "disable"),
      ("application_name", "pabal"), ("client_encoding", "UTF8"),
      // A lost server is noticed within half a minute, also by a connection that waits for its answer.
      ("connect_timeout", "5"), ("keepalives_idle", "10"), ("keepalives_interval", "5"),
      ("keepalives_count", "3"), ("tcp_user_timeout", "20000"),
    ]
    if let user = address.user { parameters.append(("user", user)) }
    if let password = address.password { parameters.append(("password", password)) }
    // After a failover the standby of before is the server that takes writes.
    if hosts.count > 1 { parameters.append(("target_session_attrs", "read-write")) }
    if security == .verifyCA || security == .verifyFull {
      parameters.append(("sslrootcert", address.authorities ?? systemAuthorities))
    } else if let authorities = address.authorities {
      parameters.append(("sslrootcert", authorities))
    }
    return parameters
  }
}
