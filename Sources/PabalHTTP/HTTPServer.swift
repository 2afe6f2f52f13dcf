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

  private let handlers: RequestHandlers
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
    report: @escaping @Sendable (HTTPEvent) -> Void = { _ in }, dependencies: @escaping @Sendable () -> HTTPDependencies
  ) {
    self.report = report
    handlers = RequestHandlers(
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
      responder: HTTPRouter(handlers: handlers, report: report),
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
    handlers.attempts.release()
    let group = phase.withLock { phase -> ServiceGroup? in
      defer { phase = .finished }
      guard case .running(let group) = phase else { return nil }
      return group
    }
    await group?.triggerGracefulShutdown()
  }
}
