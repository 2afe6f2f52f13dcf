import PabalCore
import PabalStorage
import Testing

/// Starts and resends that a limit refuses aren't rendered, and nothing that the service remembers of a refusal refuses.
@Suite struct RefusedStartTests {
  typealias Backend = VerificationBackend

  @Test(arguments: Backend.allCases, [false, true])
  func `a start within the cooldown renders nothing, with a code or without`(
    _ backend: Backend, notice: Bool
  ) async throws {
    try await backend.withFixture { fixture in
      _ = try await fixture.service.start(to: "kim@example.com", notice: notice)
      for second in 0..<3 {
        await expectError(.limited(.cooldown, retryAfter: .seconds(60 - second))) {
          try await fixture.service.start(to: "Kim+a@example.com", notice: notice)
        }
        fixture.clock.advance(.seconds(1))
      }
      #expect(fixture.composer.all.count == 1)
      fixture.clock.advance(.seconds(57))
      _ = try await fixture.service.start(to: "kim@example.com", notice: notice)
      #expect(fixture.composer.all.count == 2)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a start beyond the caps of a recipient renders nothing`(_ backend: Backend) async throws {
    try await backend.withFixture({
      $0.cooldown = .zero
      $0.recipient = [RateLimit(2, per: .seconds(3_600))]
      $0.mailbox = [RateLimit(12, per: .seconds(3_600))]
      $0.quota = nil
    }) { fixture in
      for purpose in 0..<6 {
        for _ in 0..<2 { _ = try await fixture.service.start(to: "kim@example.com", purpose: "\(purpose)") }
        await expectError(.limited(.recipient, retryAfter: .seconds(600))) {
          try await fixture.service.start(to: "kim@example.com", purpose: "\(purpose)")
        }
      }
      // The cap of all purposes, beyond the events that are read at once.
      await expectError(.limited(.recipient, retryAfter: .seconds(600))) {
        try await fixture.service.start(to: "kim@example.com", purpose: "new")
      }
      #expect(fixture.composer.all.count == 12)
    }
  }

  @Test(arguments: Backend.allCases, [3, 12])
  func `a start beyond the cap of a client renders nothing`(_ backend: Backend, cap: Int) async throws {
    try await backend.withFixture({ $0.clientStarts = [RateLimit(cap, per: .seconds(600))] }) { fixture in
      for number in 0..<cap { _ = try await fixture.start("kim\(number)@example.com", client: "192.0.2.1") }
      for number in 0..<3 {
        await expectError(.limited(.client, retryAfter: .seconds(600))) {
          try await fixture.start("lee\(number)@example.com", client: "192.0.2.1")
        }
      }
      #expect(fixture.composer.all.count == cap)
      _ = try await fixture.start("lee@example.com", client: "192.0.2.2")
      _ = try await fixture.start("park@example.com")
    }
  }

  @Test(arguments: Backend.allCases)
  func `starts beyond the quota render one mail in all`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.quota = 5 }) { fixture in
      for number in 0..<4 { _ = try await fixture.start("kim\(number)@example.com") }
      for number in 0..<5 {
        await expectError(.limited(.overall, retryAfter: .seconds(86_400))) {
          try await fixture.start("lee\(number)@example.com")
        }
      }
      #expect(fixture.composer.all.count == 5)
    }
  }

  @Test(arguments: Backend.allCases)
  func `starts refused because of wrong codes render one mail in all`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.failures = 3 }) { fixture in
      let started = try await fixture.start()
      for step in 1...3 { _ = try await fixture.service.check(started.id, code: fixture.wrong(step)) }
      fixture.clock.advance(.seconds(60))
      for _ in 0..<3 {
        await expectError(.limited(.failures, retryAfter: .seconds(540))) { try await fixture.start() }
      }
      #expect(fixture.composer.all.count == 2)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a limit that another process reached costs one rendering`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      _ = try await fixture.start()
      let other = fixture.restarted()
      for _ in 0..<3 {
        await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
          try await other.start(to: "kim@example.com")
        }
      }
      #expect(fixture.composer.all.count == 2)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a refused resend renders nothing`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.sends = 2 }) { fixture in
      let id = try await fixture.start().id
      let other = fixture.restarted()
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) { try await other.resend(id) }
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
        try await fixture.service.resend(id)
      }
      #expect(fixture.composer.all.count == 1)
      fixture.clock.advance(.seconds(60))
      _ = try await fixture.service.resend(id)
      #expect(fixture.composer.all.count == 2)
      fixture.clock.advance(.seconds(60))
      await expectError(.limited(.verification, retryAfter: nil)) { try await fixture.service.resend(id) }
      #expect(fixture.composer.all.count == 2)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a refund makes room at once after a refusal`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) { try await fixture.start() }
      try await fixture.end(started, .rejected, outcome: "rejected")
      _ = try await fixture.start()
    }
  }

  @Test(arguments: Backend.allCases)
  func `a refusal before the clock was set back lasts no longer than the limit`(_ backend: Backend)
    async throws
  {
    try await backend.withFixture { fixture in
      _ = try await fixture.start()
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) { try await fixture.start() }
      fixture.clock.advance(.seconds(-86_400))
      for second in 0..<60 {
        await expectError(.limited(.cooldown, retryAfter: .seconds(60 - second))) {
          try await fixture.start()
        }
        fixture.clock.advance(.seconds(1))
      }
      _ = try await fixture.start()
    }
  }

  @Test(arguments: Backend.allCases)
  func `a repeated start returns the first one's verification while a limit refuses others`(
    _ backend: Backend
  ) async throws {
    try await backend.withFixture { fixture in
      let key = IdempotencyKey("first", client: "shop", payload: [1])
      func start(_ key: IdempotencyKey?) async throws -> IdempotentResult<Verification> {
        try await fixture.service.start(to: "kim@example.com", idempotencyKey: key)
      }
      let first = try await start(key)
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) { try await start(nil) }
      let second = try await start(key)
      #expect(second.isReplay && second.value.id == first.value.id && fixture.composer.all.count == 1)
    }
  }
}

extension VerificationFixture {
  /// Returns a service of another process on the same store.
  fileprivate func restarted() -> VerificationService {
    VerificationService(
      store: store, keys: keys, composer: composer, policy: policy, now: { [clock] in clock.now })
  }
}
