import GRDB
import PabalCore
import PabalTesting
import Synchronization
import Testing

@testable import PabalStorage

/// Checks the query plans: statements that run all the time must not slow down with the number of rows.
@Suite struct OutboxQueryPlanTests {
  @Test func `no statement of the dispatcher scans a table or sorts`() async throws {
    let folder = try TemporaryDirectory()
    let database = try SQLiteDatabase("\(folder.path)/pabal.sqlite", keyCheck: [1])
    let outbox = SQLiteOutbox(database)
    let statements = Statements()
    try await database.write { database in
      database.trace { event in
        if case .statement(let statement) = event { statements.add(statement.sql) }
      }
    }
    try await outbox.add(
      (0..<50).map {
        mail(
          $0, lane: $0 % 2 == 0 ? .code : .bulk, notAfter: 1_000, group: "V", caller: .client("\($0 % 3)"),
          route: $0 % 5 == 0 ? "domain:b.example" : "")
      })
    let claimed = try await outbox.claim(claim("a"))
    _ = try await outbox.claim(claim("a", id: "MAIL20"))
    _ = try await outbox.claim(claim("a", limit: 1, routes: .only(["domain:b.example"])))
    _ = try await outbox.claim(claim("a", limit: 1, routes: .except(["domain:b.example"])))
    _ = try await outbox.settle([
      OutboxSettlement(claimed[0], .final(.sent), outcome: "sent", now: second(1)),
      OutboxSettlement(claimed[1], .retry(due: second(9), content: [1]), outcome: "deferred", now: second(1)),
    ])
    _ = try await outbox.extend(["MAIL4"], claimed[2].lease ?? .init(owner: "", until: second(0)))
    try await outbox.amend(.supersede(group: "V", newest: "MAIL0"), now: second(2))
    try await outbox.amend(.cancel(["MAIL0"]), now: second(2))
    try await outbox.amend(.reroute(limit: 10), now: second(2))
    _ = try await outbox.sweep(sweepRequest(at: 2_000))
    _ = try await outbox.read(OutboxQuery(limit: 0, withBacklog: true))
    #expect(statements.all.contains { $0.contains("AND route = ? AND caller = ? AND due <= ?") })
    try await expectIndexes(statements, in: database)
    database.close()
  }

  @Test func `no statement of a verification or a submission scans a table or sorts`() async throws {
    let folder = try TemporaryDirectory()
    let keys = Keyring(current: .random())
    let database = try SQLiteDatabase("\(folder.path)/pabal.sqlite", keys: keys)
    let statements = Statements()
    try await database.write { database in
      database.trace { event in
        if case .statement(let statement) = event { statements.add(statement.sql) }
      }
    }
    let fixture = VerificationFixture(SQLiteVerificationStore(database), SQLiteOutbox(database), keys: keys)
    let key = try #require(IdempotencyKey("k", client: "shop", payload: []))
    let started = try await fixture.service.start(
      to: "kim@example.com", client: "192.0.2.1", idempotencyKey: key)
    _ = try await fixture.service.check(started.value.id, code: fixture.wrong())
    fixture.clock.advance(.seconds(60))
    _ = try await fixture.service.resend(started.value.id, idempotencyKey: key)
    fixture.clock.advance(.seconds(60))
    _ = try await fixture.start()
    _ = try await fixture.service.sweep()
    // Reads use other connections, so their statements are run in a transaction here.
    let footprint = VerificationFootprint(
      verifications: ["X"], outbox: OutboxFootprint(requests: [[1]], mails: ["X"]))
    _ = try await fixture.store.transact(footprint: footprint) { transaction in
      _ = try transaction.request(under: [[1]])
      _ = try transaction.verification("X")
      _ = try transaction.mail("X")
    }
    try await database.write { database in
      let search = SQLiteVerificationTransaction(database: database)
      _ = try search.verifications(of: [[1]], limit: 1)
      _ = try search.verifications(withSuffix: "ABCDEF", limit: 1)
    }
    #expect(statements.all.contains { $0.contains("substr(id, -6) = ?") })
    try await expectIndexes(statements, in: database)
    database.close()
  }

  /// Checks the plan of each recorded statement.
  private func expectIndexes(_ statements: Statements, in database: SQLiteDatabase) async throws {
    let seen = statements.all.filter { sql in
      ["SELECT", "UPDATE", "DELETE", "WITH"].contains { sql.hasPrefix($0) }
    }
    #expect(seen.count > 10)
    for sql in seen {
      let plan = try await database.read { database in
        try Row.fetchAll(
          database, sql: "EXPLAIN QUERY PLAN \(sql)",
          arguments: StatementArguments(Array(repeating: Int?.none, count: sql.count(where: { $0 == "?" })))
        ).map { $0["detail"] as String }
      }
      let tables = ["mail", "verification", "limit_note", "failure", "request", "refund"]
      #expect(
        !plan.contains { line in
          tables.contains { line == "SCAN \($0)" } || line.contains("TEMP B-TREE")
        }, "\(sql): \(plan)")
      // However much mail of other routes waits.
      if sql.contains("AND route = ? AND caller = ? AND due <= ?") {
        #expect(plan.contains { $0.contains("(lane=? AND route=? AND caller=? AND due<?)") }, "\(plan)")
      }
    }
  }

  private final class Statements: Sendable {
    private let seen = Mutex<Set<String>>([])
    var all: Set<String> { seen.withLock { $0 } }
    func add(_ sql: String) { seen.withLock { _ = $0.insert(sql) } }
  }
}
