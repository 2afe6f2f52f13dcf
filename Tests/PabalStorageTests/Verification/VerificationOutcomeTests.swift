import PabalCore
import PabalStorage
import Testing

/// The contract of every verification store: outcomes.
@Suite struct VerificationOutcomeTests {
  typealias Backend = VerificationBackend

  @Test(arguments: Backend.allCases)
  func `the right code is approved once, and its proof is redeemed once`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.service.start(
        to: "Kim@Example.COM", purpose: "login", languages: ["ko"], variables: ["name": "김"])
      #expect(started.state == .pending && started.generation == 1 && started.purpose == "login")
      #expect(started.masked == "K***@example.com" && started.digits == 6 && started.language == "ko")
      #expect(started.attemptsRemaining == 5 && started.sendsRemaining == 4)
      #expect(started.expires == fixture.clock.now + .seconds(600))
      #expect(started.resendAt == fixture.clock.now + .seconds(60))
      #expect(started.delivery?.state == .waiting)
      #expect(started.id.count == 26 && started.reference == started.id.suffix(6))
      let mailRequest = try #require(fixture.composer.all.first)
      #expect(mailRequest.to.description == "Kim@example.com" && mailRequest.variables == ["name": "김"])
      #expect(mailRequest.validFor == .seconds(600) && mailRequest.message == "verification")

      let code = try fixture.code(for: "Kim@example.com")
      let result = try await fixture.service.check(started.id, code: code)
      #expect(result.outcome == .approved)
      let proof = try #require(result.proof)
      let repeated = try await fixture.service.check(started.id, code: code)
      #expect(repeated.outcome == .alreadyApproved && repeated.proof == nil)
      #expect(try await fixture.service.status(started.id).state == .approved)

