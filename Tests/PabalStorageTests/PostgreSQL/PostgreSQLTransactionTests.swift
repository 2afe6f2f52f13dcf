import PabalCore
import PabalTesting
import Testing

@testable import PabalStorage

/// How transactions use the connections to a server, and what becomes of them when those are lost.
@Suite(.enabled("needs PostgreSQL") { PostgreSQLServer.isAvailable })
struct PostgreSQLTransactionTests {
  private func withFixture(
    _ settings: PostgreSQLSettings,
    _ body: (PostgreSQLDatabase, VerificationFixture) async throws -> Void
  ) async throws {
    let keys = Keyring(current: .random())
    let database = try PostgreSQLDatabase(settings, keys: keys)
    defer { database.close() }
    try await body(
      database, VerificationFixture(database.verificationStore, database.outbox, keys: keys))
  }

  /// Returns the least number of round trips of several runs of `body`, because some also sweep.
  private func roundTrips(_ database: PostgreSQLDatabase, _ body: (Int) async throws -> Void) async throws
    -> Int
  {
    var least = Int.max
    for number in 0..<5 {
      let before = database.pool.roundTrips
      try await body(number)
      least = min(least, database.pool.roundTrips - before)
    }
    return least
  }

  @Test func `a start takes three round trips at most, a check four, a status two`() async throws {
    try await withPostgreSQL { settings in
      try await withFixture(settings) { database, fixture in
        var started: [Verification] = []
        let startTrips = try await roundTrips(database) {
          started.append(try await fixture.start("user\($0)@example.com", client: "192.0.2.1"))
        }
        #expect(startTrips <= 3)
        let checkTrips = try await roundTrips(database) { number in
          let wrong = try fixture.wrong(for: "user\(number)@example.com")
          let outcome = try await fixture.outcome(started[number].id, wrong)
          #expect(outcome == .mismatch)
        }
        #expect(checkTrips <= 4)
        let statusTrips = try await roundTrips(database) { number in
          let status = try await fixture.service.status(started[number].id)
          #expect(status.attemptsRemaining == 4)
        }
        #expect(statusTrips <= 2)
        let approvalTrips = try await roundTrips(database) { number in
          let code = try fixture.code(for: "user\(number)@example.com")
          let outcome = try await fixture.outcome(started[number].id, code)
          #expect(outcome == .approved)
        }
        #expect(approvalTrips <= 4)
      }
    }
  }

