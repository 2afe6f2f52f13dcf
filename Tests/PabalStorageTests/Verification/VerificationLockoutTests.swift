import PabalCore
import PabalStorage
import Testing

/// The contract of every verification store: what a stranger who knows an address can do to its owner.
@Suite struct VerificationLockoutTests {
  typealias Backend = VerificationBackend

  @Test(arguments: Backend.allCases)
  func `caps used up by others allow one mail in each lifetime of a code, with one attempt`(
    _ backend: Backend
  )
    async throws
  {
    try await backend.withFixture { fixture in
      for number in 0..<5 {
        if number > 0 { fixture.clock.advance(.seconds(60)) }
        _ = try await fixture.start(client: "192.0.2.\(number)")
      }
      fixture.clock.advance(.seconds(60))
      await expectError(.limited(.recipient, retryAfter: .seconds(540))) {
        try await fixture.start(client: "203.0.113.1")
      }
      fixture.clock.advance(.seconds(540))
      let started = try await fixture.start(client: "203.0.113.1")
      #expect(started.attemptsRemaining == 1)
      let code = try fixture.code()
      await expectError(.limited(.recipient, retryAfter: .seconds(600))) {
        try await fixture.start(client: "203.0.113.2")
      }
      #expect(try await fixture.outcome(started.id, code) == .approved)
      fixture.clock.advance(.seconds(600))
      let next = try await fixture.start(client: "203.0.113.2")
      #expect(try await fixture.outcome(next.id, fixture.wrong()) == .mismatch)
      #expect(try await fixture.service.status(next.id).state == .exhausted)
    }
  }

  @Test(arguments: Backend.allCases)
  func `one client's address can't cause more mails than the caps say`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      for _ in 0..<5 {
        _ = try await fixture.start(client: "192.0.2.1")
        fixture.clock.advance(.seconds(60))
      }
      await expectError(.limited(.recipient, retryAfter: .seconds(3_300))) {
        try await fixture.start(client: "192.0.2.1")
      }
      fixture.clock.advance(.seconds(600))
      await expectError(.limited(.recipient, retryAfter: .seconds(2_700))) {
        try await fixture.start(client: "192.0.2.1")
      }
      _ = try await fixture.start(client: "192.0.2.2")
    }
  }

  @Test(arguments: Backend.allCases)
  func `a block by wrong codes leaves one code in each lifetime`(_ backend: Backend) async throws {
    try await backend.withFixture({
      $0.failures = 5
      $0.cooldown = .zero
    }) { fixture in
      let attacked = try await fixture.start()
      for step in 1...5 { _ = try await fixture.outcome(attacked.id, fixture.wrong(step)) }
      await expectError(.limited(.failures, retryAfter: .seconds(600))) { try await fixture.start() }
      fixture.clock.advance(.seconds(600))
      let wrong = try await fixture.start()
      #expect(wrong.attemptsRemaining == 1)
      #expect(try await fixture.outcome(wrong.id, fixture.wrong()) == .mismatch)
      // The block goes on for a day after the last wrong code.
      await expectError(.limited(.failures, retryAfter: .seconds(600))) { try await fixture.start() }
      fixture.clock.advance(.seconds(600))
      let right = try await fixture.start()
      #expect(try await fixture.outcome(right.id, fixture.code()) == .approved)
      #expect(try await fixture.start().attemptsRemaining == 5)
    }
  }

  @Test(arguments: Backend.allCases)
  func `up to three verifications of a recipient stay valid, with the attempts of one`(_ backend: Backend)
    async throws
  {
    try await backend.withFixture({
      $0.simultaneous = 3
      $0.cooldown = .zero
    }) { fixture in
      let first = try await fixture.start()
      let code = try fixture.code()
      let second = try await fixture.start()
      #expect(try await fixture.outcome(second.id, fixture.wrong()) == .mismatch)
      let third = try await fixture.start()
      #expect(third.attemptsRemaining == 4)
      let other = try await fixture.start("lee@example.com")
      #expect(other.attemptsRemaining == 5)
      for verification in [first, second, third] {
        let status = try await fixture.service.status(verification.id)
        #expect(status.state == .pending && status.attemptsRemaining == 4)
      }
      #expect(try await fixture.service.check(third.id, code: fixture.wrong(2)).attemptsRemaining == 3)
      // The fourth replaces the oldest.
      let fourth = try await fixture.start()
      #expect(try await fixture.service.status(first.id).state == .superseded)
      #expect(try await fixture.outcome(first.id, code) == .superseded)
      for step in 3...4 { _ = try await fixture.outcome(second.id, fixture.wrong(step)) }
      #expect(try await fixture.service.check(fourth.id, code: fixture.wrong(5)).attemptsRemaining == 0)
      for verification in [second, third, fourth] {
        #expect(try await fixture.service.status(verification.id).state == .exhausted)
      }
      #expect(try await fixture.outcome(third.id, "000000") == .exhausted)
    }
  }

  @Test(arguments: Backend.allCases)
  func `each of several valid codes is approved in its own verification only`(_ backend: Backend) async throws
  {
    try await backend.withFixture({
      $0.simultaneous = 2
      $0.cooldown = .zero
    }) { fixture in
      let first = try await fixture.start()
      let code = try fixture.code()
      let second = try await fixture.start()
      let other = try fixture.code()
      if code != other { #expect(try await fixture.outcome(second.id, code) == .mismatch) }
      #expect(try await fixture.outcome(second.id, other) == .approved)
      #expect(try await fixture.outcome(first.id, code) == .approved)
    }
  }

  @Test(arguments: Backend.allCases)
  func `by default a newer start replaces the older one`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.cooldown = .zero }) { fixture in
      let first = try await fixture.start()
      _ = try await fixture.start()
      #expect(try await fixture.service.status(first.id).state == .superseded)
    }
  }
}
