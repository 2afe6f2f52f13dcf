internal import PabalFormats

/// An element of `serve.submission`: where programs hand over mail by SMTP, and who may.
public struct SubmissionConfiguration: Sendable {
  /// How connections are secured.
  public enum Security: String, Sendable, Hashable, CaseIterable {
    /// Each connection begins with TLS (RFC 8314), usually on port 465.
    case tls = "tls"
    /// The client begins TLS with STARTTLS (RFC 3207), usually on port 587.
    case startTLS = "starttls"
    /// Connections aren't encrypted; only on loopback addresses.
    case none = "none"
  }

  /// A user with a password.
  public struct User: Sendable, Hashable {
    /// The name, for AUTH, the log and the outbox.
    public let name: String
    /// The hash of the password.
    public let password: PasswordHash
    /// What the user may send.
    public let rules: SenderRules

    /// A user, by default one that may send anything.
    init(name: String, password: PasswordHash, rules: SenderRules = SenderRules()) {
      self.name = name
      self.password = password
      self.rules = rules
    }
  }

  /// `listen`: the addresses; may be empty if there is a socket.
  public let listen: [ListenAddress]
  /// `socket`: the absolute path of a Unix socket for the programs of this machine.
  public let socket: String?
  /// `drop`: the absolute path of the drop directory of `pabal sendmail`; by default, where there is a socket,
  /// `/var/spool/pabal/drop`.
  public let drop: String?
  /// `security`.
  public let security: Security
  /// `certificate`: the absolute path of the chain of certificates (PEM).
  public let certificate: String?
  /// `key`: the absolute path of the certificate's private key (PEM).
  public let key: String?
  /// `client_ca`: the absolute path of the authority whose client certificates are accepted (PEM).
  public let clientCA: String?
  /// `certificates`: the SHA-256 fingerprints of client certificates, by the names of their holders.
  public var certificates: [(name: String, fingerprint: [UInt8])] { certificateRules.compactMap(\.listed) }
  /// `certificates`: the holders and their rules.
  let certificateRules: [SubmissionCertificate]
  /// `networks`: the networks whose clients may send without logging in.
  package var networks: [IPNetwork] { networkRules.map(\.network) }
  /// `networks` with their rules.
  let networkRules: [SubmissionNetwork]
  /// `local`: the rules of this machine's users by their names; `default` is for all others.
  let localRules: [String: SenderRules]
  /// `users`.
  public let users: [User]
  /// `host`: the service's name in SMTP; by default that of `/etc/mailname` or of the machine.
  public let host: String?
  /// `limits`.
  public let limits: SubmissionLimits
  /// The location of the object.
  public let location: SettingLocation

  /// Whether a client other than a process of this machine can prove that it may send.
  public var acceptsClients: Bool {
    !networks.isEmpty || acceptsCertificates || (!users.isEmpty && (security != .none || socket != nil))
  }
  /// Whether clients are asked for a certificate.
  public var acceptsCertificates: Bool { clientCA != nil || !certificateRules.isEmpty }

  /// Whether clients at this address may send without logging in.
  package func isListed(_ address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }

  /// Returns the rules of a submitter; those of a client that isn't configured allow everything.
  package func rules(for submitter: Submitter) -> SenderRules {
    switch submitter {
    case .user(let name): users.first { $0.name == name }?.rules ?? SenderRules()
    case .certificate(let name):
      (certificateRules.first { $0.name == name } ?? certificateRules.first { $0.name == "default" })?.rules
        ?? SenderRules()
    case .network(let address): IPAddress(address).flatMap(networkRules) ?? SenderRules()
    case .local(let name): localRules[name] ?? localRules["default"] ?? SenderRules()
    }
  }

  /// Returns the rules of the smallest network that contains the address, because it is the most specific.
  private func networkRules(_ address: IPAddress) -> SenderRules? {
    networkRules.filter { $0.network.contains(address) }.max { $0.network.bits < $1.network.bits }?.rules
  }

  /// The routes of its submitters.
  var routes: [ConfiguredRoute] {
    let rules =
      users.map(\.rules) + certificateRules.map(\.rules) + networkRules.map(\.rules)
      + localRules.sorted { $0.key < $1.key }.map(\.value)
    return rules.compactMap(\.route)
  }

  /// Warnings about valid but inadvisable values.
  var warnings: [Diagnostic] {
    var warnings: [Diagnostic] = []
    if !listen.isEmpty, networks.isEmpty, !acceptsCertificates, users.isEmpty || security == .none {
      warnings.append(
        location.diagnostic(
          security == .none && !users.isEmpty
            ? "without TLS no password is accepted on \(listen[0]), and no network is listed, so it accepts no mail"
            : "no users, client certificates or networks, so \(listen[0]) accepts no mail",
          remedy: "add a user with `pabal keys user NAME`, or list the clients in \"networks\""))
    }
    for index in warnings.indices { warnings[index].severity = .warning }
    return warnings
  }

  /// `serve.submission`: one object, or a list of them.
  static func readAll(_ value: FieldDecoder) -> [SubmissionConfiguration]? {
    var fields = [value]
    if case .array = value.node.content { fields = value.elements() ?? [] }
    let all = fields.compactMap(read)
    guard all.count == fields.count else { return nil }
    var seen: Set<String> = []
    var routes: [String: [String]] = [:]
    for configuration in all {
      // Waiting mail finds its transports by the key.
      for route in configuration.routes {
        if routes[route.key, default: route.transports] != route.transports {
          value.collector.report(
            "\(route.key) has two routes", remedy: "use the same route wherever it is listed",
            at: configuration.location.position ?? value.node.position, path: configuration.location.path)
        }
        routes[route.key] = route.transports
      }
      for name in configuration.listen.map(\.description) + [configuration.socket].compactMap(\.self)
      where !seen.insert(name).inserted {
        value.collector.report(
          "\(name) is used twice", remedy: "use it in one listener only",
          at: configuration.location.position ?? value.node.position, path: configuration.location.path)
      }
    }
    return all
  }

