internal import Synchronization

/// The transports tried for a mail, in order; hands it to the next one where an outcome allows it.
public final class Route: Sendable {
  /// A transport of the route, opened when it is first needed.
  public struct Stop: Sendable {
    let name: String
    let open: @Sendable () throws(Diagnostic) -> LoadedTransport

    /// The transport `name`; `open` runs at most once, unless it fails.
    public init(_ name: String, open: @escaping @Sendable () throws(Diagnostic) -> LoadedTransport) {
      self.name = name
      self.open = open
    }
  }

  /// The names of the route's transports, in order.
  public let names: [String]
  private let places: [Place]
  private let now: @Sendable () -> ContinuousClock.Instant

  /// A route of `stops`, tried in order; `now` times the attempts.
  public init(
    _ stops: [Stop], now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
  ) {
    self.names = stops.map(\.name)
    self.places = stops.map { Place($0) }
    self.now = now
  }

  /// Hands `mail` over on the calling thread, and blocks until nothing more is to be tried.
  ///
  /// A transport that can't be opened counts as `held`, and the next one is tried.
  public func deliver(_ mail: Mail, unknown: UnknownPolicy) -> Delivery {
    var delivery = Delivery(mail, route: names, unknown: unknown)
    while let (index, rest) = delivery.next() {
      let began = now()
      let receipt: Receipt
      do throws(Diagnostic) {
        receipt = try transport(index).attempt(rest)
      } catch {
        receipt = Receipt(.held(.transport), for: rest.envelope, reply: error.description)
      }
      delivery.record(receipt, took: now() - began)
    }
    return delivery
  }

  /// Opens the transport at `index` of the route, once.
  @discardableResult
  public func transport(_ index: Int) throws(Diagnostic) -> LoadedTransport {
    try places[index].transport()
  }

  /// Closes every transport that was opened; a mail after that is `deferred`.
  public func close() {
    for place in places { place.close() }
  }

  /// A stop and, once it has been needed, its transport; every mail looks here, so none waits for a lock.
  private final class Place: Sendable {
    private let stop: Stop
    private let opened = AtomicLazyReference<LoadedTransport>()
    private let opening = Mutex(())

    init(_ stop: Stop) { self.stop = stop }

    func transport() throws(Diagnostic) -> LoadedTransport {
      if let transport = opened.load() { return transport }
      return try opening.withLock { _ throws(Diagnostic) in
        if let transport = opened.load() { return transport }
        return opened.storeIfNil(try stop.open())
      }
    }

    func close() { opened.load()?.close() }
  }
}
