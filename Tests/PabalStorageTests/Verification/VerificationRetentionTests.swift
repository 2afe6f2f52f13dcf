import PabalCore
import PabalStorage
import Testing

/// What every store of verifications keeps to: how long it keeps them.
@Suite struct VerificationRetentionTests {
  typealias Stores = VerificationStores

  @Test(arguments: Stores.allCases)
  func `a final verification answers for a day, then it is gone`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let expired = try await desk.start("a@example.com")
      desk.clock.pass(.seconds(600))
      _ = try await desk.service.sweep()
      #expect(try await desk.service.status(expired.id).state == .expired)
      desk.clock.pass(.seconds(86_399))
      #expect(try await desk.service.sweep() == false)
      #expect(try await desk.outcome(expired.id, desk.code(for: "a@example.com")) == .expired)
      desk.clock.pass(.seconds(1))
      _ = try await desk.service.sweep()
      await expectError(.unknown) { try await desk.service.status(expired.id) }
    }
  }

  @Test(arguments: Stores.allCases)
  func `starts alone keep the store from growing`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let first = try await desk.start("first@example.com")
      desk.clock.pass(.seconds(600 + 86_400))
      // One in sixteen sweeps: that none of so many does happens to nobody.
      for number in 0..<400 { _ = try await desk.start("\(number)@example.com") }
      await expectError(.unknown) { try await desk.service.status(first.id) }
    }
  }

  @Test(arguments: Stores.allCases)
  func `housekeeping goes on until nothing is left`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      var ids: [String] = []
      for number in 0..<20 { ids.append(try await desk.start("\(number)@example.com").id) }
      desk.clock.pass(.seconds(600 + 86_400))
      let housekeeping = VerificationHousekeeping(store: desk.store, now: { desk.clock.now })
      try await housekeeping.sweep(limit: 3)
      for id in ids { await expectError(.unknown) { try await desk.service.status(id) } }
      #expect(try await desk.service.sweep(limit: 1) == false)
    }
  }
}
