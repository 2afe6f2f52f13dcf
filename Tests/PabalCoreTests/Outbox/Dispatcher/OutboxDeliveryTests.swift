import PabalTesting
import Testing

@testable import PabalCore

/// One mail from its claim to its settlement, without a dispatcher.
@Suite struct OutboxDeliveryTests {
  private let clock = ManualClock()

  private func entry(lane: Lane = .code, unknown: UnknownPolicy = .resend) throws -> OutboxEntry {
    let content = PlainSealing().seal(OutboxContent(try .sample(id: "A")).bytes, id: "A")
    return OutboxEntry(id: "A", lane: lane, created: clock.now, unknown: unknown, content: content)
      .claimed(by: .init(owner: "a", until: clock.second(60)))
  }

  private func route(_ names: [String] = ["a", "b"], isPartial: Bool = false) -> AvailableRoute {
    AvailableRoute(
      transports: names.map { DispatchTransport($0, ScriptedTransport($0)) }, isPartial: isPartial,
      isPaceExhausted: false, generation: 0)
  }

  /// A delivery whose attempts ended like this, one after the other.
  private func delivery(
    _ outcomes: [Outcome], of entry: OutboxEntry, over route: AvailableRoute,
    _ mode: OutboxDelivery.Mode = .queued
  ) throws -> OutboxDelivery {
    var delivery = OutboxDelivery(entry, over: route, mode, DispatcherOptions())
    try delivery.open(nil, PlainSealing())
    for outcome in outcomes {
      let (_, mail, _) = try #require(delivery.next())
      delivery.record(Receipt(outcome, for: mail.envelope, reply: "450 4.2.0 x"), duration: .zero)
    }
    return delivery
  }

  private func settlement(
    _ outcomes: [Outcome], isPartial: Bool = false, usedStaleRoute: Bool = false
  ) throws -> OutboxSettlement {
    var delivery = try delivery(outcomes, of: try entry(), over: route(isPartial: isPartial))
    return delivery.settlement(
      at: clock.now, jitter: 0.5, usedStaleRoute: usedStaleRoute,
      reporter: DeliveryReporter(
        DeliveryReportOptions(), retries: .seconds(1), identity: MailIdentity.now, PlainSealing()),
      PlainSealing())
  }

  private func wait(_ settlement: OutboxSettlement) -> Duration? {
    if case .retry(let due, _) = settlement.result { due - clock.now } else { nil }
  }

  private func final(_ settlement: OutboxSettlement) -> OutboxState? {
    if case .final(let state) = settlement.result { state } else { nil }
  }

  @Test func `a deferred mail takes the next transport, and waits if that defers it as well`() throws {
    let sent = try settlement([.deferred(), .sent])
    #expect(final(sent) == .sent)
    #expect(sent.transport == "b")
    let deferred = try settlement([.deferred(), .deferred()])
    #expect(wait(deferred) == .seconds(5))
    #expect(deferred.outcome == "deferred")
    #expect(deferred.status == "450 4.2.0")
  }

  @Test func `without an attempt the mail is released`() throws {
    let result = try settlement([]).result
    guard case .release = result else {
      Issue.record("\(result)")
      return
    }
  }

  @Test func `a mail unsuited to a partial route waits for the rest of it`() throws {
    let whole = try settlement([.unsuited, .unsuited])
    #expect(final(whole) == .rejected)
    #expect(whole.outcome == "unsuited")
    #expect(wait(try settlement([.unsuited, .unsuited], isPartial: true)) == .seconds(5))
    #expect(final(try settlement([.unsuited, .rejected], isPartial: true)) == .rejected)
  }

  @Test func `a mail that a stale route left undecided is due at once`() throws {
    let stale = try settlement([.deferred(), .deferred()], usedStaleRoute: true)
    #expect(wait(stale) == .zero)
    #expect(stale.usedStaleRoute)
    let unknown = try settlement([.unknown, .deferred()], usedStaleRoute: true)
    #expect(wait(unknown) == .seconds(5))
    #expect(!unknown.usedStaleRoute)
    #expect(final(try settlement([.sent], usedStaleRoute: true)) == .sent)
  }

  @Test func `a held transport decides when its mail is due, and a held mail waits by itself`() throws {
    let transport = try settlement([.held(.transport)])
    #expect(wait(transport) == .zero)
    #expect(transport.hold == .transport)
    let mail = try settlement([.held(.mail, retryAfter: .seconds(7))])
    #expect(wait(mail) == .seconds(7))
    #expect(mail.hold == .mail)
  }

  @Test func `only the first attempt of a probe may use the sends reserved for codes`() throws {
    var probe = try delivery([], of: try entry(lane: .bulk), over: route(), .probe)
    #expect(probe.next()?.lane == .code)
    probe.record(Receipt(.deferred(), for: try Mail.sample().envelope), duration: .zero)
    #expect(probe.next()?.lane == .bulk)
    #expect(try delivery([], of: try entry(lane: .bulk), over: route()).next()?.lane == .bulk)
  }

  @Test func `a send is expected of the first transport once`() throws {
    var delivery = try delivery([], of: try entry(), over: route())
    #expect(delivery.takeExpectedSend() == "a")
    #expect(delivery.takeExpectedSend() == nil)
    var nowhere = try self.delivery([], of: try entry(), over: route([]))
    #expect(nowhere.takeExpectedSend() == nil)
    #expect(nowhere.next() == nil)
  }

  @Test func `content that can't be unsealed holds the mail`() throws {
    var entry = try entry()
    entry.setContent([1, 2])
    var delivery = OutboxDelivery(entry, over: route(), .queued, DispatcherOptions())
    #expect(throws: PlainSealing.WrongMailError.self) { try delivery.open(nil, PlainSealing()) }
    #expect(delivery.next() == nil)
    let settlement = delivery.unreadableSettlement(at: clock.now, jitter: 0.5)
    #expect(wait(settlement) == .seconds(300))
    #expect(settlement.hold == .mail)
    #expect(settlement.outcome == nil)
  }
}
