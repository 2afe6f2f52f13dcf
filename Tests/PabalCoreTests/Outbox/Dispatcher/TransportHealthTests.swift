import PabalTesting
import Testing

@testable import PabalCore

/// What the dispatcher derives from the states of the transports, without an outbox.
@Suite struct TransportHealthTests {
  private let clock = ManualClock()

  private func receipt(_ outcome: Outcome, reply: String? = nil) throws -> Receipt {
    Receipt(outcome, for: try Mail.sample().envelope, reply: reply)
  }

  @Test func `a hold is reported once with its cause, and so is its end`() throws {
    var health = TransportHealth(PlainSealing())
    let held = try receipt(.held(.transport), reply: "535 5.7.8 no")
    let change = try #require(
      health.change(
        recording: held, cause: "535 5.7.8 no", through: "smtp", at: clock.now, DispatcherOptions()))
    _ = health.begin(change)
    #expect(holds(&health) == ["held smtp: 535 5.7.8 no"])
    #expect(holds(&health) == [])
    _ = health.begin { $0["smtp"]?.recover() }
    #expect(holds(&health) == ["restored smtp"])
    #expect(holds(&health) == [])
  }

  @Test func `a hold that the outbox refused ends without being reported as restored`() throws {
    var health = TransportHealth(PlainSealing())
    let held = try receipt(.held(.transport))
    let change = try #require(
      health.change(recording: held, cause: nil, through: "smtp", at: clock.now, DispatcherOptions()))
    let number = health.begin(change)
    #expect(holds(&health) == ["held smtp: "])
    health.end(number, nil)
    #expect(holds(&health) == [])
    _ = health.begin(change)
    #expect(holds(&health) == ["held smtp: "])
  }

  @Test func `an attempt that leaves the state as it is needs no change`() throws {
    let health = TransportHealth(PlainSealing())
    for outcome in [Outcome.sent, .rejected, .unsuited, .held(.mail)] {
      let change = health.change(
        recording: try receipt(outcome), cause: nil, through: "smtp", at: clock.now, DispatcherOptions())
      #expect(change == nil)
    }
    let failed = health.change(
      recording: try receipt(.deferred()), cause: nil, through: "smtp", at: clock.now, DispatcherOptions())
    #expect(failed != nil)
  }

  @Test func `an unsuited mail says nothing about a transport, and only a success restores it`() throws {
    var health = TransportHealth(PlainSealing())
    func record(_ outcome: Outcome, _ cause: String? = nil) throws {
      let change = health.change(
        recording: try receipt(outcome, reply: cause), cause: cause, through: "smtp", at: clock.now,
        DispatcherOptions())
      if let change { _ = health.begin(change) }
    }
    try record(.held(.transport), "535 5.7.8 no")
    #expect(holds(&health) == ["held smtp: 535 5.7.8 no"])
    try record(.unsuited)
    #expect(holds(&health) == [] && health["smtp"].heldSince != nil)
    // What is wrong now replaces what was wrong.
    try record(.deferred(), "refused")
    #expect(holds(&health) == [] && health.cause(of: "smtp") == "refused")
    try record(.sent)
    #expect(holds(&health) == ["restored smtp"] && health.cause(of: "smtp") == nil)
  }

  @Test func `a pause is reported once with its cause, and its end after a success`() throws {
    var health = TransportHealth(PlainSealing())
    let options = DispatcherOptions()
    let deferred = try receipt(.deferred(), reply: "connection refused")
    for _ in 0..<(options.breakerThreshold + 2) {
      let change = try #require(
        health.change(
          recording: deferred, cause: "connection refused", through: "smtp", at: clock.now, options))
      _ = health.begin(change)
    }
    #expect(holds(&health) == ["paused smtp: connection refused"])
    _ = health.begin { [now = clock.now] in $0["smtp"]?.endWait(at: now) }
    #expect(holds(&health) == [])
    _ = health.begin { $0["smtp"]?.recover() }
    #expect(holds(&health) == ["restored smtp"])
  }

  @Test func `a change counts as late as the outbox applied it last`() {
    let health = TransportHealth(PlainSealing())
    let (first, second) = (health.sequenced { _ in 1 }, health.sequenced { _ in 2 })
    var states: [String: TransportState] = [:]
    #expect(first.value == nil)
    first.apply(to: &states)
    second.apply(to: &states)
    #expect(first.snapshot(states).sequence < second.snapshot(states).sequence)
    first.apply(to: &states)
    #expect(first.snapshot(states).sequence > second.snapshot(states).sequence)
    #expect([first.value, second.value] == [1, 2])
  }

  private func holds(_ health: inout TransportHealth) -> [String] {
    health.events(for: ["smtp", "file"]).map { event in
      switch event {
      case .held(let name, let cause): "held \(name): \(cause ?? "")"
      case .paused(let name, _, let cause): "paused \(name): \(cause ?? "")"
      case .restored(let name): "restored \(name)"
      default: "unexpected"
      }
    }
  }
}

