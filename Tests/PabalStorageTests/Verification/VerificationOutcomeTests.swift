import PabalCore
import PabalStorage
import Testing

/// What every store of verifications keeps to: outcomes.
@Suite struct VerificationOutcomeTests {
  typealias Stores = VerificationStores

  @Test(arguments: Stores.allCases)
  func `the right code is approved, once, and its proof redeemed, once`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let started = try await desk.service.start(
        to: "Kim@Example.COM", purpose: "login", languages: ["ko"], variables: ["name": "김"])
      #expect(started.state == .pending && started.generation == 1 && started.purpose == "login")
      #expect(started.masked == "K***@example.com" && started.digits == 6 && started.language == "ko")
      #expect(started.attemptsRemaining == 5 && started.sendsRemaining == 4)
      #expect(started.expires == desk.clock.now + .seconds(600))
      #expect(started.resendAt == desk.clock.now + .seconds(60))
      #expect(started.delivery?.state == .waiting)
      #expect(started.id.count == 26 && started.reference == started.id.suffix(6))
      let letter = try #require(desk.letters.all.first)
      #expect(letter.to.description == "Kim@example.com" && letter.variables == ["name": "김"])
      #expect(letter.validFor == .seconds(600) && letter.message == "verification")

      let code = try desk.code(for: "Kim@example.com")
      let answer = try await desk.service.check(started.id, code: code)
      #expect(answer.outcome == .approved)
      let proof = try #require(answer.proof)
      let again = try await desk.service.check(started.id, code: code)
      #expect(again.outcome == .alreadyApproved && again.proof == nil)
      #expect(try await desk.service.status(started.id).state == .approved)

