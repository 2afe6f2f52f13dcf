import PabalTesting
import Testing

@testable import PabalCore

/// Several routes: each mail takes the transports of its own, and none waits for another's.
@Suite struct DispatcherRouteTests {
  private let smtp = ScriptedTransport("smtp")
  private let ses = ScriptedTransport("ses")

  private func fixture(
    _ options: DispatcherOptions = DispatcherOptions(), outbox: any Outbox = MemoryOutbox()
  ) -> DispatcherFixture {
    DispatcherFixture([smtp], special: ["user:shop": [ses]], options: options, outbox: outbox)
  }

  private func missing(_ fixture: DispatcherFixture) -> [String] {
    fixture.events.compactMap {
      if case .routeMissing(let id, let route) = $0 { "\(id) \(route)" } else { nil }
    }
  }

  @Test(arguments: Lane.allCases)
  func `each mail takes the transports of its route`(_ lane: Lane) async throws {
    let fixture = fixture()
    try await fixture.add("A", lane: lane)
    try await fixture.add("B", lane: lane, route: "user:shop")
    try await fixture.add("C", lane: lane)
    for _ in 0..<3 { await fixture.advance() }
    #expect(Set(smtp.ids) == ["A", "C"])
    #expect(ses.ids == ["B"])
    #expect(try await fixture.entry("B")?.transport == "ses")
  }

