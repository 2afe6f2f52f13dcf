/// A transport of the route, as the dispatcher uses it.
public struct DispatchTransport: Sendable {
  /// The transport's name in `config.json`.
  public let name: String
  /// Makes the attempts. Returns `held` if the transport can't be opened.
  public let transport: any Transport

  /// A transport called `name`.
  public init(_ name: String, _ transport: any Transport) {
    self.name = name
    self.transport = transport
  }
}

extension Route {
  /// The route's transports for a dispatcher. Each is opened on a thread of its own when it is first used.
  public var dispatchTransports: [DispatchTransport] {
    names.indices.map { DispatchTransport(names[$0], LazyRouteTransport(route: self, index: $0)) }
  }
}

/// One transport of a route, opened on first use.
private struct LazyRouteTransport: Transport {
  let route: Route
  let index: Int
  // A thread of its own because opening fetches secrets, which blocks.
  private let openingThread = WorkerThreads(count: 1)

  init(route: Route, index: Int) {
    self.route = route
    self.index = index
  }

  func send(_ mail: Mail) async -> Receipt {
    switch await opened() {
    case .success(let transport): return await transport.send(mail)
    case .failure(let error): return held(error, mail)
    }
  }

  func send(_ mail: Mail, unless isExpired: @escaping @Sendable () -> Bool) async -> Receipt? {
    switch await opened() {
    case .success(let transport): return await transport.send(mail, unless: isExpired)
    case .failure(let error): return held(error, mail)
    }
  }

  private func opened() async -> Result<LoadedTransport, Diagnostic> {
    await openingThread.run { Result { () throws(Diagnostic) in try route.transport(index) } }
  }

  private func held(_ error: Diagnostic, _ mail: Mail) -> Receipt {
    Receipt(.held(.transport), for: mail.envelope, reply: error.cause)
  }
}

extension Dispatcher {
  /// A dispatcher of `outbox` over `route`.
  public init(
    _ outbox: any Outbox, sealing: any ContentSealing, options: DispatcherOptions = DispatcherOptions(),
    dependencies: Dependencies = Dependencies(),
    report: @escaping @Sendable (DispatcherEvent) -> Void = { _ in }, route: Route
  ) {
    let transports = route.dispatchTransports
    self.init(
      outbox, sealing: sealing, options: options, dependencies: dependencies, report: report,
      route: { transports })
  }

  /// A dispatcher of `outbox` over one route, whose transports `route` returns.
  public init(
    _ outbox: any Outbox, sealing: any ContentSealing, options: DispatcherOptions = DispatcherOptions(),
    dependencies: Dependencies = Dependencies(),
    report: @escaping @Sendable (DispatcherEvent) -> Void = { _ in },
    route: @escaping @Sendable () -> [DispatchTransport]
  ) {
    self.init(
      outbox, sealing: sealing, options: options, dependencies: dependencies, report: report,
      routes: { DispatchRoutes(route()) })
  }
}
