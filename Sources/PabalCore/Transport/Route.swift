internal import Synchronization

/// The transports tried for a mail, in order. Fails over to the next one if the outcome allows it.
public final class Route: Sendable {
  /// A transport of the route, opened on first use.
  public struct Entry: Sendable {
    let name: String
    let open: @Sendable () throws(Diagnostic) -> LoadedTransport

    /// Creates an entry for the transport `name`; `open` is called again only if it fails.
    public init(_ name: String, open: @escaping @Sendable () throws(Diagnostic) -> LoadedTransport) {
      self.name = name
      self.open = open
    }
  }

  /// The names of the route's transports, in order.
  public let names: [String]
  private let transports: [LazyTransport]
  private let now: @Sendable () -> ContinuousClock.Instant

  /// Creates a route of `entries`, tried in order; `now` is the clock that times the attempts.
  public init(
    _ entries: [Entry], now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
  ) {
    self.names = entries.map(\.name)
    self.transports = entries.map { LazyTransport($0) }
    self.now = now
  }

  /// Delivers `mail` on the calling thread; blocks until there is nothing left to try.
  ///
  /// A transport that can't be opened counts as `held`, and the next one is tried.
  public func deliver(_ mail: Mail, unknownPolicy: UnknownPolicy) -> Delivery {
    var delivery = Delivery(mail, route: names, unknownPolicy: unknownPolicy)
    while let (index, remaining) = delivery.next() {
      let start = now()
      let receipt: Receipt
      do throws(Diagnostic) {
        receipt = try transport(index).attempt(remaining)
      } catch {
        receipt = Receipt(.held(.transport), for: remaining.envelope, reply: error.description)
      }
      delivery.record(receipt, duration: now() - start)
    }
    return delivery
  }

  /// Returns the transport at `index` of the route, opening it on first use.
  @discardableResult
  public func transport(_ index: Int) throws(Diagnostic) -> LoadedTransport {
    try transports[index].transport()
  }

  /// Closes all open transports; later mails are `deferred`.
  public func close() {
    for transport in transports { transport.close() }
  }

  /// A transport that is opened on first use. Reading an open transport takes no lock, because every mail does it.
  private final class LazyTransport: Sendable {
    private let entry: Entry
    private let opened = AtomicLazyReference<LoadedTransport>()
    private let opening = Mutex(())

    init(_ entry: Entry) { self.entry = entry }

    func transport() throws(Diagnostic) -> LoadedTransport {
      if let transport = opened.load() { return transport }
      return try opening.withLock { _ throws(Diagnostic) in
        if let transport = opened.load() { return transport }
        return opened.storeIfNil(try entry.open())
      }
    }

    func close() { opened.load()?.close() }
  }
}
