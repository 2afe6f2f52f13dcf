internal import PabalFormats

/// `storage.postgresql`: the PostgreSQL database that several nodes share.
public struct PostgreSQLConfiguration: Sendable {
  private enum Source: Sendable {
    /// A URI, which may be a secret.
    case uri(ConfiguredValue)
    /// An address without its password.
    case object(PostgreSQLAddress, password: ConfiguredValue?)
  }

  private let source: Source
  /// The number of connections.
  public private(set) var connections = 4
  /// A server for the connection that waits for notifications, if the others go through a pooler.
  public private(set) var listener: PostgreSQLAddress.Host?

  /// Returns the address, with its password. Fetches secrets, which may block.
  public func address() throws(Diagnostic) -> PostgreSQLAddress {
    switch source {
    case .uri(let uri):
      let text = try uri.fetch()
      do throws(SettingError) {
        return try PostgreSQLAddress(uri: text)
      } catch {
        throw uri.location.diagnostic(error.message, remedy: error.remedy)
      }
    case .object(var address, let password):
      if let password { address.password = try password.fetch() }
      return address
    }
  }

  /// Whether `other` is the same database with the same connections.
  func isSame(as other: PostgreSQLConfiguration) -> Bool {
    guard connections == other.connections, listener == other.listener else { return false }
    switch (source, other.source) {
    case (.uri(let uri), .uri(let otherURI)): return uri.hasSameSource(as: otherURI)
    case (.object(let address, let password), .object(let otherAddress, let otherPassword)):
      guard address == otherAddress, (password == nil) == (otherPassword == nil) else { return false }
      guard let password, let otherPassword else { return true }
      return password.hasSameSource(as: otherPassword)
    default: return false
    }
  }

  static func read(_ value: FieldDecoder) -> PostgreSQLConfiguration? {
    guard case .object(let members) = value.node.content,
      !members.contains(where: { ["env", "file", "command"].contains($0.key) })
    else { return read(uri: value) }
    return value.object { object in
      let hosts = object.required("hosts", remedy: "name the servers, for example [\"db.example.com\"]")
        .flatMap(hosts)
      let database = object.required("database", remedy: "name the database, for example \"pabal\"")?
        .nonEmptyText()
      let user = object.optional("user").map { $0.nonEmptyText() }
      let password = object.optional("password").map { $0.configuredSecret() }
      let security = object.optional("sslmode").map { $0.choice(PostgreSQLAddress.Security.self) }
      let authorities = object.optional("ca_file").map { $0.filePath() }
      let connections = object.optional("connections").map { $0.integer(in: 2...64) } ?? 4
      let listener = object.optional("listener").map(host)
      guard let hosts, let database, let connections else { return nil }
      var address = PostgreSQLAddress(hosts: hosts, database: database)
      address.user = user ?? nil
      address.security = security ?? nil
      address.authorities = authorities ?? nil
      var configuration = PostgreSQLConfiguration(source: .object(address, password: password ?? nil))
      configuration.connections = connections
      configuration.listener = listener ?? nil
      return configuration
    }
  }

  private init(source: Source) { self.source = source }

  private static func read(uri value: FieldDecoder) -> PostgreSQLConfiguration? {
    guard let uri = value.configuredValue() else { return nil }
    if let text = uri.literal {
      do throws(SettingError) {
        if try PostgreSQLAddress(uri: text).password != nil { value.reportPlaintextSecret() }
      } catch {
        value.report(error.message, remedy: error.remedy)
        return nil
      }
    }
    return PostgreSQLConfiguration(source: .uri(uri))
  }

  private static func hosts(_ value: FieldDecoder) -> [PostgreSQLAddress.Host]? {
    guard let elements = value.elements() else { return nil }
    guard !elements.isEmpty else {
      value.report("no host", remedy: "name a server, for example [\"db.example.com\"]")
      return nil
    }
    let hosts = elements.map(host)
    let valid = hosts.compactMap(\.self)
    return valid.count == hosts.count ? valid : nil
  }

  private static func host(_ value: FieldDecoder) -> PostgreSQLAddress.Host? {
    guard let text = value.nonEmptyText() else { return nil }
    do throws(SettingError) {
      return try PostgreSQLAddress.Host(text: text)
    } catch {
      value.report(error.message, remedy: error.remedy)
      return nil
    }
  }
}
