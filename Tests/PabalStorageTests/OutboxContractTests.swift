import PabalCore
import PabalStorage
import Testing

/// The contract of every outbox.
@Suite struct OutboxContractTests {
  @Test(arguments: OutboxBackend.allCases)
  func `a claimed mail has all properties and the content with which it was added`(_ backend: OutboxBackend)
    async throws
  {
    try await backend.withOutbox { outbox in
      let added = mail(
        1, lane: .normal, due: 0, notAfter: 600, unknown: .keep, group: "V", route: "domain:b.example")
      try await outbox.add([added])
      let lease = OutboxEntry.Lease(owner: "a", until: second(30))
      #expect(try await outbox.claim(claim("a")) == [added.claimed(by: lease)])
      let seen = try await outbox.read(OutboxQuery(withContent: true)).entries
      #expect(seen == [added.claimed(by: lease)])
      #expect(try await outbox.read(OutboxQuery()).entries.first?.content == nil)
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `mail is found by any spelling of a recipient and by its caller, as long as it is kept`(
    _ backend: OutboxBackend
  ) async throws {
    let (old, current) = (MasterKey.random(), MasterKey.random())
    let (before, now) = (Keyring(current: old), Keyring(current: current, previous: [old]))
    try await backend.withOutbox { outbox in
      func add(_ number: Int, _ recipients: [String], _ caller: Caller, _ keys: Keyring) async throws {
        let addresses = try recipients.map { try Address($0) }
        try await outbox.add([mail(number, caller: caller).addressed(to: addresses, keys)])
      }
      let shop = Caller.submitter(.user("shop"))
      try await add(1, ["kim@example.com"], shop, before)
      try await add(2, ["lee@example.com", "Kim+news@EXAMPLE.com", "kim@example.com"], shop, now)
      try await add(3, ["kim@example.org"], .client("shop"), now)
      func find(_ recipient: String? = nil, of caller: String? = nil) async throws -> [String] {
        var query = OutboxQuery()
        query.recipients = try recipient.map { RecipientDigest.searched(for: try Address($0), now) }
        query.caller = caller.map(Caller.storedName)
        return try await outbox.read(query).entries.map(\.id)
      }
      #expect(try await find("KIM@example.com") == ["MAIL2", "MAIL1"])
      #expect(try await find("lee@example.com") == ["MAIL2"])
      #expect(try await find("park@example.com").isEmpty)
      #expect(try await find(of: "user:shop") == ["MAIL2", "MAIL1"])
      #expect(try await find(of: "client:shop") == ["MAIL3"])
      #expect(try await find("kim@example.com", of: "client:shop").isEmpty)
      #expect(try await outbox.amend(.cancel(["MAIL1"]), now: second(1)) == 1)
      _ = try await outbox.sweep(sweepRequest(at: 100))
      #expect(try await find("kim@example.com") == ["MAIL2", "MAIL1"])
      _ = try await outbox.sweep(sweepRequest(at: 102))
      #expect(try await find("kim@example.com") == ["MAIL2"])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a mail that is added claimed can't be claimed by another process`(_ backend: OutboxBackend)
    async throws
  {
    try await backend.withOutbox { outbox in
      let mine = mail(1).claimed(by: OutboxEntry.Lease(owner: "a", until: second(30)))
      try await outbox.add([mine])
      #expect(try await outbox.claim(claim("b")).isEmpty)
      let settled = try await outbox.settle([
        OutboxSettlement(
          mine, .final(.sent), transport: "smtp", outcome: "sent", status: "250 2.0.0", now: second(1))
      ])
      let entry = try #require(settled[0])
      #expect(entry.state == .sent)
      #expect(entry.status == "250 2.0.0")
      #expect(entry.ended == second(1))
    }
  }

  private func waiting(in outbox: any Outbox) async throws -> OutboxBacklog {
    try await outbox.read(OutboxQuery(limit: 0, withBacklog: true)).backlog
  }

  @Test(arguments: OutboxBackend.allCases)
  func `the backlog has the number and the oldest of the unfinished mails of each lane`(
    _ backend: OutboxBackend
  ) async throws {
    try await backend.withOutbox { outbox in
      #expect(try await waiting(in: outbox) == OutboxBacklog())
      try await outbox.add(
        (1...3).map { mail($0, lane: .bulk, created: Double($0)) } + [mail(4, lane: .code)])
      let claimed = try await outbox.claim(claim("a", at: 10, id: "MAIL1"))
      _ = try await outbox.claim(claim("a", at: 10, id: "MAIL4"))
      let backlog = try await waiting(in: outbox)
      #expect(backlog.sending == 2)
      #expect(backlog.waiting[.code] == nil)
      #expect(backlog.waiting[.bulk]?.count == 2)
      #expect(backlog.waiting[.bulk]?.oldest == second(2))
      _ = try await outbox.settle([
        OutboxSettlement(claimed[0], .final(.sent), outcome: "sent", now: second(1))
      ])
      #expect(try await waiting(in: outbox).sending == 1)
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `adding an existing id changes nothing`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1, lane: .bulk)])
      try await outbox.add([mail(1, lane: .code), mail(2)])
      #expect(try await outbox.read(OutboxQuery()).entries.map(\.id) == ["MAIL2", "MAIL1"])
      #expect(try await outbox.read(OutboxQuery(ids: ["MAIL1"])).entries.map(\.lane) == [.bulk])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `claims take codes first, then the mail that was due first`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([
        mail(1, lane: .bulk), mail(2, lane: .normal, due: 3), mail(3, lane: .code, due: 5),
        mail(4, lane: .normal, due: 2),
        mail(5, lane: .code, due: 5), mail(6, lane: .code, due: 99),
      ])
      let first = try await outbox.claim(claim("a", at: 10, limit: 3))
      #expect(first.map(\.id) == ["MAIL3", "MAIL5", "MAIL4"])
      #expect(try await outbox.claim(claim("a", at: 10, limit: 3, reservedForCodes: 3)).isEmpty)
      #expect(try await outbox.claim(claim("a", at: 10, id: "MAIL6")).isEmpty)
      #expect(try await outbox.claim(claim("a", at: 10, id: "MAIL1")).map(\.id) == ["MAIL1"])
      #expect(try await outbox.claim(claim("a", at: 10, limit: 0)).isEmpty)
      var others = claim("b", at: 99)
      others.excludesCodes = true
      #expect(try await outbox.claim(others).map(\.id) == ["MAIL2"])
      #expect(try await outbox.claim(claim("b", at: 99)).map(\.id) == ["MAIL6"])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a mail past its time limit isn't claimed and expires`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1, notAfter: 10), mail(2, notAfter: 11)])
      #expect(try await outbox.claim(claim("a", at: 10)).map(\.id) == ["MAIL2"])
      let ahead = try await outbox.sweep(sweepRequest(at: 10))
      #expect(ahead.due == nil)
      let entry = try #require(
        try await outbox.read(OutboxQuery(ids: ["MAIL1"], withContent: true)).entries.first)
      #expect(entry.state == .expired)
      #expect(entry.content == nil)
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `an undecided mail waits until it is due, with its new content`(_ backend: OutboxBackend)
    async throws
  {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1)])
      let claimed = try #require(try await outbox.claim(claim("a")).first)
      _ = try await outbox.settle([
        OutboxSettlement(
          claimed, .retry(due: second(60), content: [4, 4]), transport: "smtp", outcome: "deferred",
          status: "451 4.3.0",
          hold: .mail, now: second(1))
      ])
      #expect(try await outbox.claim(claim("b", at: 59)).isEmpty)
      #expect(try await outbox.sweep(sweepRequest(at: 59)).due == second(60))
      let retried = try #require(try await outbox.claim(claim("b", at: 60)).first)
      #expect(retried.content == [4, 4])
      #expect(retried.attempts == 2)
      #expect(retried.hold == .mail)
      #expect(retried.outcome == "deferred")
      #expect(retried.transport == "smtp")
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a release doesn't count as an attempt`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1, due: 5)])
      let claimed = try #require(try await outbox.claim(claim("a", at: 5)).first)
      let released = try await outbox.settle([OutboxSettlement(claimed, .release, now: second(6))])
      #expect(released[0]?.state == .waiting)
      #expect(released[0]?.attempts == 0)
      #expect(released[0]?.outcome == nil)
      #expect(try await outbox.claim(claim("b", at: 6)).first?.attempts == 1)
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a mail whose next attempt would be too late expires at once`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1, notAfter: 20)])
      let claimed = try #require(try await outbox.claim(claim("a")).first)
      let settled = try await outbox.settle([
        OutboxSettlement(claimed, .retry(due: second(20), content: nil), outcome: "deferred", now: second(1))
      ])
      #expect(settled[0]?.state == .expired)
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a settlement without the lease changes nothing`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1)])
      let first = try #require(try await outbox.claim(claim("a")).first)
      _ = try await outbox.sweep(sweepRequest("b", at: 30))
      let second = try #require(try await outbox.claim(claim("a", at: 30)).first)
      // The owner is right but the attempt isn't.
      let late = try await outbox.settle([
        OutboxSettlement(first, .final(.rejected), outcome: "rejected", now: .now())
      ])
      #expect(late == [nil])
      let right = try await outbox.settle([
        OutboxSettlement(second, .final(.sent), outcome: "sent", now: .now())
      ])
      #expect(right[0]?.state == .sent)
      let twice = try await outbox.settle([
        OutboxSettlement(second, .final(.sent), outcome: "sent", now: .now())
      ])
      #expect(twice == [nil])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a mail with an expired lease is waiting again, or unknown`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1, unknown: .resend), mail(2, unknown: .keep), mail(3)])
      _ = try await outbox.claim(claim("a"))
      #expect(try await outbox.extend(["MAIL3", "MAIL9"], .init(owner: "a", until: second(50))) == ["MAIL3"])
      #expect(try await outbox.extend(["MAIL1"], .init(owner: "b", until: second(99))).isEmpty)
      let early = try await outbox.sweep(sweepRequest("b", at: 29))
      #expect(early.end == second(30))
      let own = try await outbox.sweep(sweepRequest("a", at: 31))
      #expect(own.due == nil)
      let ahead = try await outbox.sweep(sweepRequest("b", at: 31))
      #expect(ahead.due == second(31))
      #expect(ahead.end == second(50))
      let seen = try await outbox.read(OutboxQuery()).entries
      #expect(seen.map(\.state) == [.sending, .unknown, .waiting])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a newer mail of a group supersedes the older ones`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1, group: "V"), mail(2, group: "W"), mail(3, group: "V")])
      _ = try await outbox.claim(claim("a", limit: 1))
      try await outbox.add([mail(4, group: "V")])
      let changed = try await outbox.amend(.supersede(group: "V", newest: "MAIL4"), now: second(1))
      #expect(changed == 2)
      let seen = try await outbox.read(OutboxQuery(withContent: true)).entries
      #expect(seen.map(\.state) == [.waiting, .superseded, .waiting, .sending])
      #expect(seen[1].content == nil)
      // The mail being sent can't be recalled, but it isn't tried again.
      let settled = try await outbox.settle([
        OutboxSettlement(seen[3], .retry(due: second(9), content: nil), outcome: "deferred", now: second(2))
      ])
      #expect(settled[0]?.state == .superseded)
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a mail that is cancelled while being sent may still be sent`(_ backend: OutboxBackend)
    async throws
  {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1), mail(2)])
      let claimed = try await outbox.claim(claim("a"))
      try await outbox.amend(.cancel(["MAIL1", "MAIL2", "MAIL3"]), now: second(1))
      let settled = try await outbox.settle([
        OutboxSettlement(claimed[0], .final(.sent), outcome: "sent", now: second(2)),
        OutboxSettlement(claimed[1], .release, now: second(2)),
      ])
      #expect(settled.map { $0?.state } == [.sent, .cancelled])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a retry makes only waiting mail due`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1, due: 100), mail(2, due: 200), mail(3), mail(4)])
      let claimed = try await outbox.claim(claim("a"))
      _ = try await outbox.settle([
        OutboxSettlement(claimed[0], .final(.sent), outcome: "sent", now: second(1))
      ])
      let named = try await outbox.amend(.retry(["MAIL1", "MAIL3", "MAIL4", "MAIL5"]), now: second(2))
      #expect(named == 1)
      #expect(try await outbox.claim(claim("a", at: 2)).map(\.id) == ["MAIL1"])
      #expect(try await outbox.amend(.retry(nil), now: second(2)) == 1)
      #expect(try await outbox.claim(claim("a", at: 2)).map(\.id) == ["MAIL2"])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a finished mail is kept for the retention time and then deleted`(_ backend: OutboxBackend)
    async throws
  {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1), mail(2)])
      try await outbox.amend(.cancel(["MAIL1"]), now: second(0))
      try await outbox.amend(.cancel(["MAIL2"]), now: second(1))
      _ = try await outbox.sweep(sweepRequest(at: 99))
      #expect(try await outbox.read(OutboxQuery(withCounts: true)).counts == [.cancelled: 2])
      _ = try await outbox.sweep(sweepRequest(at: 100))
      #expect(try await outbox.read(OutboxQuery()).entries.map(\.id) == ["MAIL2"])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a sweep stops at its limit and reports that work is left`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add((1...5).map { mail($0, notAfter: 5) })
      #expect(try await outbox.sweep(sweepRequest(at: 5, limit: 3)).isUnfinished)
      #expect(try await outbox.read(OutboxQuery(withCounts: true)).counts == [.waiting: 2, .expired: 3])
      let next = try await outbox.sweep(sweepRequest(at: 5, limit: 3))
      #expect(!next.isUnfinished)
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a forecast has the oldest code and the next due time and end`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      #expect(
        try await outbox.sweep(sweepRequest(at: 0))
          == OutboxForecast(due: nil, end: nil, oldestCode: nil, isUnfinished: false))
      try await outbox.add([
        mail(1, lane: .bulk, due: 7, notAfter: 40), mail(2, created: 3, due: 9), mail(3, created: 4, due: 8),
      ])
      #expect(
        try await outbox.sweep(sweepRequest(at: 0))
          == OutboxForecast(due: second(7), end: second(40), oldestCode: second(3), isUnfinished: false))
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a query continues where the last page ended`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add((1...5).map { mail($0) })
      let first = try await outbox.read(OutboxQuery(limit: 2)).entries
      #expect(first.map(\.id) == ["MAIL5", "MAIL4"])
      let second = try await outbox.read(OutboxQuery(before: "MAIL4", limit: 2)).entries
      #expect(second.map(\.id) == ["MAIL3", "MAIL2"])
      #expect(try await outbox.read(OutboxQuery(states: [.sent])).entries.isEmpty)
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `transport states are stored, changed and removed`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      let none = try await outbox.transports { _ in }
      #expect(none.isEmpty)
      var state = TransportState()
      state.failures = 3
      state.pausedUntil = second(1)
      state.probe = OutboxEntry.Lease(owner: "a", until: second(2))
      state.heldSince = second(3)
      state.cause = [1, 2]
      state.exhaustedUntil = second(4)
      let wanted = state
      let one = try await outbox.transports { $0["smtp"] = wanted }
      #expect(one == ["smtp": wanted])
      let changed = try await outbox.transports { $0["smtp"]?.failures += 1 }
      #expect(changed["smtp"]?.failures == 4)
      let removed = try await outbox.transports { $0["smtp"] = nil }
      #expect(removed.isEmpty)
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `concurrent claims return each mail once`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add((0..<300).map { mail($0) })
      let ids = try await withThrowingTaskGroup(of: [String].self) { group in
        for claimer in 0..<16 {
          group.addTask {
            var ids: [String] = []
            while true {
              let claimed = try await outbox.claim(claim("c\(claimer)", limit: 7))
              if claimed.isEmpty { return ids }
              ids += claimed.map(\.id)
            }
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(ids.count == 300)
      #expect(Set(ids).count == 300)
    }
  }
}
