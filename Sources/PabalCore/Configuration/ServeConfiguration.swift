internal import Glibc

/// `serve`: the HTTP service of `pabal serve`, its SMTP listeners, and its alerts.
public struct ServeConfiguration: Sendable {
  /// `listen`: the address of the HTTP service; `nil` if it is off.
  public private(set) var listen: ListenAddress?
  /// `keyless`: whether callers on this machine may do without a key.
  public private(set) var isKeyless: Bool
  /// `clients`: the callers with keys.
  public let clients: APIClients
  /// `keylessStarts`: how many verifications all callers without a key together may start or resend.
  public let keylessStarts: [RateLimit]
  /// `keylessChecks`: how many codes all callers without a key together may check.
  public let keylessChecks: [RateLimit]
  /// `proxies`: the proxies whose `X-Forwarded-For` is trusted.
  public let proxies: TrustedProxies
  /// `hosts`: the host names by which callers without a key may address the service.
  public let hosts: AllowedHosts
  /// `connections`: the limits on connections.
  public let connections: ConnectionSettings
  /// `mails`: the limits on mails by `POST /v1/mails`.
  public let mails: MailRequestLimits
  /// `alert`: the command that is run when mail can't be delivered.
  public let alert: AlertCommand?
  /// `submission`: where programs hand over mail by SMTP.
  public let submission: [SubmissionConfiguration]

  /// The element of `submission` for the programs of this machine: the first with a socket or a drop directory.
  package var localSubmission: SubmissionConfiguration? {
    submission.first { $0.socket != nil || $0.drop != nil }
  }

  private let listenLocation: SettingLocation?

  /// Warnings about valid but inadvisable values.
  var warnings: [Diagnostic] {
    submission.flatMap(\.warnings) + httpWarnings
  }

  private var httpWarnings: [Diagnostic] {
    guard let listen, let listenLocation else { return [] }
    var warnings: [Diagnostic] = []
    if !listen.isLoopback, !clients.isEmpty, proxies.isEmpty {
      warnings.append(
        listenLocation.diagnostic(
          "connections to \(listen) aren't encrypted, so everyone on the way can read keys, codes and addresses",
          remedy:
            "listen on 127.0.0.1 behind a proxy with TLS, or name the proxies that may connect in \"proxies\""
        ))
    }
    if isKeyless, !proxies.isEmpty, hosts.isEmpty {
      warnings.append(
        listenLocation.diagnostic(
          "with serve.keyless and serve.proxies, but without serve.hosts, a website could call the service through a"
            + " browser on this machine (DNS rebinding)",
          remedy: "add the names under which the proxy serves it, like \"hosts\": [\"shop.example.com\"]"))
    }
    for index in warnings.indices { warnings[index].severity = .warning }
    return warnings
  }

  /// The defaults: no HTTP service, no listeners and no alerts.
  public init() {
    listen = nil
    isKeyless = false
    clients = APIClients()
    keylessStarts = ServeConfiguration.defaultKeylessStarts
    keylessChecks = ServeConfiguration.defaultKeylessChecks
    proxies = TrustedProxies()
    hosts = AllowedHosts()
    connections = ConnectionSettings()
    mails = MailRequestLimits()
    alert = nil
    submission = []
    listenLocation = nil
  }

  private init(_ object: ObjectDecoder) {
    let address = object.optional("listen")
    listenLocation = address?.location
    listen = address.flatMap(ListenAddress.read)
    isKeyless = object.optional("keyless")?.boolean() ?? false
    clients = object.optional("clients").flatMap(APIClients.read) ?? APIClients()
    keylessStarts =
      object.optional("keylessStarts").flatMap { $0.rateLimits() } ?? ServeConfiguration.defaultKeylessStarts
    keylessChecks =
      object.optional("keylessChecks").flatMap { $0.rateLimits() } ?? ServeConfiguration.defaultKeylessChecks
    proxies = object.optional("proxies").flatMap(TrustedProxies.read) ?? TrustedProxies()
    hosts = object.optional("hosts").flatMap(AllowedHosts.read) ?? AllowedHosts()
    connections = object.optional("connections").flatMap(ConnectionSettings.read) ?? ConnectionSettings()
    mails = object.optional("mails").flatMap(MailRequestLimits.read) ?? MailRequestLimits()
    alert = object.optional("alert").flatMap(AlertCommand.read)
    submission = object.optional("submission").flatMap(SubmissionConfiguration.readAll) ?? []
  }

  // Callers without a key count together, because a proxy that Pabal doesn't see may pass on the requests of strangers.
  private static let defaultKeylessStarts = [RateLimit(1_000, per: .seconds(600))]
  // Three for each start.
  private static let defaultKeylessChecks = [RateLimit(3_000, per: .seconds(600))]

  /// Returns the configuration for a service that keeps listening on `address` after a reload.
  ///
  /// Callers need keys unless `address` is a loopback address.
  public func listening(on address: ListenAddress?) -> ServeConfiguration {
    var serve = self
    serve.listen = address
    serve.isKeyless = isKeyless && address?.isLoopback ?? true
    return serve
  }

  static func read(_ value: FieldDecoder) -> ServeConfiguration? {
    value.object { object in
      let serve = ServeConfiguration(object)
      guard let listen = serve.listen else { return serve }
      if serve.isKeyless, !listen.isLoopback {
        object.optional("keyless")?.report(
          "anyone who can reach \(listen) could send mail",
          remedy: "listen on 127.0.0.1, or add a key for each caller to \"clients\": `pabal keys client NAME`"
        )
      } else if !serve.isKeyless, serve.clients.isEmpty, object.optional("clients") == nil {
        object.optional("listen")?.report(
          "without keys, every request would be rejected",
          remedy: listen.isLoopback
            ? "add \"keyless\": true for callers on this machine, or a key to \"clients\": `pabal keys client NAME`"
            : "add a key to \"clients\": `pabal keys client NAME`")
      }
      return serve
    }
  }
}

/// The address that a service listens on.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// The IP address, without brackets.
  public let host: String
  /// The port; for 0, the system chooses one.
  public let port: Int
  /// Whether only this machine can reach it (127.0.0.0/8, RFC 1122; ::1, RFC 4291).
  public let isLoopback: Bool

  /// Parses `127.0.0.1:8025`, `[::1]:8025` or `localhost:8025`; `nil` for any other text.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      0...65_535 ~= port, text.utf8.count <= 64, !text.utf8.contains(0)
    else { return nil }
    let name = text[..<colon]
    var host = name == "localhost" ? "127.0.0.1" : String(name)
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, host, &bytes) == 1 {
      guard !name.hasPrefix("[") else { return nil }
      isLoopback = bytes[0] == 127
    } else if name.hasPrefix("["), inet_pton(AF_INET6, host, &bytes) == 1 {
      isLoopback = bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
    } else {
      return nil
    }
    self.host = host
    self.port = port
  }

  /// The address as `config.json` has it.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  static func read(_ value: FieldDecoder) -> ListenAddress? {
    let remedy = "write an IP address and a port, like \"127.0.0.1:8025\" or \"[::1]:8025\""
    // A port alone is a common mistake, and quotes wouldn't correct it.
    if case .number = value.node.content {
      value.report("expected an address in a string, not a number", remedy: remedy)
      return nil
    }
    guard let text = value.text() else { return nil }
    guard let address = ListenAddress(text) else {
      value.report("\(quoted(text)) is not an address to listen on", remedy: remedy)
      return nil
    }
    return address
  }
}
