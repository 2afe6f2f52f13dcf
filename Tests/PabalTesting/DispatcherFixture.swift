public import PabalCore
import Synchronization

/// A dispatcher with a clock, transports and an outbox that a test controls.
public final class DispatcherFixture: Sendable {
  /// The dispatcher's clock.
  public let clock: ManualClock
  /// The dispatcher's outbox.
  public let outbox: any Outbox
  /// The dispatcher under test.
  public let dispatcher: Dispatcher
  private let shared = Shared()

  /// The state that the dispatcher's closures share with the fixture.
  private final class Shared: Sendable {
    let events = Mutex<[DispatcherEvent]>([])
    let routes = Mutex<(standard: [ScriptedTransport], special: [String: [ScriptedTransport]])>(([], [:]))
  }

  /// A fixture whose standard route is `transports`, in order, with other routes, `special`, by their keys.
  public init(
    _ transports: [ScriptedTransport], special: [String: [ScriptedTransport]] = [:],
    options: DispatcherOptions = DispatcherOptions(),
    outbox: any Outbox = MemoryOutbox(), clock: ManualClock = ManualClock(),
    suppression: SuppressionList? = nil
  ) {
    self.outbox = outbox
    self.clock = clock
    let shared = shared
    shared.routes.withLock { $0 = (transports, special) }
    var dependencies = clock.dependencies
    dependencies.suppression = suppression
    dispatcher = Dispatcher(
      outbox, sealing: PlainSealing(), options: options, dependencies: dependencies,
      report: { event in shared.events.withLock { $0.append(event) } },
      routes: {
        let (standard, special) = shared.routes.withLock { $0 }
        return DispatchRoutes(
          standard.map { DispatchTransport($0.name, $0) },
          special: special.mapValues { $0.map { DispatchTransport($0.name, $0) } })
      })
  }

  /// Replaces the transports of the routes.
  public func reroute(_ transports: [ScriptedTransport], special: [String: [ScriptedTransport]] = [:]) {
    shared.routes.withLock { $0 = (transports, special) }
  }

  /// The events that the dispatcher has reported.
  public var events: [DispatcherEvent] { shared.events.withLock { $0 } }

  /// Adds a mail with this id that is due now.
  @discardableResult
  public func add(
    _ id: String, lane: Lane = .code, to recipients: [String] = ["bob@example.org"], life: Duration? = nil,
    unknown: UnknownPolicy = .resend, group: String? = nil, route: String = ""
  ) async throws -> OutboxEntry {
    let mail = try Mail.sample(to: recipients, id: id)
    let now = clock.now
    let entry = OutboxEntry(
      id: id, lane: lane, created: now, notAfter: life.map { now + $0 }, unknown: unknown, group: group,
      route: route, content: PlainSealing().seal(OutboxContent(mail).bytes, id: id))
    try await outbox.add([entry])
    return entry
  }

  /// Advances the clock, runs one round of the dispatcher, and waits until no mail is in flight.
  public func advance(_ duration: Duration = .zero) async {
    clock.advance(duration)
    await dispatcher.signalWork()
    _ = await dispatcher.round()
    await dispatcher.drain()
  }

  /// Returns the mail `id` as it is now, or `nil` if it doesn't exist.
  public func entry(_ id: String) async throws -> OutboxEntry? {
    var query = OutboxQuery(ids: [id], withContent: true)
    query.withMarks = true
    return try await outbox.read(query).entries.first
  }
}

/// Prefixes content with its id instead of encrypting it.
public struct PlainSealing: ContentSealing {
  /// A sealing without a key.
  public init() {}

  /// Returns `clear` with the id in front.
  public func seal(_ clear: [UInt8], id: String) -> [UInt8] { Array("\(id):".utf8) + clear }

  /// Returns the content if it was sealed for `id`.
  public func open(_ sealed: [UInt8], id: String) throws -> [UInt8] {
    guard sealed.starts(with: "\(id):".utf8) else { throw WrongMailError() }
    return Array(sealed.dropFirst(id.utf8.count + 1))
  }

  /// The content was sealed for another id.
  public struct WrongMailError: Error {}
}
