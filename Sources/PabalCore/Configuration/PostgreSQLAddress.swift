internal import PabalFormats

/// The address of a PostgreSQL database, as a URI or an object in `storage.postgresql` describes it.
public struct PostgreSQLAddress: Sendable, Hashable {
  /// A server: a host name, an IP address, or the directory of a Unix socket.
  public struct Host: Sendable, Hashable {
    /// The name, the IP address, or the absolute path of the directory.
    public var name: String
    /// The port; `nil`: 5432.
    public var port: Int?

    /// Whether its traffic doesn't leave this machine.
    public var isLocal: Bool {
      name.hasPrefix("/") || name == "localhost" || (IPAddress(name)?.isLoopback ?? false)
    }

    /// Whether `name` is a host or an absolute path.
    static func isValid(_ name: String) -> Bool {
      if name.hasPrefix("/") { return name.utf8.count <= 100 && !name.contains(",") }
      return !name.isEmpty && name.utf8.count <= 253
        && name.utf8.allSatisfy { byte in
          (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || (0x30...0x3A).contains(byte)
            || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_")].contains(byte)
        }
    }
  }

  /// How a connection is secured, as libpq's `sslmode` names it.
  public enum Security: String, Sendable, Hashable, CaseIterable {
    /// Without TLS.
    case disable = "disable"
    /// With TLS if the server wants it.
    case allow = "allow"
    /// With TLS if the server offers it.
    case prefer = "prefer"
    /// With TLS, whatever the certificate.
    case require = "require"
    /// With a certificate of a trusted authority.
    case verifyCA = "verify-ca"
    /// With a certificate of a trusted authority for the host.
    case verifyFull = "verify-full"
  }

  /// The servers, in the order in which they are tried.
  public var hosts: [Host]
  /// The name of the database.
  public var database: String
  /// The role; `nil`: the name of this process's user.
  public var user: String?
  /// The password; `nil`: none, or that of a password file.
  public var password: String?
  /// How connections are secured; `nil`: `verify-full`, but `prefer` on this machine.
  public var security: Security?
  /// A PEM file of certificate authorities to trust instead of the system's.
  public var authorities: String?

  /// The address of a database on `hosts`.
  public init(hosts: [Host], database: String) {
    self.hosts = hosts
    self.database = database
  }

  /// Reads a URI such as `postgresql://pabal@db1.example.com,db2.example.com:5433/pabal?sslmode=verify-full`
  /// (https://www.postgresql.org/docs/15/libpq-connect.html#id-1.7.3.8.3.6). The errors contain no part of a password.
  public init(uri: String) throws(SettingError) {
    guard let scheme = ["postgresql://", "postgres://"].first(where: uri.hasPrefix) else {
      throw SettingError(
        message: "not the URI of a PostgreSQL database",
        remedy: "write it like \"postgresql://pabal@db.example.com/pabal\"")
    }
    var rest = uri.dropFirst(scheme.count)
    var parameters: Substring = ""
    if let mark = rest.firstIndex(of: "?") {
      parameters = rest[rest.index(after: mark)...]
      rest = rest[..<mark]
    }
    var path: Substring = ""
    if let slash = rest.firstIndex(of: "/") {
      path = rest[rest.index(after: slash)...]
      rest = rest[..<slash]
    }
    self.init(hosts: [], database: try Self.decoded(path, "the name of the database"))
    if let at = rest.lastIndex(of: "@") {
      let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      let user = try Self.decoded(parts[0], "the user")
      self.user = user.isEmpty ? nil : user
      if parts.count == 2 { password = try Self.decoded(parts[1], "the password") }
      rest = rest[rest.index(after: at)...]
    }
    if !rest.isEmpty {
      for text in rest.split(separator: ",", omittingEmptySubsequences: false) {
        hosts.append(try Host(text: Self.decoded(text, "the host")))
      }
    }
    for parameter in parameters.split(separator: "&") {
      let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else {
        throw SettingError(
          message: "a parameter of the URI has no value", remedy: "write it like \"sslmode=require\"")
      }
      try set(String(parts[0]), try Self.decoded(parts[1], "the parameter \(printable(String(parts[0])))"))
    }
    if database.isEmpty {
      throw SettingError(
        message: "the URI has no database", remedy: "write its name after the host, for example \"/pabal\"")
    }
    if hosts.isEmpty { hosts = [Host(name: "/var/run/postgresql", port: nil)] }
  }