  @Test func `a held route delays no other mail, and its own mail isn't claimed until it is probed`()
    async throws
  {
    ses.answer(.held(.transport), reply: "535 5.7.8 no")
    let fixture = fixture()
    try await fixture.add("H", route: "user:shop")
    await fixture.advance()
    for number in 0..<30 { try await fixture.add("H\(number)", lane: .normal, route: "user:shop") }
    for number in 0..<30 { try await fixture.add("S\(number)", lane: .normal) }
    for _ in 0..<10 { await fixture.advance() }
    #expect(smtp.ids.count == 30)
    #expect(ses.ids == ["H"])
    for number in 0..<30 { #expect(try await fixture.entry("H\(number)")?.attempts == 0) }
    ses.answer(.sent)
    await fixture.advance(.seconds(61))
    for _ in 0..<10 { await fixture.advance(.seconds(1)) }
    #expect(ses.ids.count == 32)
    #expect(smtp.ids.count == 30)
  }

  @Test func `the waiting mail of a held route causes a few calls a second, and no busy loop`() async throws {
    ses.answer(.held(.transport))
    let outbox = CountingOutbox()
    let fixture = fixture(outbox: outbox)
    try await fixture.add("H", route: "user:shop")
    await fixture.advance()
    for number in 0..<20 { try await fixture.add("H\(number)", route: "user:shop") }
    // Less than the minute after which the transport is probed.
    for _ in 0..<5 {
      fixture.clock.advance(.seconds(1))
      let before = outbox.calls
      #expect(await fixture.dispatcher.round() == .seconds(1))
      #expect(outbox.calls - before <= 4)
    }
    #expect(ses.ids == ["H"])
  }

  @Test func `a transport that waits for a probe isn't asked for mail more than once a second`() async throws
  {
    ses.answer(.held(.transport))
    let outbox = CountingOutbox()
    let fixture = fixture(outbox: outbox)
    try await fixture.add("H", route: "user:shop")
    await fixture.advance()
    #expect(try await fixture.outbox.amend(.cancel(["H"]), now: fixture.clock.now) == 1)
    await fixture.advance(.seconds(61))
    let before = outbox.calls
    for number in 0..<20 {
      try await fixture.add("S\(number)")
      await fixture.advance()
    }
    // An addition, two claims, and the settlement of each mail, with what its transport's state takes.
    #expect(outbox.calls - before <= 20 * 5)
    ses.answer(.sent)
    try await fixture.add("B", route: "user:shop")
    await fixture.advance(.seconds(1))
    #expect(ses.ids == ["H", "B"])
  }

  @Test func `a route whose pace is exhausted delays no other mail`() async throws {
    var options = DispatcherOptions()
    options.paces = ["ses": Pace(sends: 1, per: .seconds(3_600))]
    let fixture = fixture(options)
    for number in 0..<5 { try await fixture.add("P\(number)", route: "user:shop") }
    for number in 0..<20 { try await fixture.add("S\(number)", lane: .bulk) }
    for _ in 0..<8 { await fixture.advance() }
    #expect(ses.ids.count == 1)
    #expect(smtp.ids.count == 20)
    #expect(try await fixture.entry("P4")?.attempts == 0)
    await fixture.advance(.seconds(3_601))
    #expect(ses.ids.count == 2)
  }

  @Test func `the codes of one route aren't behind the other mail of another`() async throws {
    var options = DispatcherOptions()
    options.maxConcurrentAttempts = 3
    let fixture = fixture(options)
    for number in 0..<9 { try await fixture.add("N\(number)", lane: .normal) }
    for number in 0..<3 { try await fixture.add("C\(number)", route: "user:shop") }
    ses.shut()
    smtp.shut()
    _ = await fixture.dispatcher.round()
    // One slot is left for other routes' codes.
    await ses.received(2)
    #expect(smtp.ids.isEmpty)
    ses.open()
    smtp.open()
    await fixture.dispatcher.drain()
  }

  @Test func `routes share the free slots, and neither waits until the other's mail is sent`() async throws {
    var options = DispatcherOptions()
    options.maxConcurrentAttempts = 5
    let fixture = fixture(options)
    for number in 0..<40 { try await fixture.add("S\(number)", lane: .normal) }
    for number in 0..<6 { try await fixture.add("P\(number)", lane: .normal, route: "user:shop") }
    // One round starts four mails.
    var rounds = 0
    while ses.ids.count < 6, rounds < 20 {
      await fixture.advance()
      rounds += 1
    }
    #expect(rounds <= 5)
    #expect(smtp.ids.count < 30)
  }

  @Test(arguments: [Lane.code, .normal])
  func `a server that doesn't answer doesn't take the slots of other routes`(_ lane: Lane) async throws {
    var options = DispatcherOptions()
    options.maxConcurrentAttempts = 4
    let fixture = fixture(options)
    ses.shut()
    for number in 0..<20 { try await fixture.add("P\(number)", lane: lane, route: "user:shop") }
    for number in 0..<9 { try await fixture.add("S\(number)", lane: lane) }
    // Rounds until all other mail has left; each may come before the end of an attempt.
    var rounds = 0
    while smtp.ids.count < 9 || ses.ids.isEmpty, rounds < 100_000 {
      await fixture.dispatcher.signalWork()
      _ = await fixture.dispatcher.round()
      await Task.yield()
      rounds += 1
    }
    #expect(smtp.ids.count == 9)
    #expect(ses.ids.count == 2 || lane == .code && ses.ids.count == 3)
    // Neither does mail that this process adds meanwhile.
    #expect(await fixture.dispatcher.reserve(lane, unknown: .resend, route: "user:shop") == nil)
    ses.open()
    await fixture.dispatcher.drain()
  }

  @Test func `a route has at least half of the slots, however many others there are`() {
    let table = InFlightTable()
    func room(_ lane: Lane, groups: Int, limit: Int) -> Int {
      table.room(for: lane, of: .only(["a"]), among: groups, limit: limit)
    }
    #expect((1...9).map { room(.normal, groups: $0, limit: 8) } == [7, 6, 5, 4, 4, 4, 4, 4, 4])
    #expect((1...3).map { room(.code, groups: $0, limit: 8) } == [8, 7, 6])
    #expect((1...3).map { room(.normal, groups: $0, limit: 1) } == [1, 1, 1])
    #expect((1...3).map { room(.normal, groups: $0, limit: 2) } == [1, 1, 1])
  }

  @Test func `mail of a route that isn't configured any more takes the standard route, reported once`()
    async throws
  {
    let fixture = fixture()
    fixture.reroute([smtp])
    for id in ["A", "B"] { try await fixture.add(id, lane: .normal, route: "user:shop") }
    try await fixture.add("C", route: "domain:b.example")
    await fixture.advance()
    #expect(Set(smtp.ids) == ["A", "B", "C"])
    #expect(missing(fixture).map { $0.dropFirst(2) }.sorted() == ["domain:b.example", "user:shop"])
    await fixture.dispatcher.adopt(DispatcherOptions())
    try await fixture.add("D", route: "user:shop")
    try await fixture.add("E")
    await fixture.advance()
    #expect(missing(fixture).suffix(1) == ["D user:shop"] && missing(fixture).count == 3)
    #expect(try await fixture.entry("D")?.state == .sent)
  }

  @Test func `mail that waits takes its route as it is configured at the attempt`() async throws {
    ses.answer(.held(.transport))
    let fixture = fixture()
    try await fixture.add("A", route: "user:shop")
    await fixture.advance()
    let other = ScriptedTransport("other")
    fixture.reroute([smtp], special: ["user:shop": [other]])
    await fixture.dispatcher.adopt(DispatcherOptions(), routeHasChanged: true)
    await fixture.advance()
    #expect(other.ids == ["A"])
    #expect(smtp.ids.isEmpty)
  }

  @Test func `a transport of several routes has one state`() async throws {
    let fixture = DispatcherFixture([ses, smtp], special: ["user:shop": [ses]])
    ses.answer(.held(.transport))
    try await fixture.add("A", route: "user:shop")
    await fixture.advance()
    try await fixture.add("B")
    await fixture.advance()
    #expect(ses.ids == ["A"])
    #expect(smtp.ids == ["B"])
    #expect(await fixture.dispatcher.conditions().map(\.name) == ["ses", "smtp"])
    ses.answer(.sent)
    try await fixture.add("C", route: "user:shop")
    for _ in 0..<2 { await fixture.advance(.seconds(61)) }
    try await fixture.add("D")
    await fixture.advance()
    #expect(Set(ses.ids) == ["A", "C", "D"])
    #expect(smtp.ids == ["B"])
  }

  @Test func `mail of either route may probe a transport that both have`() async throws {
    let fixture = DispatcherFixture([ses, smtp], special: ["user:shop": [ses]])
    ses.answer(.held(.transport))
    try await fixture.add("A")
    await fixture.advance()
    ses.answer(.sent)
    // No mail of the route user:shop waits.
    try await fixture.add("B")
    for _ in 0..<2 { await fixture.advance(.seconds(61)) }
    try await fixture.add("C")
    await fixture.advance()
    #expect(ses.ids.suffix(1) == ["C"])
  }

  @Test func `immediate and interactive deliveries take the route of the mail`() async throws {
    let fixture = fixture()
    await fixture.advance()
    let lease = try #require(
      await fixture.dispatcher.reserve(.normal, unknown: .resend, route: "user:shop"))
    let mail = try Mail.sample(to: ["bob@example.org"], id: "A")
    let entry = OutboxEntry(
      id: "A", lane: .normal, created: fixture.clock.now, route: "user:shop", content: []
    ).claimed(by: lease)
    try await fixture.outbox.add([entry])
    await fixture.dispatcher.handOver(entry, mail)
    await fixture.dispatcher.drain()
    try await fixture.add("B", route: "user:shop")
    #expect(try await fixture.dispatcher.deliver("B")?.state == .sent)
    #expect(ses.ids == ["A", "B"])
    ses.answer(.held(.transport))
    try await fixture.add("C", route: "user:shop")
    await fixture.advance()
    #expect(await fixture.dispatcher.reserve(.normal, unknown: .resend, route: "user:shop") == nil)
    #expect(await fixture.dispatcher.reserve(.normal, unknown: .resend) != nil)
    #expect(smtp.ids.isEmpty)
  }

