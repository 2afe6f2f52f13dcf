import PabalCore
import PabalStorage
import Testing

/// The contract of every verification store: refunds, and clocks that are set.
@Suite struct VerificationRefundTests {
  typealias Backend = VerificationBackend

  @Test(arguments: Backend.allCases)
  func `a rejected mail ends its verification and refunds the cooldown and the caps`(_ backend: Backend)
    async throws
  {
    try await backend.withFixture({ $0.quota = 10 }) { fixture in
      for notice in [false, true] {
        let started = try await fixture.service.start(to: "\(notice)@example.com", notice: notice)
        try await fixture.end(started, .rejected, outcome: "rejected")
        let status = try await fixture.service.status(started.id)
        #expect(status.state == .undeliverable && status.delivery?.state == .rejected)
        #expect(status.resendAt == nil && status.sendsRemaining == 0 && status.attemptsRemaining == 0)
        let result = try await fixture.service.check(started.id, code: "000000")
        #expect(result.outcome == .undeliverable && result.attemptsRemaining == 0)
        await expectError(.ended(.undeliverable)) { try await fixture.service.resend(started.id) }
        await expectError(.ended(.undeliverable)) { try await fixture.service.cancel(started.id) }
        // The cooldown and the caps are refunded: the next start is allowed at once.
        _ = try await fixture.service.start(to: "\(notice)@example.com", notice: notice)
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `the right code of a rejected mail isn't approved`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      try await fixture.end(started, .rejected, outcome: "rejected")
      #expect(try await fixture.outcome(started.id, fixture.code()) == .undeliverable)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a recipient is refunded once in an hour, over all purposes and spellings`(_ backend: Backend)
    async throws
  {
    try await backend.withFixture { fixture in
      func rejected(_ address: String, _ purpose: String) async throws {
        let started = try await fixture.service.start(to: address, purpose: purpose)
        try await fixture.end(started, .rejected, outcome: "rejected")
      }
      try await rejected("kim.lee@gmail.com", "sign-up")
      try await rejected("kim.lee@gmail.com", "sign-up")
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
        try await rejected("kimlee@gmail.com", "sign-up")
      }
      try await rejected("kimlee@googlemail.com", "login")
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
        try await rejected("kimlee@gmail.com", "login")
      }
      try await rejected("other@gmail.com", "sign-up")
      try await rejected("other@gmail.com", "sign-up")
      fixture.clock.advance(.seconds(3_599))
      try await rejected("kimlee@gmail.com", "sign-up")
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
        try await rejected("kimlee@gmail.com", "sign-up")
      }
      fixture.clock.advance(.seconds(60))
      try await rejected("kimlee@gmail.com", "sign-up")
      try await rejected("kimlee@gmail.com", "sign-up")
      while try await fixture.service.sweep() {}
    }
  }

  @Test(arguments: Backend.allCases)
  func `a newer code survives the rejection of an older mail`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.cooldown = .zero }) { fixture in
      let started = try await fixture.start()
      let lease = OutboxEntry.Lease(owner: "test", until: fixture.clock.now + .seconds(30))
      let claimed = try await fixture.outbox.claim(OutboxClaim(lease, now: fixture.clock.now, limit: 1))
      _ = try await fixture.service.resend(started.id)
      _ = try await fixture.outbox.settle([
        OutboxSettlement(
          try #require(claimed.first), .final(.rejected), outcome: "rejected", now: fixture.clock.now)
      ])
      #expect(try await fixture.outcome(started.id, fixture.code()) == .approved)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a rejection doesn't refund the limits of the client`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      for number in 0..<10 {
        let started = try await fixture.start("a\(number)@example.com", client: "192.0.2.1")
        try await fixture.end(started, .rejected, outcome: "rejected")
      }
      await expectError(.limited(.client, retryAfter: .seconds(600))) {
        try await fixture.start("a0@example.com", client: "192.0.2.1")
      }
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
      await expectError(.limited(.recipient, retryAfter: .seconds(540))) { try await fixture.start() }
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
