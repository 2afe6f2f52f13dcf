internal import Glibc
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
public import PabalCore
internal import ServiceLifecycle
internal import Synchronization

/// The verification API over HTTP/1.1.
public final class HTTPServer: Sendable {
  private enum Phase {
    case idle
    case running(ServiceGroup)
    case finished
  }

  private let shared: SharedState
  private let report: @Sendable (HTTPEvent) -> Void
  private let phase = Mutex(Phase.idle)

  /// A service that answers from what `dependencies` gives at each request.
  ///
  /// - Parameters:
  ///   - attempts: Is told what the dispatcher of this process reports.
  ///   - readiness: Says whether mail can leave.
  ///   - metrics: What `/metrics` answers; `nil`: there is no such path.
  ///   - report: Is told of each answer, from any thread.
  ///   - dependencies: What to answer from.
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

  /// Answers requests that reach `address` until `finish` is called, and returns when those under way are answered.
  ///
  /// `listening` is called with the port once connections are taken.
  public func run(
    on address: ListenAddress, listening: @escaping @Sendable (Int) -> Void
  ) async throws(Diagnostic) {
    var logger = Logger(label: "pabal") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .critical
    let connections = ConnectionLimits()
    let configuration = HTTP1Channel.Configuration(
      additionalChannelHandlers: [MalformedRequestHandler(), ConnectionTimeoutHandler(connections)],
      httpDecoderConfiguration: HTTP1Channel.Configuration.DecoderConfiguration(
        maxHeaderFieldSize: 8_192, maxHeaderListSize: 16_384, maxHeaderFieldCount: 100))
    let application = Application(
      responder: HTTPRouter(shared: shared, report: report),
      server: HTTPServerBuilder { responder in
        HTTP1ComplianceChannel(http: HTTP1Channel(responder: responder, configuration: configuration))
      },
      configuration: ApplicationConfiguration(
        address: .hostname(address.host, port: address.port), serverName: nil, backlog: 1_024),
      onServerRunning: { channel in listening(channel.localAddress?.port ?? address.port) }, logger: logger)
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
      throw Diagnostic(
        "can't listen on \(address): \(String(cString: strerror(error.errnoCode)))",
        remedy: error.errnoCode == EADDRINUSE ? "another program does; choose another port" : nil,
        path: "serve.listen")
    } catch {
      throw Diagnostic("the HTTP service ended: \(error)", path: "serve.listen")
    }
  }

  /// Takes no more connections, and lets `run` return when what is under way is answered; what waits for a mail's
  /// first attempt is answered as things stand.
  public func finish() async {
    shared.attempts.release()
    let group = phase.withLock { phase -> ServiceGroup? in
      defer { phase = .finished }
      guard case .running(let group) = phase else { return nil }
      return group
    }
    await group?.triggerGracefulShutdown()
  }
}

/// What the service answers from; a reload of the configuration brings a new one.
public struct HTTPDependencies: Sendable {
  /// The verifications.
  public var verifications: VerificationService
  /// Where mail of any message comes in.
  public var submission: MailSubmission
  /// What makes that mail.
  public var composer: any MessageComposer
  /// Who may call.
  public var access: ServeConfiguration

  /// What the page to try it out needs; `nil`: there is no such page.
  public var demo: DemoDependencies?

  /// What the service answers from.
  public init(
    verifications: VerificationService, submission: MailSubmission, composer: any MessageComposer,
    access: ServeConfiguration
  ) {
    self.verifications = verifications
    self.submission = submission
    self.composer = composer
    self.access = access
  }
}

/// Whether mail can leave, for whoever sends traffic here.
public struct Readiness: Sendable {
  /// Whether a transport of the route is open.
  public var isReady: Bool
  /// What there is to tell, by name: printable, without addresses and secrets.
  public var detail: [String: String]

  /// Whether mail can leave.
  public init(isReady: Bool, detail: [String: String] = [:]) {
    self.isReady = isReady
    self.detail = detail
  }
}

/// What the service did, for logs and metrics; nothing in it tells who the people are.
public enum HTTPEvent: Sendable {
  /// A request was answered; `route` is the path with names for its variable parts, `client` the name of the key.
  case answered(route: String, method: String, status: Int, client: String?, took: Duration)
  /// A verification was started; a notice can't be approved.
  case started(purpose: String, language: String?, isNotice: Bool)
  /// A code was sent again.
  case resent(purpose: String, language: String?)
  /// A check was judged, so long after the start.
  case checked(VerificationOutcome, purpose: String, language: String?, after: Duration)
  /// A request came up against a limit.
  case limited(VerificationLimit)
  /// A request could not be done, by the store's or the keys' fault.
  case failed(String)
}