  private mutating func set(_ parameter: String, _ value: String) throws(SettingError) {
    switch parameter {
    case "host":
      hosts = try value.split(separator: ",").map { name throws(SettingError) in try Host(text: String(name))
      }
    case "port":
      guard let port = Int(value), (1...65_535).contains(port) else {
        throw SettingError(message: "the port of the URI is invalid", remedy: "use 1 to 65535")
      }
      for index in hosts.indices { hosts[index].port = port }
    case "dbname": database = value
    case "user": user = value
    case "password": password = value
    case "sslmode":
      guard let mode = Security(rawValue: value) else {
        throw SettingError(
          message: "sslmode \(quoted(value)) is not a valid choice",
          remedy: PabalCore.remedy(forUnknown: value, among: Security.allCases.map(\.rawValue)))
      }
      security = mode
    case "sslrootcert":
      guard value.hasPrefix("/") else {
        throw SettingError(
          message: "sslrootcert is not an absolute path",
          remedy: "write the whole path; without it, the authorities of the system are trusted")
      }
      authorities = value
    // Pabal sets these itself, so that a node notices a lost server and goes to the one that takes writes.
    case "target_session_attrs", "connect_timeout", "application_name", "keepalives", "keepalives_idle",
      "keepalives_interval", "keepalives_count", "tcp_user_timeout", "client_encoding":
      break
    case "options":
      throw SettingError(
        message: "the URI has \"options\", which connection poolers refuse",
        remedy: "set them for the role instead: ALTER ROLE … SET …")
    default:
      throw SettingError(
        message: "unknown parameter \(quoted(printable(parameter))) in the URI",
        remedy: PabalCore.remedy(
          forUnknown: parameter,
          among: ["host", "port", "dbname", "user", "password", "sslmode", "sslrootcert"]))
    }
  }

  private static func decoded(_ text: Substring, _ what: String) throws(SettingError) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = String(decoding: rest.prefix(2), as: UTF8.self)
      guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16), value != 0 else {
        throw SettingError(message: "\(what) of the URI has a % without two digits", remedy: "write % as %25")
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw SettingError(message: "\(what) of the URI isn't UTF-8", remedy: "encode it as UTF-8")
    }
    return text
  }
}

extension PostgreSQLAddress.Host {
  /// Reads a host with an optional port, such as `db.example.com:5433` or `[::1]`.
  init(text: String) throws(SettingError) {
    var name = text
    var port: Int?
    func number(_ digits: Substring) throws(SettingError) -> Int {
      guard let number = Int(digits), (1...65_535).contains(number) else {
        throw SettingError(message: "the port of \(quoted(text)) is invalid", remedy: "use 1 to 65535")
      }
      return number
    }
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      name = String(text[text.index(after: text.startIndex)..<end])
      let rest = text[text.index(after: end)...]
      if rest.hasPrefix(":") { port = try number(rest.dropFirst()) }
    } else if let colon = text.lastIndex(of: ":"),
      text.hasPrefix("/")
        ? text[colon...].dropFirst().allSatisfy(\.isNumber) : text.count(where: { $0 == ":" }) == 1
    {
      name = String(text[..<colon])
      port = try number(text[text.index(after: colon)...])
    }
    guard Self.isValid(name) else {
      throw SettingError(
        message: "\(quoted(printable(text))) is not a host",
        remedy: "write it like \"db.example.com\", \"db.example.com:5433\" or \"/var/run/postgresql\"")
    }
    self.init(name: name, port: port)
  }
}