      fixture.clock.advance(.seconds(30))
      let proven = try await fixture.service.redeem(proof)
      #expect(proven.id == started.id && proven.purpose == "login")
      #expect(proven.address.description == "Kim@example.com")
      #expect(proven.approved == fixture.clock.now - .seconds(30))
      await expectError(.proof(.redeemed)) { try await fixture.service.redeem(proof) }
      #expect(try await fixture.service.status(started.id).state == .consumed)
      #expect(try await fixture.outcome(started.id, code) == .alreadyApproved)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a proof can be redeemed for fifteen minutes`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      for (age, error) in [(899.0, nil), (900.0, ProofError.expired)] {
        let started = try await fixture.start("a\(Int(age))@example.com")
        let code = try fixture.code(for: "a\(Int(age))@example.com")
        let proof = try #require(try await fixture.service.check(started.id, code: code).proof)
        fixture.clock.advance(.seconds(age))
        if let error {
          await expectError(.proof(error)) { try await fixture.service.redeem(proof) }
        } else {
          #expect(try await fixture.service.redeem(proof).id == started.id)
        }
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a proof that was never issued can't be redeemed`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      await expectError(.proof(.unknown)) { try await fixture.service.redeem("\(started.id).") }
      let proof = try #require(try await fixture.service.check(started.id, code: fixture.code()).proof)
      for text in [
        "", ".", started.id, "\(proof)0", String(proof.dropLast()), "x.\(proof)", "\(started.id).0",
      ] {
        await expectError(.proof(.unknown)) { try await fixture.service.redeem(text) }
      }
      #expect(try await fixture.service.redeem(proof).id == started.id)
    }
  }

  @Test(arguments: Backend.allCases)
  func `after five wrong codes the right one isn't checked`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      for number in 1...5 {
        let result = try await fixture.service.check(started.id, code: fixture.wrong(number))
        #expect(result.outcome == .mismatch && result.attemptsRemaining == 5 - number && result.proof == nil)
      }
      #expect(try await fixture.outcome(started.id, fixture.code()) == .exhausted)
      let status = try await fixture.service.status(started.id)
      #expect(status.state == .exhausted && status.attemptsRemaining == 0 && status.resendAt == nil)
      fixture.clock.advance(.seconds(60))
      await expectError(.ended(.exhausted)) { try await fixture.service.resend(started.id) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `the fifth attempt can be approved`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      for number in 1...4 {
        #expect(try await fixture.outcome(started.id, fixture.wrong(number)) == .mismatch)
      }
      #expect(try await fixture.outcome(started.id, fixture.code()) == .approved)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a resend replaces the code and doesn't reset the attempts`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      let first = try fixture.code()
      for number in 1...3 { _ = try await fixture.outcome(started.id, fixture.wrong(number)) }
      fixture.clock.advance(.seconds(60))
      let repeated = try await fixture.service.resend(started.id)
      #expect(repeated.id == started.id && repeated.generation == 2 && repeated.attemptsRemaining == 2)
      #expect(repeated.sendsRemaining == 3 && repeated.expires == fixture.clock.now + .seconds(600))
      #expect(repeated.delivery?.mail != started.delivery?.mail && repeated.delivery?.state == .waiting)
      let older = try await fixture.outbox.read(OutboxQuery(ids: [try #require(started.delivery?.mail)]))
      #expect(older.entries.map(\.state) == [.superseded])

      let superseded = try await fixture.service.check(started.id, code: first)
      #expect(superseded.outcome == .superseded && superseded.attemptsRemaining == 1)
      #expect(try await fixture.outcome(started.id, fixture.code()) == .approved)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a newer start supersedes the older verification`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let older = try await fixture.start("kim@example.com")
      let first = try fixture.code()
      fixture.clock.advance(.seconds(60))
      let newer = try await fixture.start("KIM@example.com")
      #expect(newer.id != older.id)
      #expect(try await fixture.outcome(older.id, first) == .superseded)
      #expect(try await fixture.service.status(older.id).state == .superseded)
      #expect(try await fixture.service.status(older.id).delivery?.state == .superseded)
      // A person with two mails may type the old code for the new verification.
      let result = try await fixture.service.check(newer.id, code: first)
      #expect(result.outcome == .superseded && result.attemptsRemaining == 4)
      #expect(try await fixture.outcome(newer.id, fixture.code(for: "KIM@example.com")) == .approved)
    }
  }

  @Test(arguments: Backend.allCases)
  func `other purposes, addresses and tags have separate verifications`(
    _ backend: Backend
  ) async throws {
    try await backend.withFixture({ $0.cooldown = .zero }) { fixture in
      let first = try await fixture.start()
      let code = try fixture.code()
      _ = try await fixture.service.start(to: "kim@example.com", purpose: "login")
      _ = try await fixture.start("kim+x@example.com")
      _ = try await fixture.start("lee@example.com")
      #expect(try await fixture.outcome(first.id, code) == .approved)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a code is valid for ten minutes`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let first = try await fixture.start("a@example.com")
      let second = try await fixture.start("b@example.com")
      fixture.clock.advance(.milliseconds(599_999))
      #expect(try await fixture.outcome(first.id, fixture.code(for: "a@example.com")) == .approved)
      fixture.clock.advance(.milliseconds(1))
      let result = try await fixture.service.check(second.id, code: fixture.code(for: "b@example.com"))
      #expect(result.outcome == .expired && result.attemptsRemaining == 0)
      #expect(try await fixture.service.status(second.id).state == .expired)
      await expectError(.ended(.expired)) { try await fixture.service.resend(second.id) }
      await expectError(.ended(.expired)) { try await fixture.service.cancel(second.id) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a cancelled verification isn't sent, resent or approved`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      let cancelled = try await fixture.service.cancel(started.id)
      #expect(cancelled.state == .cancelled && cancelled.delivery?.state == .cancelled)
      #expect(try await fixture.service.cancel(started.id).state == .cancelled)
      #expect(try await fixture.outcome(started.id, fixture.code()) == .cancelled)
      await expectError(.ended(.cancelled)) { try await fixture.service.resend(started.id) }
      let approved = try await fixture.start("b@example.com")
      _ = try await fixture.outcome(approved.id, fixture.code(for: "b@example.com"))
      await expectError(.ended(.approved)) { try await fixture.service.cancel(approved.id) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `an id that was never issued is unknown`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      await expectError(.unknown) { try await fixture.service.check("X", code: "000000") }
      await expectError(.unknown) { try await fixture.service.status("") }
      await expectError(.unknown) { try await fixture.service.resend("X") }
      await expectError(.unknown) { try await fixture.service.cancel("X") }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a notice looks like any other verification and is never approved`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let usual = try await fixture.service.start(to: "a@example.com", languages: ["ko"], client: "192.0.2.1")
      let notice = try await fixture.service.start(
        to: "b@example.com", languages: ["ko"], message: "registered", notice: true, client: "192.0.2.1")
      let mailRequest = try #require(fixture.composer.all.last)
      #expect(mailRequest.code == nil && mailRequest.message == "registered")
      func shape(_ verification: Verification) -> [String] {
        [
          "\(verification.state)", "\(verification.generation)", "\(verification.created)",
          "\(verification.expires)", "\(verification.resendAt as Any)", "\(verification.sendsRemaining)",
          "\(verification.attemptsRemaining)", "\(verification.digits)", "\(verification.language as Any)",
          "\(verification.delivery?.state as Any)", "\(verification.id.count)", verification.purpose,
        ]
      }
      #expect(shape(usual) == shape(notice))
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
        try await fixture.service.start(to: "b@example.com", notice: true)
      }
      fixture.clock.advance(.seconds(60))
      #expect(try await fixture.service.resend(notice.id).generation == 2)
      #expect(fixture.composer.all.last?.code == nil && fixture.composer.all.last?.message == "registered")
      for number in 1...5 {
        let result = try await fixture.service.check(notice.id, code: "00000\(number)")
        #expect(result.outcome == .mismatch && result.attemptsRemaining == 5 - number)
      }
      #expect(try await fixture.outcome(notice.id, "000006") == .exhausted)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a code is accepted as people type and paste it`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      let code = Array(try fixture.code())
      let result = try await fixture.service.check(
        started.id, code: " \u{200B}\(code[0])\(code[1])\(code[2])-\(code[3]) \(code[4])\(code[5])\n")
      #expect(result.outcome == .approved)
    }
  }

  @Test(arguments: Backend.allCases)
  func `input that can't be a code is a mismatch that costs no attempt`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.start()
      for input in ["", "12345", "1234567", "12345a", "코드", String(repeating: "1", count: 100_000)] {
        let result = try await fixture.service.check(started.id, code: input)
        #expect(result.outcome == .mismatch && result.attemptsRemaining == 5)
      }
      #expect(try await fixture.outcome(started.id, fixture.code()) == .approved)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a proof of another purpose than the expected one is refused and stays valid`(_ backend: Backend)
    async throws
  {
    try await backend.withFixture { fixture in
      let started = try await fixture.service.start(to: "kim@example.com", purpose: "password-reset")
      let proof = try #require(try await fixture.service.check(started.id, code: fixture.code()).proof)
      for purpose in ["sign-up", "password-reset2", "Password-reset"] {
        await expectError(.proof(.otherPurpose)) { try await fixture.service.redeem(proof, purpose: purpose) }
      }
      await #expect(throws: VerificationError.self) { try await fixture.service.redeem(proof, purpose: "") }
      await expectError(.proof(.unknown)) {
        try await fixture.service.redeem("\(started.id).X", purpose: "sign-up")
      }
      #expect(try await fixture.service.redeem(proof, purpose: "password-reset").purpose == "password-reset")
      await expectError(.proof(.redeemed)) {
        try await fixture.service.redeem(proof, purpose: "password-reset")
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a start whose message can't be rendered stores nothing`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      await expectError(.brokenMessage(Diagnostics([Diagnostic("it is broken")]))) {
        try await fixture.service.start(to: "kim@example.com", message: "broken")
      }
      #expect(try await fixture.outbox.read(OutboxQuery()).entries.isEmpty)
      _ = try await fixture.start()
    }
  }

  @Test(arguments: Backend.allCases)
  func `an invalid address, purpose, client or variable is reported with its field`(_ backend: Backend)
    async throws
  {
    try await backend.withFixture { fixture in
      func field(_ body: () async throws -> Any) async -> String? {
        let error = await #expect(throws: VerificationError.self) { _ = try await body() }
        guard case .input(let field, _)? = error else { return nil }
        return field
      }
      #expect(await field { try await fixture.service.start(to: "kim") } == "to")
      #expect(await field { try await fixture.service.start(to: "a@b.c\r\nBcc: x@y.z") } == "to")
      #expect(await field { try await fixture.service.start(to: "a@b.co", purpose: "") } == "purpose")
      #expect(await field { try await fixture.service.start(to: "a@b.co", purpose: "a\0b") } == "purpose")
      #expect(await field { try await fixture.service.start(to: "a@b.co", client: "localhost") } == "client")
      #expect(await field { try await fixture.service.check("X", code: "1", client: "") } == "client")
      let long = ["x": String(repeating: "x", count: 70_000)]
      #expect(await field { try await fixture.service.start(to: "a@b.co", variables: long) } == "variables")
    }
  }

  @Test(arguments: Backend.allCases)
  func `the status has the result of the mail`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.cooldown = .zero }) { fixture in
      let ends: [(OutboxState, String, MailStatus.State)] = [
        (.sent, "sent", .sent), (.rejected, "rejected", .rejected), (.unknown, "unknown", .unknown),
      ]
      for (state, outcome, expected) in ends {
        let started = try await fixture.start("\(outcome)@example.com")
        try await fixture.end(started, state, outcome: outcome)
        let delivery = try #require(try await fixture.service.status(started.id).delivery)
        #expect(delivery.state == expected && delivery.status == "550 5.1.1")
        let isRejected = state == .rejected
        #expect(
          try await fixture.service.status(started.id).state == (isRejected ? .undeliverable : .pending))
      }
    }
  }
}
