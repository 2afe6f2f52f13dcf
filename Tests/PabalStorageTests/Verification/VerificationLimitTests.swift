import PabalCore
import PabalStorage
import Testing

/// What every store of verifications keeps to: each limit at its edge and one past it.
@Suite struct VerificationLimitTests {
  typealias Stores = VerificationStores

  @Test(arguments: Stores.allCases)
  func `start and resend share a cooldown of a minute, and the live code stays valid`(
    _ stores: Stores
  ) async throws {
    try await stores.withDesk { desk in
      let started = try await desk.start()
      let code = try desk.code()
      desk.clock.pass(.milliseconds(59_999))
      for wait in [Duration.milliseconds(1)] {
        await expectError(.limited(.cooldown, retryAfter: wait)) { try await desk.start() }
        await expectError(.limited(.cooldown, retryAfter: wait)) { try await desk.start("KIM+tag@example.com") }
        for quoted in ["\"kim\"@example.com", "\"k\\im\"@example.com", "\"kim+2\"@example.com"] {
          await expectError(.limited(.cooldown, retryAfter: wait)) { try await desk.start(quoted) }
        }
        await expectError(.limited(.cooldown, retryAfter: wait)) { try await desk.service.resend(started.id) }
      }
      _ = try await desk.service.start(to: "kim@example.com", purpose: "login")
      #expect(try await desk.outcome(started.id, code) == .approved)
      desk.clock.pass(.milliseconds(1))
      _ = try await desk.start()
    }
  }

  @Test(arguments: Stores.allCases)
  func `without a cooldown the next mail goes at once`(_ stores: Stores) async throws {
    try await stores.withDesk({ $0.cooldown = .zero }) { desk in
      let started = try await desk.start()
      #expect(started.resendAt == desk.clock.now)
      #expect(try await desk.service.resend(started.id).generation == 2)
      _ = try await desk.start()
    }
  }

