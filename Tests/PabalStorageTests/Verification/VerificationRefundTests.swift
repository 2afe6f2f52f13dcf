import PabalCore
import PabalStorage
import Testing

/// The contract of every verification store: refunds, and clocks that are set.
@Suite struct VerificationRefundTests {
  typealias Backend = VerificationBackend

  @Test(arguments: Backend.allCases)
  func `a rejected mail refunds the cooldown and the caps`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.quota = 10 }) { fixture in
      for _ in 0..<12 {
        let started = try await fixture.start()
        try await fixture.end(started, .rejected, outcome: "rejected")
        let status = try await fixture.service.status(started.id)
        #expect(status.delivery?.state == .rejected && status.resendAt == fixture.clock.now)
        #expect(status.sendsRemaining == 4)
      }
      let last = try await fixture.start()
      try await fixture.end(last, .rejected, outcome: "rejected")
      #expect(try await fixture.service.resend(last.id).generation == 2)
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) { try await fixture.start() }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a rejection doesn't refund the limits of the client`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      for _ in 0..<10 {
        let started = try await fixture.start(client: "192.0.2.1")
        try await fixture.end(started, .rejected, outcome: "rejected")
      }
      await expectError(.limited(.client, retryAfter: .seconds(600))) {
        try await fixture.start(client: "192.0.2.1")
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `refunds don't raise the number of mails of a verification`(
    _ backend: Backend
  ) async throws {
    try await backend.withFixture { fixture in
      var verification = try await fixture.start()
      for _ in 2...5 {
        try await fixture.end(verification, .rejected, outcome: "rejected")
        verification = try await fixture.service.resend(verification.id)
      }
      try await fixture.end(verification, .rejected, outcome: "rejected")
      let id = verification.id
      await expectError(.limited(.verification, retryAfter: nil)) { try await fixture.service.resend(id) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `resends of a client count like starts`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.cooldown = .zero }) { fixture in
      for number in 0..<5 {
        let started = try await fixture.start("a\(number)@example.com", client: "192.0.2.1")
        _ = try await fixture.service.resend(started.id, client: "192.0.2.1")
      }
      await expectError(.limited(.client, retryAfter: .seconds(600))) {
        try await fixture.start("x@example.com", client: "192.0.2.1")
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `other final states refund nothing`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      for (state, outcome) in [(OutboxState.sent, "sent"), (.unknown, "unknown"), (.cancelled, "deferred")] {
        let started = try await fixture.start("\(outcome)@example.com")
        try await fixture.end(started, state, outcome: outcome)
        await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
          try await fixture.start("\(outcome)@example.com")
        }
      }
      let started = try await fixture.start("cancelled@example.com")
      _ = try await fixture.service.cancel(started.id)
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
        try await fixture.start("cancelled@example.com")
      }
    }
  }

  // MARK: Clocks

  @Test(arguments: Backend.allCases)
  func `after the clock is set back no limit lasts longer than its own window`(_ backend: Backend)
    async throws
  {
    try await backend.withFixture { fixture in
      fixture.clock.advance(.seconds(365 * 86_400))
      _ = try await fixture.start(client: "192.0.2.1")
      fixture.clock.advance(.seconds(-365 * 86_400))
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) { try await fixture.start() }
      fixture.clock.advance(.seconds(60))
      _ = try await fixture.start(client: "192.0.2.1")
      for _ in 0..<3 {
        fixture.clock.advance(.seconds(60))
        _ = try await fixture.start()
      }
      fixture.clock.advance(.seconds(60))
      // The start that was dated in the future still counts.
      await expectError(.limited(.recipient, retryAfter: .seconds(3_300))) { try await fixture.start() }
    }
  }

  @Test(arguments: Backend.allCases)
  func `after the clock is set back codes and proofs live for at most one more lifetime`(_ backend: Backend)
    async throws
  {
    try await backend.withFixture { fixture in
      let first = try await fixture.start("a@example.com")
      let second = try await fixture.start("b@example.com")
      let proof = try #require(
        try await fixture.service.check(second.id, code: fixture.code(for: "b@example.com")).proof)
      fixture.clock.advance(.seconds(-86_400))
      #expect(try await fixture.outcome(first.id, fixture.wrong(for: "a@example.com")) == .mismatch)
      #expect(try await fixture.outcome(second.id, "000000") == .alreadyApproved)
      fixture.clock.advance(.seconds(600))
      #expect(try await fixture.outcome(first.id, fixture.code(for: "a@example.com")) == .expired)
      fixture.clock.advance(.seconds(300))
      await expectError(.proof(.expired)) { try await fixture.service.redeem(proof) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a code stays valid after the clock was set ahead and back again`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      // An odd random number means no sweep; a sweep would expire the verification for good.
      let service = VerificationService(
        store: fixture.store, keys: fixture.keys, composer: fixture.composer,
        now: { [clock = fixture.clock] in clock.now },
        random: { UInt64.random(in: .min ... .max) | 1 })
      let started = try await service.start(to: "kim@example.com")
      fixture.clock.advance(.seconds(7_200))
      #expect(try await service.check(started.id, code: fixture.code()).outcome == .expired)
      fixture.clock.advance(.seconds(-7_200))
      #expect(try await service.check(started.id, code: fixture.code()).outcome == .approved)
    }
  }
}
