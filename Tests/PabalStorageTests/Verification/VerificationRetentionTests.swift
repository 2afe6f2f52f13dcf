import PabalCore
import PabalStorage
import Testing

/// What every store of verifications keeps to: how long it keeps them.
@Suite struct VerificationRetentionTests {
  typealias Backend = VerificationBackend

  @Test(arguments: Backend.allCases)
  func `a final verification answers for a day, then it is gone`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let expired = try await fixture.start("a@example.com")
      fixture.clock.advance(.seconds(600))
      _ = try await fixture.service.sweep()
      #expect(try await fixture.service.status(expired.id).state == .expired)
      fixture.clock.advance(.seconds(86_399))
      #expect(try await fixture.service.sweep() == false)
      #expect(try await fixture.outcome(expired.id, fixture.code(for: "a@example.com")) == .expired)
      fixture.clock.advance(.seconds(1))
      _ = try await fixture.service.sweep()
      await expectError(.unknown) { try await fixture.service.status(expired.id) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `starts alone keep the store from growing`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let first = try await fixture.start("first@example.com")
      fixture.clock.advance(.seconds(600 + 86_400))
      // One in sixteen sweeps: that none of so many does happens to nobody.
      for number in 0..<400 { _ = try await fixture.start("\(number)@example.com") }
      await expectError(.unknown) { try await fixture.service.status(first.id) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `housekeeping goes on until nothing is left`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      var ids: [String] = []
      for number in 0..<20 { ids.append(try await fixture.start("\(number)@example.com").id) }
      fixture.clock.advance(.seconds(600 + 86_400))
      let cleanup = VerificationCleanup(store: fixture.store, now: { fixture.clock.now })
      try await cleanup.sweep(limit: 3)
      for id in ids { await expectError(.unknown) { try await fixture.service.status(id) } }
      #expect(try await fixture.service.sweep(limit: 1) == false)
    }
  }
}
