internal import Glibc

/// `serve`: what `pabal serve` does beside sending.
public struct ServeConfiguration: Sendable {
  /// `listen`: where the HTTP service takes requests; `nil`: nowhere.
  public private(set) var listen: ListenAddress?
  /// `keyless`: whether callers on this machine need no key.
  public private(set) var isKeyless: Bool
  /// `clients`: who else may call.
  public let clients: APIClients
  /// `proxies`: whose `X-Forwarded-For` is believed.
  public let proxies: TrustedProxies
  /// `alert`: the command that is run when mail stops leaving.
  public let alert: AlertCommand?

  /// Nothing listens, and nobody is alerted.
  public init() {
    listen = nil
    isKeyless = false
    clients = APIClients()
    proxies = TrustedProxies()
    alert = nil
  }

  private init(_ object: ObjectDecoder) {
    listen = object.optional("listen").flatMap(ListenAddress.read)
    isKeyless = object.optional("keyless")?.boolean() ?? false
    clients = object.optional("clients").flatMap(APIClients.read) ?? APIClients()
    proxies = object.optional("proxies").flatMap(TrustedProxies.read) ?? TrustedProxies()
    alert = object.optional("alert").flatMap(AlertCommand.read)
  }

  /// The same for a service that listens on `address` already and goes on doing so: nobody who reaches it from
  /// elsewhere does without a key.
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
          "anybody who reaches \(listen) could send mail",
          remedy: "listen on 127.0.0.1, or give each caller a key in \"clients\": `pabal keys client NAME`")
      } else if !serve.isKeyless, serve.clients.isEmpty, object.optional("clients") == nil {
        object.optional("listen")?.report(
          "nobody could call: there is no key",
          remedy: listen.isLoopback
            ? "add \"keyless\": true for callers on this machine, or \"clients\": `pabal keys client NAME`"
            : "add \"clients\": `pabal keys client NAME` makes a key")
      }
      return serve
    }
  }
}

/// Where a service takes connections.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// The IP address, without brackets.
  public let host: String
  /// The port; 0 lets the system choose one.
  public let port: Int
  /// Whether only this machine reaches it (127.0.0.0/8, RFC 1122; ::1, RFC 4291).
  public let isLoopback: Bool

  /// Reads `127.0.0.1:8025`, `[::1]:8025` or `localhost:8025`; `nil` for anything else.
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

  /// As it is written in `config.json`.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  static func read(_ value: FieldDecoder) -> ListenAddress? {
    guard let text = value.text() else { return nil }
    guard let address = ListenAddress(text) else {
      value.report(
        "\(quoted(text)) is no address to listen on",
        remedy: "write an IP address and a port as in \"127.0.0.1:8025\" or \"[::1]:8025\"")
      return nil
    }
    return address
  }
}

/// A command that tells somebody that mail has stopped leaving.
public struct AlertCommand: Sendable {
  private let commandLine: [String]

  init(_ commandLine: [String]) { self.commandLine = commandLine }

  /// Runs it with the event's name and one word about it behind its own words, for ten seconds at most; blocks.
  ///
  /// `held` comes with the transport's name, `waiting` with the seconds that the oldest code has waited. Other
  /// users can read the words of a process, so nothing else is among them.
  public func run(_ event: String, _ detail: String) throws(Diagnostic) {
    do throws(SecretError) {
      _ = try SecretCommand(
        commandLine: commandLine + [event, detail], timeout: .seconds(10), sizeLimit: 65_536
      ).run()
    } catch {
      throw Diagnostic(
        "the alert could not be given: \(error.message)", remedy: error.remedy, path: "serve.alert")
    }
  }

  static func read(_ value: FieldDecoder) -> AlertCommand? {
    guard let elements = value.elements() else { return nil }
    let commandLine = elements.compactMap { $0.text() }
    guard commandLine.count == elements.count else { return nil }
    guard let first = commandLine.first, !first.isEmpty else {
      value.report("the command has no words", remedy: "write it as in [\"notify-send\", \"Pabal\"]")
      return nil
    }
    return AlertCommand(commandLine)
  }
}