  private static func read(_ value: FieldDecoder) -> SubmissionConfiguration? {
    value.object { SubmissionConfiguration($0) }
  }

  private init?(_ object: ObjectDecoder) {
    location = object.value.location
    let listenField = object.optional("listen")
    listen = listenField.map(SubmissionConfiguration.addresses) ?? []
    socket = object.optional("socket").flatMap(SubmissionConfiguration.socketPath)
    drop =
      if let field = object.optional("drop") {
        field.filePath()
      } else {
        object.optional("socket") == nil ? nil : "/var/spool/pabal/drop"
      }
    security = object.optional("security")?.choice(Security.self) ?? .startTLS
    let certificateField = object.optional("certificate")
    let keyField = object.optional("key")
    certificate = certificateField?.filePath()
    key = keyField.flatMap(SubmissionConfiguration.keyPath)
    let clientCAField = object.optional("client_ca")
    clientCA = clientCAField?.filePath()
    let certificatesField = object.optional("certificates")
    certificateRules =
      certificatesField?.namedMembers()?.compactMap {
        SubmissionCertificate.read($0.name, $0.value, hasAuthority: clientCAField != nil)
      } ?? []
    networkRules = object.optional("networks")?.elements()?.compactMap(SubmissionNetwork.read) ?? []
    localRules = object.optional("local").map(SubmissionConfiguration.localRules) ?? [:]
    users = object.optional("users")?.namedMembers().map(SubmissionConfiguration.users) ?? []
    host = object.optional("host").flatMap(SubmissionConfiguration.hostName)
    limits = object.optional("limits").flatMap(SubmissionLimits.read) ?? SubmissionLimits()

    if listenField == nil, object.optional("socket") == nil {
      object.value.report(
        "neither \"listen\" nor \"socket\" is set",
        remedy:
          "add \"socket\": \"/run/pabal/submit\" for this machine, or \"listen\": [\"0.0.0.0:587\"] for others"
      )
    }
    if security == .none {
      if let open = listen.first(where: { !$0.isLoopback }) {
        (object.optional("security") ?? object.value).report(
          "anyone on the way to \(open) could read mail and use the connection",
          remedy: "use \"starttls\" or \"tls\" with a certificate, or listen on 127.0.0.1")
      }
      for (field, name) in [(clientCAField, "client_ca"), (certificatesField, "certificates")] {
        field?.report(
          "client certificates need TLS", remedy: "remove \"\(name)\", or use \"starttls\" or \"tls\"")
      }
    } else if !listen.isEmpty {
      let remedy =
        "add the files of the certificate and its key, or listen on 127.0.0.1 with \"security\": \"none\""
      if certificateField == nil { object.reportMissing("certificate", remedy: remedy) }
      if keyField == nil { object.reportMissing("key", remedy: remedy) }
    }
  }

  private static func addresses(_ value: FieldDecoder) -> [ListenAddress] {
    guard case .array = value.node.content else { return ListenAddress.read(value).map { [$0] } ?? [] }
    let fields = value.elements() ?? []
    if fields.isEmpty {
      value.report("empty list", remedy: "name an address, like \"0.0.0.0:587\", or remove it")
    }
    return fields.compactMap(ListenAddress.read)
  }

  private static func socketPath(_ value: FieldDecoder) -> String? {
    guard let path = value.filePath() else { return nil }
    // sun_path of sockaddr_un has 108 bytes with the final NUL.
    guard path.utf8.count < 108 else {
      value.report("longer than the 107 bytes of a socket's path", remedy: "use /run/pabal/submit")
      return nil
    }
    return path
  }

  /// The path of a key, or an object with `file`, as for other secrets.
  private static func keyPath(_ value: FieldDecoder) -> String? {
    guard case .object = value.node.content else { return value.filePath() }
    return value.object { object in
      object.required("file", remedy: "name the file of the private key")?.filePath()
    }
  }

  private static func users(_ members: [(name: String, value: FieldDecoder)]) -> [User] {
    members.compactMap { name, value in
      value.object { object in
        let rules = SenderRules.read(object, key: "user:\(name)")
        let remedy = "run `pabal keys user \(name)`, which makes a password and prints its hash"
        guard let field = object.required("password", remedy: remedy), let text = field.string() else {
          return nil
        }
        guard let hash = PasswordHash(text) else {
          // Not shown, because it may be the password.
          field.report(
            "not the hash of a password; the password itself must not be stored here", remedy: remedy)
          return nil
        }
        return User(name: name, password: hash, rules: rules)
      }
    }
  }

  private static func localRules(_ value: FieldDecoder) -> [String: SenderRules] {
    var rules: [String: SenderRules] = [:]
    for (name, field) in value.namedMembers() ?? [] {
      rules[name] = field.object { SenderRules.read($0, key: "local:\(name)") }
    }
    return rules
  }

  private static func hostName(_ value: FieldDecoder) -> String? {
    guard let text = value.text() else { return nil }
    guard AllowedHosts.isName(text.lowercased()) else {
      value.report("\(quoted(text)) is not a host name", remedy: "write it like \"mail.example.com\"")
      return nil
    }
    return text
  }
}
