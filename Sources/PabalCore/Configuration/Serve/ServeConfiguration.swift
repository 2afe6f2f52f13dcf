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
