internal import Glibc
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
public import PabalCore
internal import ServiceLifecycle
internal import Synchronization

/// The server of the HTTP API, over HTTP/1.1.
public final class HTTPServer: Sendable {
  private enum Phase {
    case idle
    case running(ServiceGroup)
    case finished
  }

  private let shared: SharedState
  private let report: @Sendable (HTTPEvent) -> Void
  private let phase = Mutex(Phase.idle)
  private let listener = Mutex<(any Channel)?>(nil)
  private let accepted = AcceptedConnections(on: EventLoopGroupProvider.singleton.eventLoopGroup)

  /// Creates a server; `run` starts it.
  ///
  /// - Parameters:
  ///   - attempts: The waiters to which the caller passes the events of this process's dispatcher.
  ///   - readiness: Returns what `/readyz` answers.
  ///   - metrics: Returns what `/metrics` answers; `nil` removes that path.
  ///   - report: Called with each event, from any thread.
  ///   - dependencies: Returns what to answer from; called for each request.
  public init(
    attempts: AttemptWaiters, readiness: @escaping @Sendable () async -> Readiness,
    metrics: (@Sendable () async -> MetricsText)? = nil,
    report: @escaping @Sendable (HTTPEvent) -> Void = { _ in },
    dependencies: @escaping @Sendable () -> HTTPDependencies
  ) {
    self.report = report
    shared = SharedState(
      dependencies: dependencies, readiness: readiness, metrics: metrics, attempts: attempts, report: report)
  }

  /// Serves requests on `address` until `finish` is called, and returns once the requests in progress are answered.
  ///
  /// `listening` is called with the port once connections are accepted.
  public func run(
    on address: ListenAddress, listening: @escaping @Sendable (Int) -> Void
  ) async throws(Diagnostic) {
    var logger = Logger(label: "pabal") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .critical
    let settings = shared.dependencies().access.connections
    let connections = ConnectionTable(
      ConnectionLimits(settings), timeouts: ConnectionTimeouts(idle: TimeAmount(settings.idle))
    ) { [shared] peer in
      IPAddress(peer)?.isLoopback ?? true || shared.dependencies().access.proxies.trusts(peer)
    }
    let turns = PipelineTurns()
    let bodyLimit = { @Sendable [shared] path in
      shared.table.match(path)?.endpoint.path == MailHandlers.path
        ? shared.dependencies().access.mails.size : PabalHTTP.bodyLimit
    }
    let configuration = HTTP1Channel.Configuration(
      additionalChannelHandlers: [
        MalformedRequestHandler(), PipelinedRequestsHandler(PipelinedBytesHandler(), turns: turns),
        ConnectionTimeoutHandler(connections),
      ],
      httpDecoderConfiguration: HTTP1Channel.Configuration.DecoderConfiguration(
        maxHeaderFieldSize: 8_192, maxHeaderListSize: 16_384, maxHeaderFieldCount: 100))
    let application = Application(
      responder: HTTPRouter(shared: shared, report: report),
      server: HTTPServerBuilder { [accepted] responder in
        HTTP1ComplianceChannel(
          http: HTTP1Channel(responder: responder, configuration: configuration), accepted: accepted,
          bodyLimit: bodyLimit)
      },
      configuration: ApplicationConfiguration(
        address: .hostname(address.host, port: address.port), serverName: nil, backlog: 1_024),
      onServerRunning: { [self] channel in
        listener.withLock { $0 = channel }
        // Accepted connections inherit it. Otherwise the kernel takes up to 4 MB of responses per client that doesn't read.
        try? await channel.setOption(.socketOption(.so_sndbuf), value: 65_536).get()
        listening(channel.localAddress?.port ?? address.port)
      }, eventLoopGroupProvider: .singleton, logger: logger)
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(services: [application], logger: logger))
    let canStart = phase.withLock { phase in
      guard case .idle = phase else { return false }
      phase = .running(group)
      return true
    }
    guard canStart else { return }
    do {
      try await group.run()
    } catch let error as IOError {
      throw HTTPServer.listenError(address, error.errnoCode)
    } catch {
      throw Diagnostic("the HTTP server failed: \(error)", path: "serve.listen")
    }
  }

  /// The error for a failed bind(2) or listen(2).
  package static func listenError(_ address: ListenAddress, _ number: Int32) -> Diagnostic {
    let remedy: String? =
      switch number {
      case EADDRINUSE: "stop the program that listens there, or choose another port"
      case EACCES: "choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE"
      case EADDRNOTAVAIL: "choose an address of this machine, or 0.0.0.0 for all of them"
      default: nil
      }
    return Diagnostic(
      "can't listen on \(address): \(String(cString: strerror(number)))", remedy: remedy, path: "serve.listen"
    )
  }

  /// Stops accepting connections and makes `run` return once the requests in progress are answered. Requests that wait
  /// for a mail's first attempt are answered at once, with the status so far.
  public func finish() async {
    shared.attempts.release()
    let group = phase.withLock { phase -> ServiceGroup? in
      defer { phase = .finished }
      guard case .running(let group) = phase else { return nil }
      return group
    }
    guard let group else { return }
    if let listener = listener.withLock({ $0 }) { await ListenerDrain.run(listener, accepted) }
    await group.triggerGracefulShutdown()
  }
}

