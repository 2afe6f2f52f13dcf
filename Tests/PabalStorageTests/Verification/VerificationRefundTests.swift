import PabalCore
import PabalStorage
import Testing

/// What every store of verifications keeps to: what is given back, and clocks that jump.
@Suite struct VerificationRefundTests {
  typealias Stores = VerificationStores

  @Test(arguments: Stores.allCases)
  func `a rejected mail gives cooldown and caps back`(_ stores: Stores) async throws {
    try await stores.withDesk({ $0.quota = 10 }) { desk in
      for _ in 0..<12 {
        let started = try await desk.start()
        try await desk.end(started, .rejected, outcome: "rejected")
        let status = try await desk.service.status(started.id)
        #expect(status.delivery?.state == .rejected && status.resendAt == desk.clock.now)
        #expect(status.sendsRemaining == 4)
      }
      let last = try await desk.start()
      try await desk.end(last, .rejected, outcome: "rejected")
      #expect(try await desk.service.resend(last.id).generation == 2)
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) { try await desk.start() }
    }
  }

  @Test(arguments: Stores.allCases)
  func `a rejection gives nothing back of what a client asked for`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      for _ in 0..<10 {
        let started = try await desk.start(client: "192.0.2.1")
        try await desk.end(started, .rejected, outcome: "rejected")
      }
      await expectError(.limited(.client, retryAfter: .seconds(600))) { try await desk.start(client: "192.0.2.1") }
    }
  }

  @Test(arguments: Stores.allCases)
  func `a rejected address gets no more mails than a verification may send, for all refunds`(
    _ stores: Stores
  ) async throws {
    try await stores.withDesk { desk in
      var verification = try await desk.start()
      for _ in 2...5 {
        try await desk.end(verification, .rejected, outcome: "rejected")
        verification = try await desk.service.resend(verification.id)
      }
      try await desk.end(verification, .rejected, outcome: "rejected")
      let id = verification.id
      await expectError(.limited(.verification, retryAfter: nil)) { try await desk.service.resend(id) }
    }
  }

  @Test(arguments: Stores.allCases)
  func `a client's resends count as its starts do`(_ stores: Stores) async throws {
    try await stores.withDesk({ $0.cooldown = .zero }) { desk in
      for number in 0..<5 {
        let started = try await desk.start("a\(number)@example.com", client: "192.0.2.1")
        _ = try await desk.service.resend(started.id, client: "192.0.2.1")
      }
      await expectError(.limited(.client, retryAfter: .seconds(600))) {
        try await desk.start("x@example.com", client: "192.0.2.1")
      }
    }
  }

  @Test(arguments: Stores.allCases)
  func `any other end gives nothing back`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      for (state, outcome) in [(OutboxState.sent, "sent"), (.unknown, "unknown"), (.cancelled, "deferred")] {
        let started = try await desk.start("\(outcome)@example.com")
        try await desk.end(started, state, outcome: outcome)
        await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
          try await desk.start("\(outcome)@example.com")
        }
      }
      let started = try await desk.start("cancelled@example.com")
      _ = try await desk.service.cancel(started.id)
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
        try await desk.start("cancelled@example.com")
      }
    }
  }

  // MARK: Clocks

  @Test(arguments: Stores.allCases)
  func `a clock set back holds nobody off for longer than the limit itself`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      desk.clock.pass(.seconds(365 * 86_400))
      _ = try await desk.start(client: "192.0.2.1")
      desk.clock.pass(.seconds(-365 * 86_400))
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) { try await desk.start() }
      desk.clock.pass(.seconds(60))
      _ = try await desk.start(client: "192.0.2.1")
      for _ in 0..<3 {
        desk.clock.pass(.seconds(60))
        _ = try await desk.start()
      }
      desk.clock.pass(.seconds(60))
      // The one from the future still counts.
      await expectError(.limited(.recipient, retryAfter: .seconds(3_300))) { try await desk.start() }
    }
  }

  @Test(arguments: Stores.allCases)
  func `a clock set back gives no code or proof more than another lifetime`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let first = try await desk.start("a@example.com")
      let second = try await desk.start("b@example.com")
      let proof = try #require(
        try await desk.service.check(second.id, code: desk.code(for: "b@example.com")).proof)
      desk.clock.pass(.seconds(-86_400))
      #expect(try await desk.outcome(first.id, desk.wrong(for: "a@example.com")) == .mismatch)
      #expect(try await desk.outcome(second.id, "000000") == .alreadyApproved)
      desk.clock.pass(.seconds(600))
      #expect(try await desk.outcome(first.id, desk.code(for: "a@example.com")) == .expired)
      desk.clock.pass(.seconds(300))
      await expectError(.proof(.expired)) { try await desk.service.redeem(proof) }
    }
  }

  @Test(arguments: Stores.allCases)
  func `a clock that jumps ahead and back again leaves a live code alive`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      // One check in sixteen sweeps, and what a sweep has ended stays so.
      let service = VerificationService(
        store: desk.store, keys: desk.keys, composer: desk.letters, now: { [clock = desk.clock] in clock.now },
        random: { UInt64.random(in: .min ... .max) | 1 })
      let started = try await service.start(to: "kim@example.com")
      desk.clock.pass(.seconds(7_200))
      #expect(try await service.check(started.id, code: desk.code()).outcome == .expired)
      desk.clock.pass(.seconds(-7_200))
      #expect(try await service.check(started.id, code: desk.code()).outcome == .approved)
    }
  }
}
