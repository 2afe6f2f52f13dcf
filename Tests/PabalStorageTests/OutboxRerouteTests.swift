import PabalCore
import PabalStorage
import Testing

/// The contract of every outbox for a change of the route.
@Suite struct OutboxRerouteTests {
  @Test(arguments: OutboxBackend.allCases)
  func `a new route makes mail due that waits for a transport, codes first, up to the limit`(
    _ backend: OutboxBackend
  ) async throws {
    try await backend.withOutbox { outbox in
      let ends: [(outcome: String?, hold: Outcome.Scope?, due: Double)] = [
        ("deferred", nil, 90), ("held", .mail, 90), ("deferred", nil, 90),
        // These don't wait for a transport: an unknown result, a missing key, a due time that has passed.
        ("unknown", nil, 90), (nil, .mail, 90), ("deferred", nil, 2),
      ]
      let lanes: [Lane] = [.bulk, .normal, .code, .code, .code, .code]
      try await outbox.add(lanes.enumerated().map { mail($0, lane: $1) } + [mail(6, due: 90), mail(7)])
      let claimed = try await outbox.claim(claim("a"))
      for (number, end) in ends.enumerated() {
        let entry = try #require(claimed.first { $0.id == "MAIL\(number)" })
        _ = try await outbox.settle([
          OutboxSettlement(
            entry, .retry(due: second(end.due), content: nil), outcome: end.outcome, hold: end.hold,
            now: second(1))
        ])
      }
      #expect(try await outbox.amend(.reroute(limit: 0), now: second(3)) == 0)
      #expect(try await outbox.amend(.reroute(limit: 2), now: second(3)) == 2)
      func entries() async throws -> [OutboxEntry] {
        try await outbox.read(OutboxQuery()).entries.reversed()
      }
      #expect(try await entries().map(\.due) == [90, 3, 3, 90, 90, 2, 90, 0].map(second))
      #expect(try await outbox.amend(.reroute(limit: 2), now: second(4)) == 1)
      #expect(try await outbox.amend(.reroute(limit: 2), now: second(5)) == 0)
      let after = try await entries()
      #expect(after.map(\.due) == [4, 3, 3, 90, 90, 2, 90, 0].map(second))
      // Only the rerouted mails start their back-off from zero.
      #expect(after.map(\.failures) == [0, 0, 0, 1, 0, 1, 0, 0])
      #expect(after.map(\.attempts) == [1, 1, 1, 1, 1, 1, 0, 1])
      #expect(after.map(\.hold) == [nil, nil, nil, nil, .mail, nil, nil, nil])
      #expect(after.map(\.state) == Array(repeating: .waiting, count: 7) + [.sending])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `an attempt over a replaced route doesn't count towards the back-off`(_ backend: OutboxBackend)
    async throws
  {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1)])
      for usedStaleRoute in [false, false, true] {
        let claimed = try #require(try await outbox.claim(claim("a")).first)
        var settlement = OutboxSettlement(
          claimed, .retry(due: second(0), content: nil), outcome: "deferred", now: second(0))
        settlement.usedStaleRoute = usedStaleRoute
        #expect(
          try await outbox.settle([settlement]).first??.failures == (usedStaleRoute ? 0 : claimed.attempts))
      }
      #expect(try await outbox.read(OutboxQuery()).entries.map(\.failures) == [0])
    }
  }
}
