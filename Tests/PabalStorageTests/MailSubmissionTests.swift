import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// The contract of `MailSubmission` on every store.
@Suite struct MailSubmissionTests {
  typealias Backend = VerificationBackend

  private func withSubmission(
    _ backend: Backend, _ body: (MailSubmission, VerificationFixture) async throws -> Void
  ) async throws {
    try await backend.withFixture { fixture in
      try await body(
        MailSubmission(
          store: fixture.store, keys: fixture.keys, now: { [clock = fixture.clock] in clock.now }), fixture)
    }
  }

  private func mail(to address: String = "kim@example.com") throws -> Mail {
    let draft = MailDraft(
      from: try Mailbox("pabal@example.com"), to: [try Mailbox(address)], subject: "hello", text: "hello")
    return try draft.finish(identity: .now())
  }

  private func key(_ payload: UInt8 = 1) throws -> IdempotencyKey {
    try #require(IdempotencyKey("k", client: "shop", payload: [payload]))
  }

  @Test(arguments: Backend.allCases)
  func `a mail is queued with sealed content, and its status is found by its id`(_ backend: Backend)
    async throws
  {
    try await withSubmission(backend) { submission, fixture in
      let mail = try mail()
      let added = try await submission.add(
        mail, lane: .bulk, notAfter: fixture.clock.now + .seconds(60), unknown: .keep, idempotencyKey: nil)
      #expect(!added.isReplay && added.value.mail == mail.id && added.value.state == .waiting)
      let lease = OutboxEntry.Lease(owner: "a", until: fixture.clock.now + .seconds(30))
      let claimed = try await fixture.outbox.claim(OutboxClaim(lease, now: fixture.clock.now, limit: 2))
      let entry = try #require(claimed.first)
      #expect(claimed.count == 1 && entry.lane == .bulk && entry.unknown == .keep)
      #expect(entry.notAfter == fixture.clock.now + .seconds(60))
      let content = try OutboxContent(try fixture.keys.open(entry.content ?? [], id: mail.id), id: mail.id)
      #expect(content.mail.bytes == mail.bytes)
      #expect(try await submission.status(mail.id)?.state == .sending)
      #expect(try await submission.status("01JD0000000000000000000000") == nil)
    }
  }

  @Test(arguments: Backend.allCases)
  func `mails and codes take the route of their author's domain`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let now: @Sendable () -> Timestamp = { [clock = fixture.clock] in clock.now }
      let routes = SenderRoutes([ConfiguredRoute(key: "domain:example.com", transports: ["ses"])])
      let submission = MailSubmission(
        store: fixture.store, keys: fixture.keys, now: now, routes: routes)
      _ = try await submission.add(try mail(), idempotencyKey: nil)
      let other = MailDraft(
        from: try Mailbox("pabal@example.org"), to: [try Mailbox("kim@example.com")], subject: "x", text: "y")
      _ = try await submission.add(try other.finish(identity: .now()), idempotencyKey: nil)
      _ = try await VerificationService(
        store: fixture.store, keys: fixture.keys, composer: fixture.composer, now: now, routes: routes
      ).start(to: "kim@example.com", client: nil)
      #expect(
        try await fixture.outbox.read(OutboxQuery()).entries.map(\.route)
          == ["domain:example.com", "", "domain:example.com"])
    }
  }

  @Test(arguments: Backend.allCases)
  func `a repeated request returns the mail of the first one`(_ backend: Backend) async throws {
    try await withSubmission(backend) { submission, fixture in
      #expect(try await submission.existingMail(key()) == nil)
      let first = try await submission.add(try mail(), idempotencyKey: try key())
      let repeated = try await submission.add(try mail(), idempotencyKey: try key())
      #expect(repeated.isReplay && repeated.value == first.value)
      #expect(try await submission.existingMail(key()) == first.value)
      await #expect(throws: MailSubmissionError.reused) {
        try await submission.add(mail(), idempotencyKey: key(2))
      }
      await #expect(throws: MailSubmissionError.reused) { try await submission.existingMail(key(2)) }
      #expect(try await fixture.outbox.read(OutboxQuery()).entries.count == 1)
      _ = try await fixture.outbox.amend(.cancel([first.value.mail]), now: fixture.clock.now)
      #expect(try await submission.add(try mail(), idempotencyKey: try key()).value.state == .cancelled)
      // Without a key every request is new.
      for _ in 0..<2 { #expect(try await !submission.add(try mail(), idempotencyKey: nil).isReplay) }
      #expect(try await fixture.outbox.read(OutboxQuery()).entries.count == 3)
      fixture.clock.advance(.seconds(86_400))
      #expect(try await !submission.add(try mail(), idempotencyKey: try key()).isReplay)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a hundred concurrent requests with one key queue one mail`(_ backend: Backend) async throws {
    try await withSubmission(backend) { submission, fixture in
      let results = try await withThrowingTaskGroup(of: IdempotentResult<MailStatus>.self) { group in
        for _ in 0..<100 { group.addTask { try await submission.add(mail(), idempotencyKey: key()) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(results.filter { !$0.isReplay }.count == 1)
      #expect(Set(results.map(\.value.mail)).count == 1)
      #expect(try await fixture.outbox.read(OutboxQuery()).entries.count == 1)
    }
  }

  @Test(arguments: Backend.allCases)
  func `a repeated request whose mail has been deleted throws`(_ backend: Backend) async throws {
    try await withSubmission(backend) { submission, fixture in
      let first = try await submission.add(try mail(), idempotencyKey: try key())
      _ = try await fixture.outbox.amend(.cancel([first.value.mail]), now: fixture.clock.now)
      var options = DispatcherOptions()
      options.retention = .seconds(1)
      fixture.clock.advance(.seconds(2))
      _ = try await fixture.outbox.sweep(OutboxSweep(now: fixture.clock.now, options: options))
      await #expect(throws: MailSubmissionError.mailDeleted) {
        try await submission.add(mail(), idempotencyKey: key())
      }
      #expect(try await fixture.outbox.read(OutboxQuery()).entries == [])
    }
  }

  @Test(arguments: Backend.allCases)
  func `submissions delete expired keys without a dispatcher`(_ backend: Backend) async throws {
    try await withSubmission(backend) { submission, fixture in
      _ = try await submission.add(try mail(), idempotencyKey: try key())
      fixture.clock.advance(.seconds(86_400))
      // One in sixteen calls sweeps, so the probability that none of 400 does is about 10⁻¹¹.
      for _ in 0..<400 { _ = try await submission.add(try mail(), idempotencyKey: nil) }
      let now = fixture.clock.now
      #expect(try await fixture.store.sweepRequests(at: now, limit: 1) == false)
    }
  }
}
