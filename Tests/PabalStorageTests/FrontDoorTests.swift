import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// What every store keeps to where finished mail comes in.
@Suite struct FrontDoorTests {
  typealias Stores = VerificationStores

  private func withDoor(
    _ stores: Stores, _ body: (FrontDoor, VerificationDesk) async throws -> Void
  ) async throws {
    try await stores.withDesk { desk in
      try await body(
        FrontDoor(store: desk.store, keys: desk.keys, now: { [clock = desk.clock] in clock.now }), desk)
    }
  }

  private func mail(to address: String = "kim@example.com") throws -> Mail {
    let draft = MailDraft(
      from: try Mailbox("pabal@example.com"), to: [try Mailbox(address)], subject: "hello", text: "hello")
    return try draft.finish(stamp: .now())
  }

  private func key(_ payload: UInt8 = 1) throws -> IdempotencyKey {
    try #require(IdempotencyKey("k", client: "shop", payload: [payload]))
  }

  @Test(arguments: Stores.allCases)
  func `a mail is queued, sealed, and told of by its id`(_ stores: Stores) async throws {
    try await withDoor(stores) { door, desk in
      let mail = try mail()
      let added = try await door.add(
        mail, lane: .bulk, notAfter: desk.clock.now + .seconds(60), unknown: .keep, idempotencyKey: nil)
      #expect(!added.isReplay && added.value.mail == mail.id && added.value.state == .waiting)
      let lease = OutboxEntry.Lease(owner: "a", until: desk.clock.now + .seconds(30))
      let claimed = try await desk.outbox.claim(OutboxClaim(lease, now: desk.clock.now, limit: 2))
      let entry = try #require(claimed.first)
      #expect(claimed.count == 1 && entry.lane == .bulk && entry.unknown == .keep)
      #expect(entry.notAfter == desk.clock.now + .seconds(60))
      let content = try OutboxContent(try desk.keys.open(entry.content ?? [], id: mail.id), id: mail.id)
      #expect(content.mail.octets == mail.octets)
      #expect(try await door.status(mail.id)?.state == .sending)
      #expect(try await door.status("01JD0000000000000000000000") == nil)
    }
  }

  @Test(arguments: Stores.allCases)
  func `a mail that comes again under its key is the one from before`(_ stores: Stores) async throws {
    try await withDoor(stores) { door, desk in
      #expect(try await door.earlier(key()) == nil)
      let first = try await door.add(try mail(), idempotencyKey: try key())
      let again = try await door.add(try mail(), idempotencyKey: try key())
      #expect(again.isReplay && again.value == first.value)
      #expect(try await door.earlier(key()) == first.value)
      await #expect(throws: FrontDoorProblem.reused) { try await door.add(mail(), idempotencyKey: key(2)) }
      await #expect(throws: FrontDoorProblem.reused) { try await door.earlier(key(2)) }
      #expect(try await desk.outbox.look(OutboxQuery()).entries.count == 1)
      _ = try await desk.outbox.amend(.cancel([first.value.mail]), now: desk.clock.now)
      #expect(try await door.add(try mail(), idempotencyKey: try key()).value.state == .cancelled)
      // Without a key nothing is the same.
      for _ in 0..<2 { #expect(try await !door.add(try mail(), idempotencyKey: nil).isReplay) }
      #expect(try await desk.outbox.look(OutboxQuery()).entries.count == 3)
      desk.clock.pass(.seconds(86_400))
      #expect(try await !door.add(try mail(), idempotencyKey: try key()).isReplay)
    }
  }

  @Test(arguments: Stores.allCases)
  func `of the same mail a hundred times at once one is queued`(_ stores: Stores) async throws {
    try await withDoor(stores) { door, desk in
      let answers = try await withThrowingTaskGroup(of: Once<VerificationDelivery>.self) { group in
        for _ in 0..<100 { group.addTask { try await door.add(mail(), idempotencyKey: key()) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(answers.filter { !$0.isReplay }.count == 1)
      #expect(Set(answers.map(\.value.mail)).count == 1)
      #expect(try await desk.outbox.look(OutboxQuery()).entries.count == 1)
    }
  }

  @Test(arguments: Stores.allCases)
  func `a mail that the outbox has deleted isn't queued again under its key`(_ stores: Stores) async throws {
    try await withDoor(stores) { door, desk in
      let first = try await door.add(try mail(), idempotencyKey: try key())
      _ = try await desk.outbox.amend(.cancel([first.value.mail]), now: desk.clock.now)
      var rules = DispatcherRules()
      rules.retention = .seconds(1)
      desk.clock.pass(.seconds(2))
      _ = try await desk.outbox.sweep(OutboxSweep(now: desk.clock.now, rules: rules))
      await #expect(throws: FrontDoorProblem.forgotten) { try await door.add(mail(), idempotencyKey: key()) }
      #expect(try await desk.outbox.look(OutboxQuery()).entries == [])
    }
  }

  @Test(arguments: Stores.allCases)
  func `mails alone keep the store from growing`(_ stores: Stores) async throws {
    try await withDoor(stores) { door, desk in
      _ = try await door.add(try mail(), idempotencyKey: try key())
      desk.clock.pass(.seconds(86_400))
      // One in sixteen sweeps: that none of so many does happens to nobody.
      for _ in 0..<400 { _ = try await door.add(try mail(), idempotencyKey: nil) }
      let now = desk.clock.now
      #expect(try await desk.store.transact { try $0.sweepRequests(at: now, limit: 1) } == false)
    }
  }
}
