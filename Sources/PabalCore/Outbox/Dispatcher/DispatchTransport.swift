/// A transport on the way of outgoing mail.
public struct DispatchTransport: Sendable {
  /// Its name in `config.json`.
  public let name: String
  /// What makes the attempts; where the transport can't be opened it answers `held`.
  public let transport: any Transport

  /// The transport `name`.
  public init(_ name: String, _ transport: any Transport) {
    self.name = name
    self.transport = transport
  }
}

extension Route {
  /// The route's transports for a dispatcher, each opened, on a thread of its own, when it is first needed.
  public var dispatchTransports: [DispatchTransport] {
    names.indices.map { DispatchTransport(names[$0], LazyRouteTransport(route: self, index: $0)) }
  }
}

/// One transport of a route, which may not be open yet.
private struct LazyRouteTransport: Transport {
  let route: Route
  let index: Int
  // Opening fetches secrets, which blocks.
  private let openingThread = WorkerThreads(count: 1)

  init(route: Route, index: Int) {
    self.route = route
    self.index = index
  }

  func send(_ mail: Mail) async -> Receipt {
    switch await opened() {
    case .success(let transport): return await transport.send(mail)
    case .failure(let problem): return held(problem, mail)
    }
  }

  func send(_ mail: Mail, unless isExpired: @escaping @Sendable () -> Bool) async -> Receipt? {
    switch await opened() {
    case .success(let transport): return await transport.send(mail, unless: isExpired)
    case .failure(let problem): return held(problem, mail)
    }
  }

  private func opened() async -> Result<LoadedTransport, Diagnostic> {
    await openingThread.run { Result { () throws(Diagnostic) in try route.transport(index) } }
  }

  private func held(_ problem: Diagnostic, _ mail: Mail) -> Receipt {
    Receipt(.held(.transport), for: mail.envelope, reply: problem.description)
  }
}

extension Dispatcher {
  /// A dispatcher of `outbox` over `route`.
  public init(
    _ outbox: any Outbox, sealing: any ContentSealing, options: DispatcherOptions = DispatcherOptions(),
    report: @escaping @Sendable (DispatcherEvent) -> Void = { _ in }, route: Route
  ) {
    let candidates = route.dispatchTransports
    self.init(outbox, sealing: sealing, options: options, report: report, route: { candidates })
  }
}