  @Test(arguments: Stores.allCases)
  func `a recipient gets five mails an hour, over a window that slides`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      for number in 1...5 {
        _ = try await desk.start(["kim@example.com", "Kim+\(number)@example.com"][number % 2])
        desk.clock.pass(.seconds(600))
      }
      // 3,000 seconds after the first.
      await expectError(.limited(.recipient, retryAfter: .seconds(600))) { try await desk.start() }
      desk.clock.pass(.milliseconds(599_999))
      await expectError(.limited(.recipient, retryAfter: .milliseconds(1))) { try await desk.start() }
      desk.clock.pass(.milliseconds(1))
      _ = try await desk.start()
      await expectError(.limited(.recipient, retryAfter: .seconds(600))) { try await desk.start() }
    }
  }

  @Test(arguments: Stores.allCases)
  func `a recipient gets ten mails a day`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      for _ in 1...10 {
        _ = try await desk.start()
        desk.clock.pass(.seconds(1_800))
      }
      await expectError(.limited(.recipient, retryAfter: .seconds(86_400 - 18_000))) { try await desk.start() }
      desk.clock.pass(.seconds(86_400 - 18_000))
      _ = try await desk.start()
    }
  }

  @Test(arguments: Stores.allCases)
  func `a verification sends five mails`(_ stores: Stores) async throws {
    try await stores.withDesk({ $0.recipient = [] }) { desk in
      let started = try await desk.start()
      for number in 2...5 {
        desk.clock.pass(.seconds(60))
        #expect(try await desk.service.resend(started.id).sendsRemaining == 5 - number)
      }
      #expect(try await desk.service.status(started.id).resendAt == nil)
      let code = try desk.code()
      desk.clock.pass(.seconds(60))
      await expectError(.limited(.verification, retryAfter: nil)) { try await desk.service.resend(started.id) }
      #expect(try await desk.outcome(started.id, code) == .approved)
      desk.clock.pass(.seconds(60))
      _ = try await desk.start()
    }
  }

  @Test(arguments: Stores.allCases)
  func `a client starts ten in ten minutes and fifty a day`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      for number in 0..<50 {
        if number > 0, number % 10 == 0 {
          await expectError(.limited(.client, retryAfter: .seconds(600))) {
            try await desk.start("x@example.com", client: "192.0.2.1")
          }
          _ = try await desk.start("other\(number)@example.com", client: "192.0.2.2")
          _ = try await desk.start("none\(number)@example.com")
          desk.clock.pass(.seconds(600))
        }
        _ = try await desk.start("a\(number)@example.com", client: "192.0.2.1")
      }
      desk.clock.pass(.seconds(600))
      await expectError(.limited(.client, retryAfter: .seconds(86_400 - 3_000))) {
        try await desk.start("x@example.com", client: "::ffff:192.0.2.1")
      }
      desk.clock.pass(.seconds(86_400 - 3_000))
      _ = try await desk.start("x@example.com", client: "192.0.2.1")
    }
  }

  @Test(arguments: Stores.allCases)
  func `a network of 64 bits is one client`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      for number in 0..<10 {
        _ = try await desk.start("a\(number)@example.com", client: "2001:db8:1:2:\(number)::1")
      }
      await expectError(.limited(.client, retryAfter: .seconds(600))) {
        try await desk.start("x@example.com", client: "2001:db8:1:2:ffff:ffff:ffff:ffff")
      }
      _ = try await desk.start("x@example.com", client: "2001:db8:1:3::1")
    }
  }

  @Test(arguments: Stores.allCases)
  func `a client checks thirty codes in five minutes`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let ids = try await [0, 1, 2, 3, 4, 5, 6].asyncMap { try await desk.start("a\($0)@example.com").id }
      for number in 0..<30 {
        _ = try await desk.service.check(
          ids[number / 5], code: desk.wrong(for: "a\(number / 5)@example.com"), client: "192.0.2.1")
      }
      let code = try desk.code(for: "a6@example.com")
      await expectError(.limited(.client, retryAfter: .seconds(300))) {
        try await desk.service.check(ids[6], code: code, client: "192.0.2.1")
      }
      #expect(try await desk.service.status(ids[6]).attemptsRemaining == 5)
      desk.clock.pass(.seconds(300))
      #expect(try await desk.service.check(ids[6], code: code, client: "192.0.2.1").outcome == .approved)
    }
  }

  @Test(arguments: Stores.allCases)
  func `starts use four fifths of what the transports take in a day, resends all of it`(
    _ stores: Stores
  ) async throws {
    try await stores.withDesk({
      $0.quota = 10
      $0.cooldown = .zero
    }) { desk in
      let started = try await [1, 2, 3, 4, 5, 6, 7, 8].asyncMap { try await desk.start("a\($0)@example.com") }
      await expectError(.limited(.overall, retryAfter: .seconds(86_400))) { try await desk.start("x@example.com") }
      for verification in started.prefix(2) { _ = try await desk.service.resend(verification.id) }
      await expectError(.limited(.overall, retryAfter: .seconds(86_400))) {
        try await desk.service.resend(started[2].id)
      }
      desk.clock.pass(.seconds(86_400))
      _ = try await desk.start("x@example.com")
    }
  }

  @Test(arguments: Stores.allCases)
  func `a hundred wrong codes in a row block a recipient and purpose for a day`(
    _ stores: Stores
  ) async throws {
    try await stores.withDesk({
      $0.cooldown = .zero
      $0.recipient = []
    }) { desk in
      var verification = try await desk.start()
      for number in 0..<99 {
        if number > 0, number % 5 == 0 { verification = try await desk.start() }
        #expect(try await desk.outcome(verification.id, desk.wrong(number % 5 + 1)) == .mismatch)
        desk.clock.pass(.seconds(60))
      }
      // What can't be a code, and what was one, is no failure.
      verification = try await desk.start()
      #expect(try await desk.outcome(verification.id, "x") == .mismatch)
      let live = try await desk.service.resend(verification.id)
      let other = try await desk.service.start(to: "kim@example.com", purpose: "login")
      let otherCode = try desk.code()
      verification = try await desk.start()
      let code = try desk.code()
      #expect(try await desk.outcome(verification.id, desk.wrong()) == .mismatch)
      await expectError(.limited(.failures, retryAfter: .seconds(86_400))) {
        try await desk.outcome(verification.id, code)
      }
      await expectError(.limited(.failures, retryAfter: .seconds(86_400))) {
        try await desk.start("Kim+a@example.com")
      }
      #expect(live.id != verification.id)
      #expect(try await desk.outcome(other.id, otherCode) == .approved)
      desk.clock.pass(.seconds(86_400))
      verification = try await desk.start()
      #expect(try await desk.outcome(verification.id, desk.wrong()) == .mismatch)
      #expect(try await desk.outcome(verification.id, desk.code()) == .approved)
    }
  }

  @Test(arguments: Stores.allCases)
  func `the right code ends a row of wrong ones`(_ stores: Stores) async throws {
    try await stores.withDesk({
      $0.failures = 6
      $0.cooldown = .zero
    }) { desk in
      let first = try await desk.start()
      for number in 1...4 { _ = try await desk.outcome(first.id, desk.wrong(number)) }
      #expect(try await desk.outcome(first.id, desk.code()) == .approved)
      let second = try await desk.start()
      for number in 1...4 { _ = try await desk.outcome(second.id, desk.wrong(number)) }
      #expect(try await desk.outcome(second.id, desk.code()) == .approved)
    }
  }
}

extension Array {
  fileprivate func asyncMap<Value>(_ body: (Element) async throws -> Value) async rethrows -> [Value] {
    var values: [Value] = []
    for element in self { values.append(try await body(element)) }
    return values
  }
}
