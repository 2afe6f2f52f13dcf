public import PabalCore
import Synchronization

/// A dispatcher with a clock, transports and an outbox that a test moves.
public final class DispatcherFixture: Sendable {
  /// The clock of everything in it.
  public let clock: ManualClock
  /// The outbox.
  public let outbox: any Outbox
  /// The dispatcher.
  public let dispatcher: Dispatcher
  private let shared = Shared()

  /// What the dispatcher's closures see of the bench.
  private final class Shared: Sendable {
    let events = Mutex<[DispatcherEvent]>([])
    let route = Mutex<[ScriptedTransport]>([])
  }

  /// A dispatcher over `transports`, in order.
  public init(
    _ transports: [ScriptedTransport], options: DispatcherOptions = DispatcherOptions(),
    outbox: any Outbox = MemoryOutbox(), clock: ManualClock = ManualClock()
  ) {
    self.outbox = outbox
    self.clock = clock
    let shared = shared
    shared.route.withLock { $0 = transports }
    dispatcher = Dispatcher(
      outbox, sealing: PlainSealing(), options: options, dependencies: clock.dependencies,
      report: { event in shared.events.withLock { $0.append(event) } },
      route: { shared.route.withLock { $0 }.map { DispatchTransport($0.name, $0) } })
  }

  /// Puts other transports into the route.
  public func reroute(_ transports: [ScriptedTransport]) { shared.route.withLock { $0 = transports } }

  /// What the dispatcher has told.
  public var events: [DispatcherEvent] { shared.events.withLock { $0 } }

  /// Adds a mail of this id that is due now.
  @discardableResult
  public func add(
    _ id: String, lane: Lane = .code, to recipients: [String] = ["bob@example.org"], life: Duration? = nil,
    unknown: UnknownPolicy = .resend, group: String? = nil
  ) async throws -> OutboxEntry {
    let mail = try Mail.sample(to: recipients, id: id)
    let now = clock.now
    let entry = OutboxEntry(
      id: id, lane: lane, created: now, notAfter: life.map { now + $0 }, unknown: unknown, group: group,
      content: PlainSealing().seal(OutboxContent(mail).bytes, id: id))
    try await outbox.add([entry])
    return entry
  }

  /// Moves the clock, lets the dispatcher do what is due, and waits until it is settled.
  public func advance(_ duration: Duration = .zero) async {
    clock.advance(duration)
    await dispatcher.signalWork()
    _ = await dispatcher.round()
    await dispatcher.drain()
  }

  /// The mail called `id` as it is now.
  public func entry(_ id: String) async throws -> OutboxEntry? {
    try await outbox.read(OutboxQuery(ids: [id], withContent: true)).entries.first
  }
}

/// Seals nothing, but knows whose content it was.
public struct PlainSealing: ContentSealing {
  /// It has no key.
  public init() {}

  /// `clear` with the id before it.
  public func seal(_ clear: [UInt8], id: String) -> [UInt8] { Array("\(id):".utf8) + clear }

  /// What was sealed for `id`.
  public func open(_ sealed: [UInt8], id: String) throws -> [UInt8] {
    guard sealed.starts(with: "\(id):".utf8) else { throw WrongMailError() }
    return Array(sealed.dropFirst(id.utf8.count + 1))
  }

  /// What was sealed for another id.
  public struct WrongMailError: Error {}
}