      desk.clock.pass(.seconds(30))
      let proven = try await desk.service.redeem(proof)
      #expect(proven.id == started.id && proven.purpose == "login")
      #expect(proven.address.description == "Kim@example.com")
      #expect(proven.approved == desk.clock.now - .seconds(30))
      await expectError(.proof(.redeemed)) { try await desk.service.redeem(proof) }
      #expect(try await desk.service.status(started.id).state == .consumed)
      #expect(try await desk.outcome(started.id, code) == .alreadyApproved)
    }
  }

  @Test(arguments: Stores.allCases)
  func `a proof lives a quarter of an hour`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      for (age, problem) in [(899.0, nil), (900.0, ProofProblem.expired)] {
        let started = try await desk.start("a\(Int(age))@example.com")
        let code = try desk.code(for: "a\(Int(age))@example.com")
        let proof = try #require(try await desk.service.check(started.id, code: code).proof)
        desk.clock.pass(.seconds(age))
        if let problem {
          await expectError(.proof(problem)) { try await desk.service.redeem(proof) }
        } else {
          #expect(try await desk.service.redeem(proof).id == started.id)
        }
      }
    }
  }

  @Test(arguments: Stores.allCases)
  func `a proof that was never given out proves nothing`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let started = try await desk.start()
      await expectError(.proof(.unknown)) { try await desk.service.redeem("\(started.id).") }
      let proof = try #require(try await desk.service.check(started.id, code: desk.code()).proof)
      for text in [
        "", ".", started.id, "\(proof)0", String(proof.dropLast()), "x.\(proof)", "\(started.id).0",
      ] {
        await expectError(.proof(.unknown)) { try await desk.service.redeem(text) }
      }
      #expect(try await desk.service.redeem(proof).id == started.id)
    }
  }

  @Test(arguments: Stores.allCases)
  func `five wrong codes are judged, then not even the right one`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let started = try await desk.start()
      for number in 1...5 {
        let answer = try await desk.service.check(started.id, code: desk.wrong(number))
        #expect(answer.outcome == .mismatch && answer.attemptsRemaining == 5 - number && answer.proof == nil)
      }
      #expect(try await desk.outcome(started.id, desk.code()) == .exhausted)
      let status = try await desk.service.status(started.id)
      #expect(status.state == .exhausted && status.attemptsRemaining == 0 && status.resendAt == nil)
      desk.clock.pass(.seconds(60))
      await expectError(.ended(.exhausted)) { try await desk.service.resend(started.id) }
    }
  }

  @Test(arguments: Stores.allCases)
  func `the fifth attempt may be the right one`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let started = try await desk.start()
      for number in 1...4 { #expect(try await desk.outcome(started.id, desk.wrong(number)) == .mismatch) }
      #expect(try await desk.outcome(started.id, desk.code()) == .approved)
    }
  }

  @Test(arguments: Stores.allCases)
  func `a resend overwrites the code and gives no attempt back`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let started = try await desk.start()
      let first = try desk.code()
      for number in 1...3 { _ = try await desk.outcome(started.id, desk.wrong(number)) }
      desk.clock.pass(.seconds(60))
      let again = try await desk.service.resend(started.id)
      #expect(again.id == started.id && again.generation == 2 && again.attemptsRemaining == 2)
      #expect(again.sendsRemaining == 3 && again.expires == desk.clock.now + .seconds(600))
      #expect(again.delivery?.mail != started.delivery?.mail && again.delivery?.state == .waiting)
      let older = try await desk.outbox.look(OutboxQuery(ids: [try #require(started.delivery?.mail)]))
      #expect(older.entries.map(\.state) == [.superseded])

      let superseded = try await desk.service.check(started.id, code: first)
      #expect(superseded.outcome == .superseded && superseded.attemptsRemaining == 1)
      #expect(try await desk.outcome(started.id, desk.code()) == .approved)
    }
  }

  @Test(arguments: Stores.allCases)
  func `a newer start takes the older one's place`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let older = try await desk.start("kim@example.com")
      let first = try desk.code()
      desk.clock.pass(.seconds(60))
      let newer = try await desk.start("KIM@example.com")
      #expect(newer.id != older.id)
      #expect(try await desk.outcome(older.id, first) == .superseded)
      #expect(try await desk.service.status(older.id).state == .superseded)
      #expect(try await desk.service.status(older.id).delivery?.state == .superseded)
      // The old code under the new id, as a person types it who has two mails.
      let answer = try await desk.service.check(newer.id, code: first)
      #expect(answer.outcome == .superseded && answer.attemptsRemaining == 4)
      #expect(try await desk.outcome(newer.id, desk.code(for: "KIM@example.com")) == .approved)
    }
  }

  @Test(arguments: Stores.allCases)
  func `another purpose, another address and a tag are verifications of their own`(
    _ stores: Stores
  ) async throws {
    try await stores.withDesk({ $0.cooldown = .zero }) { desk in
      let first = try await desk.start()
      let code = try desk.code()
      _ = try await desk.service.start(to: "kim@example.com", purpose: "login")
      _ = try await desk.start("kim+x@example.com")
      _ = try await desk.start("lee@example.com")
      #expect(try await desk.outcome(first.id, code) == .approved)
    }
  }

  @Test(arguments: Stores.allCases)
  func `a code lives ten minutes`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let first = try await desk.start("a@example.com")
      let second = try await desk.start("b@example.com")
      desk.clock.pass(.milliseconds(599_999))
      #expect(try await desk.outcome(first.id, desk.code(for: "a@example.com")) == .approved)
      desk.clock.pass(.milliseconds(1))
      let answer = try await desk.service.check(second.id, code: desk.code(for: "b@example.com"))
      #expect(answer.outcome == .expired && answer.attemptsRemaining == 0)
      #expect(try await desk.service.status(second.id).state == .expired)
      await expectError(.ended(.expired)) { try await desk.service.resend(second.id) }
      await expectError(.ended(.expired)) { try await desk.service.cancel(second.id) }
    }
  }

  @Test(arguments: Stores.allCases)
  func `what is cancelled is not sent, resent or approved`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let started = try await desk.start()
      let cancelled = try await desk.service.cancel(started.id)
      #expect(cancelled.state == .cancelled && cancelled.delivery?.state == .cancelled)
      #expect(try await desk.service.cancel(started.id).state == .cancelled)
      #expect(try await desk.outcome(started.id, desk.code()) == .cancelled)
      await expectError(.ended(.cancelled)) { try await desk.service.resend(started.id) }
      let approved = try await desk.start("b@example.com")
      _ = try await desk.outcome(approved.id, desk.code(for: "b@example.com"))
      await expectError(.ended(.approved)) { try await desk.service.cancel(approved.id) }
    }
  }

  @Test(arguments: Stores.allCases)
  func `nobody knows an id that was never given out`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      await expectError(.unknown) { try await desk.service.check("X", code: "000000") }
      await expectError(.unknown) { try await desk.service.status("") }
      await expectError(.unknown) { try await desk.service.resend("X") }
      await expectError(.unknown) { try await desk.service.cancel("X") }
    }
  }

  @Test(arguments: Stores.allCases)
  func `a notice looks like any other and is never approved`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let usual = try await desk.service.start(to: "a@example.com", languages: ["ko"], client: "192.0.2.1")
      let notice = try await desk.service.start(
        to: "b@example.com", languages: ["ko"], message: "registered", notice: true, client: "192.0.2.1")
      let letter = try #require(desk.letters.all.last)
      #expect(letter.code == nil && letter.message == "registered")
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
        try await desk.service.start(to: "b@example.com", notice: true)
      }
      desk.clock.pass(.seconds(60))
      #expect(try await desk.service.resend(notice.id).generation == 2)
      #expect(desk.letters.all.last?.code == nil && desk.letters.all.last?.message == "registered")
      for number in 1...5 {
        let answer = try await desk.service.check(notice.id, code: "00000\(number)")
        #expect(answer.outcome == .mismatch && answer.attemptsRemaining == 5 - number)
      }
      #expect(try await desk.outcome(notice.id, "000006") == .exhausted)
    }
  }

  @Test(arguments: Stores.allCases)
  func `a code is taken as people type and paste it`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let started = try await desk.start()
      let code = Array(try desk.code())
      let answer = try await desk.service.check(
        started.id, code: " \u{200B}\(code[0])\(code[1])\(code[2])-\(code[3]) \(code[4])\(code[5])\n")
      #expect(answer.outcome == .approved)
    }
  }

  @Test(arguments: Stores.allCases)
  func `what can't be a code is a mismatch that costs nothing`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      let started = try await desk.start()
      for input in ["", "12345", "1234567", "12345a", "코드", String(repeating: "1", count: 100_000)] {
        let answer = try await desk.service.check(started.id, code: input)
        #expect(answer.outcome == .mismatch && answer.attemptsRemaining == 5)
      }
      #expect(try await desk.outcome(started.id, desk.code()) == .approved)
    }
  }

  @Test(arguments: Stores.allCases)
  func `a message that can't be rendered leaves nothing behind`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      await expectError(.brokenMessage(Diagnostics([Diagnostic("it is broken")]))) {
        try await desk.service.start(to: "kim@example.com", message: "broken")
      }
      #expect(try await desk.outbox.look(OutboxQuery()).entries.isEmpty)
      _ = try await desk.start()
    }
  }

  @Test(arguments: Stores.allCases)
  func `what is no address, purpose or client is refused by name`(_ stores: Stores) async throws {
    try await stores.withDesk { desk in
      func field(_ body: () async throws -> Any) async -> String? {
        let problem = await #expect(throws: VerificationProblem.self) { _ = try await body() }
        guard case .input(let field, _)? = problem else { return nil }
        return field
      }
      #expect(await field { try await desk.service.start(to: "kim") } == "to")
      #expect(await field { try await desk.service.start(to: "a@b.c\r\nBcc: x@y.z") } == "to")
      #expect(await field { try await desk.service.start(to: "a@b.co", purpose: "") } == "purpose")
      #expect(await field { try await desk.service.start(to: "a@b.co", purpose: "a\0b") } == "purpose")
      #expect(await field { try await desk.service.start(to: "a@b.co", client: "localhost") } == "client")
      #expect(await field { try await desk.service.check("X", code: "1", client: "") } == "client")
      let long = ["x": String(repeating: "x", count: 70_000)]
      #expect(await field { try await desk.service.start(to: "a@b.co", variables: long) } == "variables")
    }
  }

  @Test(arguments: Stores.allCases)
  func `what became of the mail is told`(_ stores: Stores) async throws {
    try await stores.withDesk({ $0.cooldown = .zero }) { desk in
      let ends: [(OutboxState, String, VerificationDelivery.State)] = [
        (.sent, "sent", .sent), (.rejected, "rejected", .rejected), (.unknown, "unknown", .unknown),
      ]
      for (state, outcome, expected) in ends {
        let started = try await desk.start("\(outcome)@example.com")
        try await desk.end(started, state, outcome: outcome)
        let delivery = try #require(try await desk.service.status(started.id).delivery)
        #expect(delivery.state == expected && delivery.status == "550 5.1.1")
        #expect(try await desk.service.status(started.id).state == .pending)
      }
    }
  }
}
