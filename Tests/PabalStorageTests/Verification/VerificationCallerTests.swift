import PabalCore
import PabalStorage
import Testing

/// The contract of every verification store: records belong to the client that made them.
@Suite struct VerificationCallerTests {
  typealias Backend = VerificationBackend

  @Test(arguments: Backend.allCases)
  func `another client finds nothing under an id, a proof or an address`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.cooldown = .zero }) { fixture in
      let shop = fixture.service.acting(for: .client("shop"))
      let key = IdempotencyKey("k", client: "shop", payload: [1])
      let started = try await shop.start(to: "kim@example.com", idempotencyKey: key).value
      let code = try fixture.code()
      for caller in [Caller.client("other"), .keyless, .page, .client("@shop"), .client("")] {
        let other = fixture.service.acting(for: caller)
        await expectError(.unknown) { try await other.status(started.id) }
        await expectError(.unknown) { try await other.check(started.id, code: code, client: "192.0.2.1") }
        await expectError(.unknown) { try await other.resend(started.id) }
        await expectError(.unknown) { try await other.resend(started.id, client: nil, idempotencyKey: key) }
        await expectError(.unknown) { try await other.cancel(started.id) }
        #expect(try await other.find(address: "kim@example.com").isEmpty)
        #expect(try await other.find(reference: started.reference).isEmpty)
      }
      #expect(try await shop.status(started.id).attemptsRemaining == 5)
      #expect(try await fixture.service.find(address: "kim@example.com").map(\.id) == [started.id])
      let proof = try #require(try await shop.check(started.id, code: code).proof)
      await expectError(.proof(.unknown)) {
        try await fixture.service.acting(for: .client("other")).redeem(proof)
      }
      #expect(try await shop.redeem(proof).id == started.id)
    }
  }

  @Test(arguments: Backend.allCases)
  func `the command line uses all records, and its own belong to no client`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let started = try await fixture.service.acting(for: .client("shop")).start(to: "kim@example.com")
      #expect(try await fixture.service.cancel(started.id).state == .cancelled)
      let own = try await fixture.start("lee@example.com")
      for caller in [Caller.client("shop"), .keyless] {
        #expect(try await fixture.service.acting(for: caller).status(own.id) == own)
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a start replaces only the verifications of its own client`(_ backend: Backend) async throws {
    try await backend.withFixture({ $0.cooldown = .zero }) { fixture in
      let shop = fixture.service.acting(for: .client("shop"))
      let first = try await shop.start(to: "kim@example.com")
      _ = try await fixture.service.acting(for: .client("other")).start(to: "kim@example.com")
      #expect(try await shop.status(first.id).state == .pending)
      _ = try await shop.start(to: "kim@example.com")
      #expect(try await shop.status(first.id).state == .superseded)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a mail belongs to the client that queued it, the mail of a verification too`(_ backend: Backend)
    async throws
  {
    try await backend.withFixture { fixture in
      let submission = MailSubmission(store: fixture.store, keys: fixture.keys)
      let draft = MailDraft(
        from: try Mailbox("pabal@example.com"), to: [try Mailbox("kim@example.com")], subject: "hello",
        text: "hello")
      let shop = submission.acting(for: .client("shop"))
      let mail = try await shop.add(try draft.finish(identity: .now()), idempotencyKey: nil).value.mail
      let started = try await fixture.service.acting(for: .client("shop")).start(to: "kim@example.com")
      for id in [mail, try #require(started.delivery?.mail)] {
        #expect(try await shop.status(id)?.mail == id)
        #expect(try await submission.status(id)?.mail == id)
        for other in [Caller.client("other"), .keyless] {
          #expect(try await submission.acting(for: other).status(id) == nil)
        }
      }
    }
  }

  @Test(arguments: Backend.allCases)
  func `an address finds its verifications of any purpose, state and spelling, the newest first`(
    _ backend: Backend
  )
    async throws
  {
    try await backend.withFixture { fixture in
      let first = try await fixture.service.start(to: "kim.lee@gmail.com")
      fixture.clock.advance(.seconds(1))
      let second = try await fixture.service.start(to: "KimLee+x@googlemail.com", purpose: "login")
      _ = try await fixture.service.cancel(first.id)
      _ = try await fixture.start("other@gmail.com")
      let found = try await fixture.service.find(address: "kimlee@gmail.com")
      #expect(found.map(\.id) == [second.id, first.id] && found.map(\.state) == [.pending, .cancelled])
      #expect(found.allSatisfy { $0.delivery != nil })
      for reference in [first.reference, first.reference.lowercased(), String(first.id.suffix(10)), first.id]
      {
        #expect(try await fixture.service.find(reference: reference).map(\.id) == [first.id])
      }
      for invalid in ["", "ABC", "ABCD-1", "%%%%%%", String(repeating: "A", count: 27)] {
        await #expect(throws: VerificationError.self) { try await fixture.service.find(reference: invalid) }
      }
      await #expect(throws: VerificationError.self) { try await fixture.service.find(address: "kim") }
      fixture.clock.advance(.seconds(600 + 86_400))
      while try await fixture.service.sweep() {}
      #expect(try await fixture.service.find(address: "kimlee@gmail.com").isEmpty)
    }
  }
}
