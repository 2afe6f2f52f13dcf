internal import Synchronization

/// The transports tried for a mail, in order; hands it to the next one where an outcome allows it.
public final class Route: Sendable {
  /// A transport of the route, opened when it is first needed.
  public struct Entry: Sendable {
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
  private let transports: [LazyTransport]
  private let now: @Sendable () -> ContinuousClock.Instant

  /// A route of `entries`, tried in order; `now` times the attempts.
  public init(
    _ entries: [Entry], now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
  ) {
    self.names = entries.map(\.name)
    self.transports = entries.map { LazyTransport($0) }
    self.now = now
  }

  /// Hands `mail` over on the calling thread, and blocks until nothing more is to be tried.
  ///
  /// A transport that can't be opened counts as `held`, and the next one is tried.
  public func deliver(_ mail: Mail, unknown: UnknownPolicy) -> Delivery {
    var delivery = Delivery(mail, route: names, unknown: unknown)
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

  /// Opens the transport at `index` of the route, once.
  @discardableResult
  public func transport(_ index: Int) throws(Diagnostic) -> LoadedTransport {
    try transports[index].transport()
  }

  /// Closes every transport that was opened; a mail after that is `deferred`.
  public func close() {
    for transport in transports { transport.close() }
  }

  /// A stop and, once it has been needed, its transport; every mail looks here, so none waits for a lock.
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
