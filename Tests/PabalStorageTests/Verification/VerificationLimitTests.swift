import PabalCore
import PabalStorage
import Testing

/// The contract of every verification store: each limit at its edge and one step past it.
@Suite struct VerificationLimitTests {
  typealias Backend = VerificationBackend

  @Test(arguments: Backend.allCases)
  func `starts and resends share a cooldown of a minute, during which the code stays valid`(
    _ backend: Backend
  ) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      let code = try fixture.code()
      fixture.clock.advance(.milliseconds(59_999))
      let cooldown = VerificationError.limited(.cooldown, retryAfter: .milliseconds(1))
      let spellings = [
        "kim@example.com", "KIM+tag@example.com", "\"kim\"@example.com", "\"k\\im\"@example.com",
        "\"kim+2\"@example.com",
      ]
      for address in spellings { await expectError(cooldown) { try await fixture.start(address) } }
      await expectError(cooldown) { try await fixture.service.resend(started.id) }
      _ = try await fixture.service.start(to: "kim@example.com", purpose: "login")
      #expect(try await fixture.outcome(started.id, code) == .approved)
      fixture.clock.advance(.milliseconds(1))
      _ = try await fixture.start()
    }
  }

  @Test(arguments: Backend.allCases)
  func `without a cooldown the next mail is sent at once`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.cooldown = .zero }) { fixture in
      let started = try await fixture.start()
      #expect(started.resendAt == fixture.clock.now)
      #expect(try await fixture.service.resend(started.id).generation == 2)
      _ = try await fixture.start()
    }
  }

  @Test(arguments: Backend.allCases)
  func `a recipient gets five mails in an hour, over a sliding window`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      func start(_ address: String = "kim@example.com") async throws {
        _ = try await fixture.start(address, client: "192.0.2.1")
      }
      for number in 1...5 {
        try await start(["kim@example.com", "Kim+\(number)@example.com"][number % 2])
        fixture.clock.advance(.seconds(600))
      }
      // 3,000 seconds have passed since the first start.
      await expectError(.limited(.recipient, retryAfter: .seconds(600))) { try await start() }
      fixture.clock.advance(.milliseconds(599_999))
      await expectError(.limited(.recipient, retryAfter: .milliseconds(1))) { try await start() }
      fixture.clock.advance(.milliseconds(1))
      try await start()
      await expectError(.limited(.recipient, retryAfter: .seconds(600))) { try await start() }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a recipient gets ten mails in a day`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      for _ in 1...10 {
        _ = try await fixture.start(client: "192.0.2.1")
        fixture.clock.advance(.seconds(1_800))
      }
      await expectError(.limited(.recipient, retryAfter: .seconds(86_400 - 18_000))) {
        try await fixture.start(client: "192.0.2.1")
      }
      fixture.clock.advance(.seconds(86_400 - 18_000))
      _ = try await fixture.start(client: "192.0.2.1")
    }
  }

  @Test(arguments: Backend.allCases)
  func `a mailbox gets ten mails in an hour over all purposes and spellings`(_ backend: Backend) async throws
  {
    try await backend.withFixture { fixture in
      let spellings = ["kim.lee@gmail.com", "kimlee@gmail.com", "K.I.M.lee+x@googlemail.com"]
      for number in 0..<10 {
        _ = try await fixture.service.start(to: spellings[number % 3], purpose: "purpose-\(number)")
      }
      for (purpose, address) in [("other", "kimlee@gmail.com"), ("purpose-x", "k.i.m.l.e.e@googlemail.com")] {
        let error = await #expect(throws: VerificationError.self) {
          try await fixture.service.start(to: address, purpose: purpose)
        }
        guard case .limited(.recipient, _)? = error else {
          Issue.record("\(String(describing: error))")
          continue
        }
      }
      #expect(fixture.composer.all.map(\.to.description).prefix(3).elementsEqual(spellings))
      // Composed and decomposed accents are one mailbox.
      _ = try await fixture.start("caf\u{E9}@example.com")
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
        try await fixture.start("cafe\u{301}@example.com")
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a verification sends five mails`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.recipient = [] }) { fixture in
      let started = try await fixture.start()
      for number in 2...5 {
        fixture.clock.advance(.seconds(60))
        #expect(try await fixture.service.resend(started.id).sendsRemaining == 5 - number)
      }
      #expect(try await fixture.service.status(started.id).resendAt == nil)
      let code = try fixture.code()
      fixture.clock.advance(.seconds(60))
      await expectError(.limited(.verification, retryAfter: nil)) {
        try await fixture.service.resend(started.id)
      }
      #expect(try await fixture.outcome(started.id, code) == .approved)
      fixture.clock.advance(.seconds(60))
      _ = try await fixture.start()
    }
  }

  @Test(arguments: Backend.allCases)
  func `a client may start ten verifications in ten minutes and fifty in a day`(_ backend: Backend)
    async throws
  {
    try await backend.withFixture { fixture in
      for number in 0..<50 {
        if number > 0, number % 10 == 0 {
          await expectError(.limited(.client, retryAfter: .seconds(600))) {
            try await fixture.start("x@example.com", client: "192.0.2.1")
          }
          _ = try await fixture.start("other\(number)@example.com", client: "192.0.2.2")
          _ = try await fixture.start("none\(number)@example.com")
          fixture.clock.advance(.seconds(600))
        }
        _ = try await fixture.start("a\(number)@example.com", client: "192.0.2.1")
      }
      fixture.clock.advance(.seconds(600))
      await expectError(.limited(.client, retryAfter: .seconds(86_400 - 3_000))) {
        try await fixture.start("x@example.com", client: "::ffff:192.0.2.1")
      }
      fixture.clock.advance(.seconds(86_400 - 3_000))
      _ = try await fixture.start("x@example.com", client: "192.0.2.1")
    }
  }

  @Test(arguments: Backend.allCases)
  func `an IPv6 network of 64 bits counts as one client`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      for number in 0..<10 {
        _ = try await fixture.start("a\(number)@example.com", client: "2001:db8:1:2:\(number)::1")
      }
      await expectError(.limited(.client, retryAfter: .seconds(600))) {
        try await fixture.start("x@example.com", client: "2001:db8:1:2:ffff:ffff:ffff:ffff")
      }
      _ = try await fixture.start("x@example.com", client: "2001:db8:1:3::1")
    }
  }

  @Test(arguments: Backend.allCases)
  func `a client may check thirty codes in five minutes`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let ids = try await [0, 1, 2, 3, 4, 5, 6].asyncMap { try await fixture.start("a\($0)@example.com").id }
      for number in 0..<30 {
        _ = try await fixture.service.check(
          ids[number / 5], code: fixture.wrong(for: "a\(number / 5)@example.com"), client: "192.0.2.1")
      }
      let code = try fixture.code(for: "a6@example.com")
      await expectError(.limited(.client, retryAfter: .seconds(300))) {
        try await fixture.service.check(ids[6], code: code, client: "192.0.2.1")
      }
      #expect(try await fixture.service.status(ids[6]).attemptsRemaining == 5)
      fixture.clock.advance(.seconds(300))
      #expect(try await fixture.service.check(ids[6], code: code, client: "192.0.2.1").outcome == .approved)
    }
  }

  @Test(arguments: Backend.allCases)
  func `starts may use 80 % of the daily quota, resends all of it`(
    _ backend: Backend
  ) async throws {
    try await backend.withFixture({
      $0.quota = 10
      $0.cooldown = .zero
    }) { fixture in
      let started = try await [1, 2, 3, 4, 5, 6, 7, 8].asyncMap {
        try await fixture.start("a\($0)@example.com")
      }
      await expectError(.limited(.overall, retryAfter: .seconds(86_400))) {
        try await fixture.start("x@example.com")
      }
      for verification in started.prefix(2) { _ = try await fixture.service.resend(verification.id) }
      await expectError(.limited(.overall, retryAfter: .seconds(86_400))) {
        try await fixture.service.resend(started[2].id)
      }
      fixture.clock.advance(.seconds(86_400))
      _ = try await fixture.start("x@example.com")
    }
  }

  @Test(arguments: Backend.allCases)
  func `a hundred consecutive wrong codes block the verifications of a recipient and purpose`(
    _ backend: Backend
  ) async throws {
    try await backend.withFixture({
      $0.cooldown = .zero
      $0.recipient = []
    }) { fixture in
      var verification = try await fixture.start()
      for number in 0..<99 {
        if number > 0, number % 5 == 0 { verification = try await fixture.start() }
        #expect(try await fixture.outcome(verification.id, fixture.wrong(number % 5 + 1)) == .mismatch)
        fixture.clock.advance(.seconds(60))
      }
      // Input that can't be a code and a replaced code don't count as failures.
      verification = try await fixture.start()
      #expect(try await fixture.outcome(verification.id, "x") == .mismatch)
      let live = try await fixture.service.resend(verification.id)
      let other = try await fixture.service.start(to: "kim@example.com", purpose: "login")
      let otherCode = try fixture.code()
      verification = try await fixture.start()
      let code = try fixture.code()
      #expect(try await fixture.outcome(verification.id, fixture.wrong()) == .mismatch)
      await expectError(.limited(.failures, retryAfter: .seconds(600))) {
        try await fixture.outcome(verification.id, code)
      }
      await expectError(.limited(.failures, retryAfter: .seconds(600))) {
        try await fixture.start("Kim+a@example.com")
      }
      #expect(live.id != verification.id)
      #expect(try await fixture.outcome(other.id, otherCode) == .approved)
      fixture.clock.advance(.seconds(86_400))
      verification = try await fixture.start()
      #expect(try await fixture.outcome(verification.id, fixture.wrong()) == .mismatch)
      #expect(try await fixture.outcome(verification.id, fixture.code()) == .approved)
    }
  }

  @Test(arguments: Backend.allCases)
  func `the right code resets the count of wrong codes`(_ backend: Backend) async throws {
    try await backend.withFixture({
      $0.failures = 6
      $0.cooldown = .zero
    }) { fixture in
      let first = try await fixture.start()
      for number in 1...4 { _ = try await fixture.outcome(first.id, fixture.wrong(number)) }
      #expect(try await fixture.outcome(first.id, fixture.code()) == .approved)
      let second = try await fixture.start()
      for number in 1...4 { _ = try await fixture.outcome(second.id, fixture.wrong(number)) }
      #expect(try await fixture.outcome(second.id, fixture.code()) == .approved)
    }
  }
}