  @Test func `concurrent starts share round trips and commits`() async throws {
    try await withPostgreSQL { settings in
      try await withFixture(settings) { database, fixture in
        let before = database.pool.roundTrips
        try await withThrowingTaskGroup(of: Void.self) { group in
          for number in 0..<300 {
            group.addTask { _ = try await fixture.start("user\(number)@example.com") }
          }
          try await group.waitForAll()
        }
        #expect(database.pool.roundTrips - before < 150)
        #expect(
          try await database.outbox.read(OutboxQuery(limit: 0, withCounts: true)).counts == [.waiting: 300])
      }
    }
  }

  @Test(arguments: LossyProxy.Loss.allCases)
  func `a commit whose answer is lost happens once and is reported as done`(_ loss: LossyProxy.Loss)
    async throws
  {
    let server = try PostgreSQLServer.shared()
    let proxy = try LossyProxy(server)
    try await withPostgreSQL(server) { settings in
      var settings = settings
      settings.parameters[0].value = proxy.socket
      try await withFixture(settings) { database, fixture in
        try proxy.loseNextCommit(loss)
        try await database.outbox.add([mail(1)])
        try proxy.waitForLoss()
        #expect(try await database.outbox.read(OutboxQuery()).entries.map(\.id) == ["MAIL1"])

        // Not idempotent by its id: another code would be generated and counted.
        try proxy.loseNextCommit(loss)
        let started = try await fixture.start()
        try proxy.waitForLoss()
        #expect(try server.run("SELECT count(*) FROM pabal.verification", in: settings.database) == "1")
        #expect(try server.run("SELECT count(*) FROM pabal.mail", in: settings.database) == "2")
        let events = try server.run(
          "SELECT count(*) FROM pabal.limit_note GROUP BY key", in: settings.database)
        #expect(Set(events.split(separator: "\n")) == ["1"])
        #expect(try await fixture.outcome(started.id, try fixture.code()) == .approved)

        try proxy.loseNextCommit(loss)
        var claimed = try await database.outbox.claim(claim("a", limit: 1, id: "MAIL1"))
        try proxy.waitForLoss()
        // While the lost transaction is still open, its rows are skipped.
        while loss == .slow, claimed.isEmpty {
          claimed = try await database.outbox.claim(claim("a", limit: 1, id: "MAIL1"))
        }
        #expect(claimed.map(\.attempts) == [1] && claimed.first?.content == [1, 7, 9])
        try #require(claimed.count == 1)
        try proxy.loseNextCommit(loss)
        let settled = try await database.outbox.settle([
          OutboxSettlement(claimed[0], .final(.sent), outcome: "sent", now: second(1))
        ])
        try proxy.waitForLoss()
        #expect(settled.map { $0?.state } == [.sent])
      }
    }
  }

  @Test func `mail that was acknowledged while connections are ended is there once`() async throws {
    let server = try PostgreSQLServer.shared()
    try await withPostgreSQL(server) { settings in
      let database = try PostgreSQLDatabase(settings, keyCheck: [1])
      defer { database.close() }
      let acknowledged = try await withThrowingTaskGroup(of: Int.self) { group in
        for number in 0..<200 {
          group.addTask {
            try await database.outbox.add([mail(number)])
            return number
          }
          if number % 20 == 0 {
            try server.run(
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(settings.database)'")
          }
        }
        return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
      }
      #expect(acknowledged.count == 200)
      let stored = try await database.outbox.read(OutboxQuery(limit: 1_000)).entries.map(\.id)
      #expect(stored.count == 200 && Set(stored) == Set(acknowledged.map { "MAIL\($0)" }))
    }
  }

  @Test func `a server that crashes and starts again is used again, and lost nothing`() async throws {
    let server = try PostgreSQLServer(isDurable: true)
    try await withPostgreSQL(server) { settings in
      let database = try PostgreSQLDatabase(settings, keyCheck: [1])
      defer { database.close() }
      for number in 0..<3 {
        try await database.outbox.add([mail(number)])
        try server.restart(isCrash: true)
        #expect(try await database.outbox.read(OutboxQuery()).entries.count == number + 1)
      }
      try server.stop()
      async let added: Void? = try? database.outbox.add([mail(9)])
      try server.start()
      // A call waits for the server, but on a busy machine the start may take longer; a mail is added once.
      _ = await added
      try await database.outbox.add([mail(9)])
      #expect(try await database.outbox.read(OutboxQuery()).entries.count == 4)
    }
  }

  @Test func `a verification that a settlement ends meanwhile is read again`() async throws {
    try await withPostgreSQL { settings in
      try await withFixture(settings) { database, fixture in
        let started = try await fixture.start()
        let store = database.verificationStore
        let footprint: @Sendable (VerificationRecord) -> VerificationFootprint = {
          VerificationFootprint(identities: [$0.identity], verifications: [$0.id])
        }
        let server = try PostgreSQLServer.shared()
        let states = try await store.transact(verification: started.id, footprint: footprint) {
          transaction, record in
          guard var record else { return VerificationState?.none }
          // Between the fetch and the write, as a settlement on another node would.
          if record.state == .pending {
            try server.run(
              "UPDATE pabal.verification SET state = 'undeliverable', revision = revision + 1",
              in: settings.database)
          }
          let state = record.state
          record.attempts += 1
          try transaction.update(record)
          return state
        }
        #expect(states == .undeliverable)
        #expect(
          try server.run("SELECT state, attempts FROM pabal.verification", in: settings.database)
            == "undeliverable|1")
      }
    }
  }

  @Test func `claims get their turn while callers add mail all the time`() async throws {
    try await withPostgreSQL { settings in
      var settings = settings
      settings.connections = 2
      let database = try PostgreSQLDatabase(settings, keyCheck: [1])
      defer { database.close() }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for caller in 0..<20 {
          group.addTask {
            var number = 0
            while !Task.isCancelled {
              number += 1
              try await database.outbox.add([mail(caller * 1_000_000 + number)])
            }
          }
        }
        var claimed = 0
        while claimed < 50 { claimed += try await database.outbox.claim(claim("a", limit: 10)).count }
        group.cancelAll()
        try await group.waitForAll()
      }
    }
  }

  @Test(
    arguments: [
      ("57P01", .connection), ("57P03", .connection), ("08006", .connection), ("25006", .connection),
      ("25P03", .connection), ("53300", .connection), ("40001", .conflict), ("40P01", .conflict),
      ("22012", .conflict), ("53100", .statement), ("42501", .statement), ("23505", .statement),
    ] as [(String, PostgreSQLError.Kind)])
  func `an error is retried on another connection, in another transaction, or not at all`(
    _ state: String, _ kind: PostgreSQLError.Kind
  ) {
    let error = PostgreSQLError(state: state, message: "a value")
    #expect(error.kind == kind)
    // A message of this class may quote what was stored.
    if state == "23505" { #expect(error.error == .other("SQLSTATE 23505")) }
  }

  @Test func `a body that throws undoes its own changes only`() async throws {
    struct Failure: Error {}
    try await withPostgreSQL { settings in
      let database = try PostgreSQLDatabase(settings, keyCheck: [1])
      defer { database.close() }
      let store = database.verificationStore
      let results = await withTaskGroup(of: Bool.self) { group in
        for number in 0..<50 {
          group.addTask {
            do {
              try await store.transactMail(footprint: OutboxFootprint(mails: ["MAIL\(number)"])) {
                try $0.enqueue(mail(number))
                if number % 2 == 0 { throw Failure() }
              }
              return true
            } catch {
              return false
            }
          }
        }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(results == 25)
      #expect(
        try await database.outbox.read(OutboxQuery(limit: 0, withCounts: true)).counts == [.waiting: 25])
    }
  }

  @Test func `one transaction that the server refuses doesn't fail the others of its batch`() async throws {
    try await withPostgreSQL { settings in
      let database = try PostgreSQLDatabase(settings, keyCheck: [1])
      defer { database.close() }
      // PostgreSQL's text has no NUL.
      let broken = OutboxEntry(id: "a\0b", lane: .code, created: second(0), content: [1])
      let added = await withTaskGroup(of: Bool.self) { group in
        for number in 0..<40 {
          group.addTask {
            (try? await database.outbox.add([number == 20 ? broken : mail(number)])) != nil
          }
        }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(added == 39)
    }
  }
}
