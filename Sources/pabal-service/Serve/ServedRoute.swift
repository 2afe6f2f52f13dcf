import Dispatch
import PabalCore

/// A route that outgoing mail takes; its transports are closed when it is replaced and the last mail on its way
/// through them has landed.
final class SharedRoute: Sendable {
  private let route: Route
  // Saying goodbye to a server may take long, and nobody waits for it.
  private static let closing = DispatchQueue(label: "closing")

  init(_ route: Route) { self.route = route }

  deinit {
    let route = route
    SharedRoute.closing.async { route.close() }
  }

  /// The names of its transports, in order.
  var names: [String] { route.names }

  /// Its transports for a dispatcher.
  var dispatchTransports: [DispatchTransport] {
    route.dispatchTransports.map { DispatchTransport($0.name, RetainingTransport(transport: $0.transport, route: self)) }
  }

  /// Closes its transports, and returns when those of all routes before are closed, too.
  func close() {
    SharedRoute.closing.sync { route.close() }
  }

  private struct RetainingTransport: Transport {
    let transport: any Transport
    let route: SharedRoute

    func send(_ mail: Mail) async -> Receipt { await transport.send(mail) }

    func send(_ mail: Mail, unless isExpired: @escaping @Sendable () -> Bool) async -> Receipt? {
      await transport.send(mail, unless: isExpired)
    }
  }
}