/// The paces of the transports, and the parts of the route that follow from them.
@Suite struct RateLimiterTests {
  private let clock = ManualClock()
  private let transports = ["gmail", "smtp", "file"].map { DispatchTransport($0, ScriptedTransport($0)) }

  /// Two sends of Gmail at once, of which one is reserved for codes, and then one every six minutes.
  private func rateLimiter() -> RateLimiter {
    var options = DispatcherOptions()
    options.paces = ["gmail": Pace(sends: 12, per: .seconds(3_600))]
    return RateLimiter(options)
  }

  private func health(_ change: @escaping TransportHealth.Change) -> TransportHealth {
    var health = TransportHealth(PlainSealing())
    _ = health.begin(change)
    return health
  }

  @Test func `expected sends are not available to other mail`() {
    var limiter = rateLimiter()
    let state = TransportState()
    func available(_ lane: Lane) -> Int { limiter.availableSends("gmail", lane, state, at: clock.now) }
    #expect([available(.code), available(.normal)] == [2, 1])
    limiter.expect(1, of: "gmail")
    limiter.expect(1, of: nil)
    #expect([available(.code), available(.normal)] == [1, 0])
    // The send that it has is expected, so the moment is not ahead.
    #expect(limiter.nextSend("gmail", .normal, state, at: clock.now) == clock.now)
    limiter.expect(-1, of: "gmail")
    #expect(available(.code) == 2)
    #expect(limiter.availableSends("smtp", .code, state, at: clock.now) == .max)
  }

  @Test func `sends that are expected before a transport has a pace count once it has one`() {
    var limiter = RateLimiter(DispatcherOptions())
    limiter.expect(1, of: "gmail")
    var options = DispatcherOptions()
    options.paces = ["gmail": Pace(sends: 12, per: .seconds(3_600))]
    limiter.adopt(options)
    #expect(limiter.availableSends("gmail", .code, TransportState(), at: clock.now) == 1)
  }

  @Test func `a send is acquired while one is free, and the next one has a time`() {
    var state = TransportState()
    let pace = Pace(sends: 12, per: .seconds(3_600))
    func acquire(_ lane: Lane) -> PaceDecision { state.acquireSend(of: pace, for: lane, at: clock.now) }
    #expect(acquire(.normal) == .acquired)
    guard case .notBefore(let moment) = acquire(.normal) else {
      Issue.record("the send reserved for codes was acquired by other mail")
      return
    }
    #expect(moment > clock.now + .seconds(300))
    #expect(acquire(.code) == .acquired)
    #expect(acquire(.code) != .acquired)
  }

  @Test func `queued mail skips closed transports and those whose pace is exhausted for long`() {
    let now = clock.now
    let health = health { states in
      states["gmail", default: TransportState()].exhaustedUntil = now + .seconds(1_800)
      states["smtp", default: TransportState()].pausedUntil = now + .seconds(60)
    }
    let route = AvailableRoute(transports, generation: 3, for: .code, at: now, health, rateLimiter())
    #expect(route.transports.map(\.name) == ["file"])
    #expect(route.isPartial)
    #expect(!route.isPaceExhausted)
    #expect(route.probeLimit == "file")
    #expect(route.generation == 3)
    let interactive = AvailableRoute(
      interactive: transports, generation: 3, for: .code, at: now, health, rateLimiter())
    #expect(interactive.transports.map(\.name) == ["smtp", "file"])
  }

  @Test func `an exhausted transport is used if no other is open`() {
    let now = clock.now
    let health = health { states in
      states["gmail", default: TransportState()].exhaustedUntil = now + .seconds(1_800)
      states["smtp", default: TransportState()].pausedUntil = now
    }
    let route = AvailableRoute(
      Array(transports.prefix(2)), generation: 0, for: .code, at: now, health, rateLimiter())
    #expect(route.transports.map(\.name) == ["gmail"])
    #expect(route.isPaceExhausted)
    #expect(route.probeLimit == nil)
    let probe = AvailableRoute(probing: 1, of: transports, generation: 0, at: now, health)
    #expect(probe.transports.map(\.name) == ["smtp", "file"])
    #expect(probe.isPartial)
  }
}