/// What the server answers from. A reload of the configuration replaces it.
public struct HTTPDependencies: Sendable {
  /// The service behind `/v1/verifications` and `/v1/proofs`.
  public var verifications: VerificationService
  /// The submission behind `/v1/mails`.
  public var submission: MailSubmission
  /// The composer of mail for `/v1/mails` and of `/v1/messages`.
  public var composer: any MessageComposer
  /// The service's name in the Received fields of finished mails.
  public var hostName: String
  /// The clients, the trusted proxies, and whether a key is required.
  public var access: ServeConfiguration
  /// What the demo page needs; `nil` on a service without it.
  public var demo: DemoDependencies?
  /// What became of mail; `nil`: it can't be searched.
  package var history: MailHistory?
  /// How the addresses of finished mails are rewritten; `nil`: not at all.
  package var rewriting: AddressRewriting?
  /// Returns whether so many bytes are free where the database is.
  package var hasRoom: @Sendable (Int) -> Bool = { _ in true }

  /// Creates the dependencies, without the demo page.
  public init(
    verifications: VerificationService, submission: MailSubmission, composer: any MessageComposer,
    access: ServeConfiguration, hostName: String = "localhost"
  ) {
    self.verifications = verifications
    self.submission = submission
    self.composer = composer
    self.hostName = hostName
    self.access = access
  }
}

/// Whether a start of a verification would succeed now, as `/readyz` reports it.
public struct Readiness: Sendable {
  /// How ready the service is.
  public enum Status: String, Sendable, Hashable, CaseIterable {
    /// Everything works.
    case ready = "ready"
    /// Starts are accepted, but mail is delayed or some starts fail.
    case degraded = "degraded"
    /// No start can succeed.
    case notReady = "not ready"
  }

  /// How ready the service is.
  public var status: Status
  /// Details by name, which are printable and free of addresses and secrets.
  public var detail: [String: String]

  /// Creates the answer.
  public init(_ status: Status, detail: [String: String] = [:]) {
    self.status = status
    self.detail = detail
  }
}

/// An event of the server, for logs and metrics. It doesn't contain personal data.
public enum HTTPEvent: Sendable {
  /// A request was answered. `route` is the path of the route, or `-` if there is none; `client` is the client whose key was used.
  case answered(route: String, method: String, status: Int, client: String?, took: Duration)
  /// A finished mail was queued; `client` is the client whose key was used.
  case submitted(mail: String, client: String?, recipients: Int, bytes: Int)
  /// A DKIM signature was removed from a finished mail, because `changed`, names of fields or `body`, has changed.
  case signatureRemoved(mail: String, domain: String, changed: [String])
  /// A verification was started. One that is a notice has no code and can't be approved.
  case started(purpose: String, language: String?, isNotice: Bool)
  /// A new code was sent.
  case resent(purpose: String, language: String?)
  /// A code was checked, `after` the start of the verification.
  case checked(VerificationOutcome, purpose: String, language: String?, after: Duration)
  /// A request was refused because of a limit.
  case limited(VerificationLimit)
  /// A request failed because of the store, the keys or a message.
  case failed(String)
  /// Something in the set-up is likely wrong; each kind is reported once.
  case warning(String)
}
