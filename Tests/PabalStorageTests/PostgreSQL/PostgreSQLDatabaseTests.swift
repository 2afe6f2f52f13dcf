import Foundation
import PabalCore
import PabalTesting
import Testing

@testable import PabalStorage

/// How a PostgreSQL database is opened, and what is reported about it.
@Suite(.enabled("needs PostgreSQL") { PostgreSQLServer.isAvailable })
struct PostgreSQLDatabaseTests {
  private func error(_ body: () throws -> PostgreSQLDatabase) -> StorageError? {
    do {
      try body().close()
      return nil
    } catch {
      return error as? StorageError
    }
  }

  @Test func `a database is created once by nodes that start together`() async throws {
    try await withPostgreSQL { settings in
      let databases = try await withThrowingTaskGroup(of: PostgreSQLDatabase.self) { group in
        for _ in 0..<8 { group.addTask { try PostgreSQLDatabase(settings, keyCheck: [1]) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      for (number, database) in databases.enumerated() { try await database.outbox.add([mail(number)]) }
      #expect(try await databases[0].outbox.read(OutboxQuery()).entries.count == 8)
      for database in databases { database.close() }
    }
  }

  @Test func `another key is refused, and a previous one is replaced`() async throws {
    try await withPostgreSQL { settings in
      try PostgreSQLDatabase(settings, keyCheck: [1]).close()
      #expect(error { try PostgreSQLDatabase(settings, keyCheck: [2]) }?.kind == .wrongKey)
      #expect(error { try PostgreSQLDatabase(settings, keyCheck: [2], previousKeyChecks: [[1]]) } == nil)
      #expect(error { try PostgreSQLDatabase(settings, keyCheck: [1]) }?.kind == .wrongKey)
    }
  }

  @Test func `a newer version is refused unless it says that this one can use it`() async throws {
    let server = try PostgreSQLServer.shared()
    try await withPostgreSQL(server) { settings in
      try PostgreSQLDatabase(settings, keyCheck: [1]).close()
      try server.run("UPDATE pabal.schema_version SET version = 99", in: settings.database)
      #expect(error { try PostgreSQLDatabase(settings, keyCheck: [1]) } == nil)
      // What a newer version added doesn't disturb an older one beside it.
      try server.run("ALTER TABLE pabal.mail ADD COLUMN later TEXT", in: settings.database)
      let database = try PostgreSQLDatabase(settings, keyCheck: [1])
      try await database.outbox.add([mail(1)])
      #expect(try await database.outbox.claim(claim("a")).count == 1)
      database.close()
      try server.run("UPDATE pabal.schema_version SET compatible_from = 98", in: settings.database)
      #expect(
        error { try PostgreSQLDatabase(settings, keyCheck: [1]) }?.kind
          == .newer(found: 99, known: PostgreSQLMigration.all.count))
    }
  }

  @Test func `a schema of another program is left alone`() async throws {
    let server = try PostgreSQLServer.shared()
    try await withPostgreSQL(server) { settings in
      try server.run("CREATE SCHEMA pabal; CREATE TABLE pabal.other (a int)", in: settings.database)
      #expect(error { try PostgreSQLDatabase(settings, keyCheck: [1]) }?.kind == .foreign)
    }
  }

  @Test func `a role that can't change tables can serve`() async throws {
    let server = try PostgreSQLServer.shared()
    try await withPostgreSQL(server) { settings in
      try PostgreSQLDatabase(settings, keyCheck: [1]).close()
      let role = "role\(UInt32.random(in: 0...UInt32.max))"
      try server.run(
        """
        CREATE ROLE \(role) LOGIN; GRANT USAGE ON SCHEMA pabal TO \(role);
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pabal TO \(role)
        """, in: settings.database)
      var restricted = settings
      restricted.parameters = settings.parameters.filter { $0.keyword != "user" } + [("user", role)]
      let database = try PostgreSQLDatabase(restricted, keyCheck: [1])
      try await database.outbox.add([mail(1)])
      let claimed = try await database.outbox.claim(claim("a"))
      _ = try await database.outbox.settle([
        OutboxSettlement(try #require(claimed.first), .final(.sent), outcome: "sent", now: second(1))
      ])
      _ = try await database.outbox.sweep(sweepRequest(at: 10_000))
      #expect(try await database.outbox.read(OutboxQuery()).entries.isEmpty)
      database.close()
      try server.run("REVOKE INSERT ON pabal.mail FROM \(role)", in: settings.database)
      let refused = try PostgreSQLDatabase(restricted, keyCheck: [1])
      await #expect(throws: StorageError(.notPermitted, place: refused.place)) {
        try await refused.outbox.add([mail(2)])
      }
      refused.close()
      try server.run("DROP OWNED BY \(role); DROP ROLE \(role)", in: settings.database)
    }
  }

  @Test func `a login that fails says why, without the password`() throws {
    let server = try PostgreSQLServer.shared()
    let settings = PostgreSQLSettings(
      parameters: [
        ("host", "127.0.0.1"), ("port", String(server.port)), ("user", "pabal"), ("password", "s3cret word"),
        ("dbname", "postgres"), ("sslmode", "verify-full"), ("sslrootcert", server.authority.authority),
      ], place: "postgresql://127.0.0.1/postgres")
    let refused = try #require(error { try PostgreSQLDatabase(settings, keyCheck: [1]) })
    guard case .refused = refused.kind else {
      Issue.record("\(refused)")
      return
    }
    #expect(refused.description.contains("password authentication failed"))
    #expect(!refused.description.contains("s3cret"))
  }

  @Test func `a certificate of an unknown authority is refused, and one of a known authority isn't`()
    throws
  {
    let server = try PostgreSQLServer.shared()
    func connect(_ authorities: String) throws(PostgreSQLError) {
      _ = try PostgreSQLConnection([
        ("host", "127.0.0.1"), ("port", String(server.port)), ("user", "pabal"),
        ("password", "horse battery"), ("dbname", "postgres"), ("sslmode", "verify-full"),
        ("sslrootcert", authorities),
      ])
    }
    try connect(server.authority.authority)
    #expect(throws: PostgreSQLError.self) { try connect("/etc/ssl/certs/ca-certificates.crt") }
  }

  @Test func `a server that doesn't answer is reported, and nothing waits forever`() {
    let settings = PostgreSQLSettings(
      parameters: [("host", "/nonexistent"), ("dbname", "x")], place: "postgresql://db/x")
    let problem = error { try PostgreSQLDatabase(settings, keyCheck: [1]) }
    guard case .unreachable = problem?.kind else {
      Issue.record("\(String(describing: problem))")
      return
    }
    #expect(problem?.description.contains("postgresql://db/x") == true)
  }

  @Test func `the time is the server's`() async throws {
    try await withPostgreSQL { settings in
      let database = try PostgreSQLDatabase(settings, keyCheck: [1])
      defer { database.close() }
      let difference = database.now() - Timestamp.now()
      #expect(difference < .seconds(2) && difference > .seconds(-2))
    }
  }

  @Test func `a node hears that another one stored mail`() async throws {
    try await withPostgreSQL { settings in
      let listening = try PostgreSQLDatabase(settings, keyCheck: [1])
      let other = try PostgreSQLDatabase(settings, keyCheck: [1])
      defer {
        listening.close()
        other.close()
      }
      let (wakes, continuation) = AsyncStream.makeStream(of: Void.self)
      listening.listen { continuation.yield() }
      var iterator = wakes.makeAsyncIterator()
      // It looks once when it begins to listen.
      await iterator.next()
      try await other.outbox.add([mail(1)])
      await iterator.next()
      #expect(try await listening.outbox.claim(claim("a")).count == 1)
    }
  }

  @Test(.enabled("needs PgBouncer") { (try? !PostgreSQLServer.shared().pooled.isEmpty) ?? false })
  func `everything works through a pooler in transaction mode, which is reported`() async throws {
    let server = try PostgreSQLServer.shared()
    try await withPostgreSQL(server, pooled: true) { settings in
      let keys = Keyring(current: .random())
      let database = try PostgreSQLDatabase(settings, keys: keys)
      defer { database.close() }
      let fixture = VerificationFixture(database.verificationStore, database.outbox, keys: keys)
      let started = try await fixture.start()
      #expect(try await fixture.outcome(started.id, try fixture.wrong()) == .mismatch)
      #expect(try await fixture.outcome(started.id, try fixture.code()) == .approved)
      try await fixture.end(started, .sent, outcome: "sent")
      #expect(try await fixture.service.status(started.id).delivery?.state == .sent)
      #expect(try database.findings().contains { $0.message.contains("notifications don't arrive") })
      var direct = settings
      direct.listener = server.parameters(settings.database)
      let other = try PostgreSQLDatabase(direct, keys: keys)
      #expect(try !other.findings().contains { $0.message.contains("notifications") })
      other.close()
    }
  }

  @Test func `a set-up that can lose acknowledged mail is reported`() async throws {
    let server = try PostgreSQLServer.shared()
    try await withPostgreSQL(server) { settings in
      try server.run("ALTER DATABASE \(settings.database) SET synchronous_commit = off")
      let database = try PostgreSQLDatabase(settings, keyCheck: [1])
      defer { database.close() }
      let findings = try database.findings().map(\.message)
      #expect(findings.contains { $0.contains("synchronous_commit is off") })
      // The test server runs so.
      #expect(findings.contains { $0.contains("fsync") })
    }
  }
}