  @Test func `routes with the same transports are claimed together`() {
    let (smtp, ses) = (DispatchTransport("smtp", smtp), DispatchTransport("ses", ses))
    let routes = DispatchRoutes(
      [smtp],
      special: ["a": [ses], "b": [ses, smtp], "c": [ses], "d": [smtp]])
    #expect(routes.groups.map(\.keys) == [.except(["a", "b", "c"]), .only(["a", "c"]), .only(["b"])])
    #expect(routes.transports.map(\.name) == ["smtp", "ses"])
    #expect(routes.transports(of: "b").map(\.name) == ["ses", "smtp"])
    #expect(routes.transports(of: "d").map(\.name) == ["smtp"])
    #expect(routes.transports(of: "removed").map(\.name) == ["smtp"])
    #expect(routes.isKnown("") && routes.isKnown("d") && !routes.isKnown("removed"))
    // Every key belongs to exactly one group.
    for key in ["", "a", "b", "c", "d", "removed"] {
      #expect(routes.groups.filter { $0.keys.contains(key) }.count == 1)
    }
  }

  @Test(arguments: 0..<30 as Range<UInt64>)
  func `with any routes and outages, all mail leaves by its own route in the end`(_ seed: UInt64) async throws
  {
    var random = SeededGenerator(seed: seed)
    let transports = (0..<4).map { ScriptedTransport("t\($0)") }
    var special: [String: [ScriptedTransport]] = [:]
    for number in 0..<Int.random(in: 1...5, using: &random) {
      special["r\(number)"] = Array(
        transports.shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random)))
    }
    var options = DispatcherOptions()
    options.maxConcurrentAttempts = Int.random(in: 1...6, using: &random)
    // Mail that waits for a pace returns to the queue, because the clock stands still meanwhile.
    options.paceWaitLimit = .zero
    if Bool.random(using: &random) { options.paces["t0"] = Pace(sends: 60, per: .seconds(60)) }
    let fixture = DispatcherFixture([transports[0], transports[1]], special: special, options: options)
    let outages: [Outcome] = [.held(.transport), .deferred(), .deferred(retryAfter: .seconds(20))]
    var routes: [String: String] = [:]
    for number in 0..<60 {
      let id = "M\(number)"
      let route = (special.keys.sorted() + ["", "removed"]).randomElement(using: &random) ?? ""
      routes[id] = route
      try await fixture.add(
        id, lane: Lane.allCases.randomElement(using: &random) ?? .code, route: route)
      if number % 7 == 0, let transport = transports.randomElement(using: &random) {
        transport.answer(
          Bool.random(using: &random) ? .sent : outages.randomElement(using: &random) ?? .sent)
      }
      await fixture.advance(.milliseconds(Int.random(in: 0...900, using: &random)))
    }
    for transport in transports { transport.answer(.sent) }
    for _ in 0..<400 where isUnfinished(fixture) { await fixture.advance(.seconds(30)) }
    for (id, route) in routes {
      let entry = try #require(try await fixture.entry(id))
      #expect(entry.state == .sent, "\(id) \(route)")
      let own = (special[route] ?? [transports[0], transports[1]]).map(\.name)
      #expect(own.contains(entry.transport ?? ""), "\(id) \(route)")
      for transport in transports where !own.contains(transport.name) { #expect(!transport.ids.contains(id)) }
    }
  }

  /// Whether a mail isn't sent yet.
  private func isUnfinished(_ fixture: DispatcherFixture) -> Bool {
    let sent = fixture.events.reduce(0) {
      if case .settled(let entry) = $1, entry.state == .sent { $0 + 1 } else { $0 }
    }
    return sent < 60
  }
}
