import Foundation
import PabalCore
import PabalTesting
import Testing

@testable import PabalStorage

/// How an installation moves between SQLite and PostgreSQL.
@Suite(.enabled("needs PostgreSQL") { PostgreSQLServer.isAvailable })
struct StorageCopyTests {
  /// An installation with mail in several states, pending verifications, a suppression and a trace.
  private func fill(_ database: any StorageDatabase, _ keys: Keyring) async throws -> VerificationFixture {
    let fixture = VerificationFixture(database.verificationStore, database.outbox, keys: keys)
    for number in 0..<3 {
      _ = try await fixture.start("user\(number)@example.com", client: "192.0.2.\(number)")
    }
    _ = try await fixture.outcome(
      try #require(try await database.outbox.read(OutboxQuery()).entries.first?.group),
      try fixture.wrong(for: "user2@example.com"))
    try await database.outbox.add((0..<1_200).map { mail($0, lane: .bulk, group: "g\($0)") })
    var settlement = OutboxSettlement(
      try #require(try await database.outbox.claim(claim("a", id: "MAIL7")).first), .final(.sent),
      transport: "smtp", outcome: "sent", status: "250 2.0.0", now: second(3))
    settlement.marks = [RecipientMark(position: 0, kind: .suppressed, sealed: [9], at: second(3))]
    settlement.trace = OutboxTrace(keys: [[1, 2], [3]], recipients: [4, 5])
    _ = try await database.outbox.settle([settlement])
    _ = try await database.outbox.transports { $0["smtp"] = TransportState() }
    let list = SuppressionList(database.suppressionStore, keys: keys)
    _ = try await list.add(Suppression(try Address("gone@example.com"), added: second(4)))
    try await database.bounceStore.setCursor([7, 7], [8])
    return fixture
  }

  /// What a person or a program sees of an installation.
  private func contents(_ database: any StorageDatabase, _ keys: Keyring) async throws -> [String] {
    var query = OutboxQuery(
      limit: 10_000, withContent: true, withCounts: true, withTransports: true, withBacklog: true)
    query.withMarks = true
    let view = try await database.outbox.read(query)
    let found = try await database.verificationStore.read { transaction in
      try view.entries.compactMap(\.group).filter { $0.count == 26 }.compactMap {
        try transaction.verification($0)
      }
    }
    let list = SuppressionList(database.suppressionStore, keys: keys)
    return view.entries.map { "\($0)" } + ["\(view.counts.sorted { $0.key.rawValue < $1.key.rawValue })"]
      + ["\(view.transports)", "\(view.backlog.sending)", "\(found)"]
      + (try await list.list(limit: 10)).map { "\($0)" }
      + [
        "\(try await database.bounceStore.traces([[1, 2]]))",
        "\(try await database.bounceStore.cursor([[8]]) ?? [])",
      ]
  }

  @Test func `everything moves to PostgreSQL and back, and goes on there`() async throws {
    let folder = try TemporaryDirectory()
    let path = "\(folder.path)/pabal.sqlite"
    let keys = Keyring(current: .random())
    let source = try SQLiteDatabase(path, keys: keys)
    let fixture = try await fill(source, keys)
    let before = try await contents(source, keys)
    source.close()
    try await withPostgreSQL { settings in
      let destination = try PostgreSQLDatabase(settings, keys: keys)
      let result = try StorageCopy.move(path, to: destination, keys: keys, at: second(5))
      #expect(result.mails == 1_203 && result.unfinishedMails == 1_202 && result.verifications == 3)
      #expect(!result.wasCopied && !FileManager.default.fileExists(atPath: path))
      #expect(FileManager.default.fileExists(atPath: result.renamed))
      #expect(try await contents(destination, keys) == before)

      // A code that was mailed before is approved, its failed attempt counts, and new rows get new numbers.
      let service = VerificationService(
        store: destination.verificationStore, keys: keys, composer: fixture.composer,
        now: { fixture.clock.now })
      let id = try #require(try await destination.outbox.read(OutboxQuery(limit: 10_000)).entries.last?.group)
      #expect(
        try await service.check(id, code: try fixture.code(for: "user0@example.com")).outcome == .approved)
      _ = try await service.start(to: "new@example.com")
      try await destination.outbox.add([mail(5_000)])

      let after = try await contents(destination, keys)
      let back = try StorageCopy.move(destination, to: path, keys: keys, at: second(6))
      #expect(back.mails == 1_205 && back.verifications == 4)
      destination.close()
      let returned = try SQLiteDatabase(path, keys: keys)
      #expect(try await contents(returned, keys) == after)
      try await returned.outbox.add([mail(5_001)])
      returned.close()
    }
  }

  @Test func `a move that was interrupted is repeated without harm`() async throws {
    let folder = try TemporaryDirectory()
    let path = "\(folder.path)/pabal.sqlite"
    let keys = Keyring(current: .random())
    let source = try SQLiteDatabase(path, keys: keys)
    _ = try await fill(source, keys)
    source.close()
    try await withPostgreSQL { settings in
      let server = try PostgreSQLServer.shared()
      let destination = try PostgreSQLDatabase(settings, keys: keys)
      defer { destination.close() }
      // Killed in the middle, which ends the connection: nothing arrives.
      struct Interruption: Error {}
      #expect(throws: (any Error).self) {
        _ = try destination.receive([1]) { write in
          try write(StoredTable.all[5], [StoredRow(values: [.bytes([1]), .bytes([2])])])
          throw Interruption()
        }
      }
      #expect(try server.run("SELECT count(*) FROM pabal.mailbox", in: settings.database) == "0")
      // Killed after the commit and before the file was renamed.
      let first = try StorageCopy.move(path, to: destination, keys: keys, at: second(5))
      for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: first.renamed + suffix)
      {
        try FileManager.default.moveItem(atPath: first.renamed + suffix, toPath: path + suffix)
      }
      let again = try StorageCopy.move(path, to: destination, keys: keys, at: second(6))
      #expect(again.wasCopied && again.mails == 1_203)
      #expect(try server.run("SELECT count(*) FROM pabal.mail", in: settings.database) == "1203")
      // Another installation isn't mixed with this one.
      let other = try SQLiteDatabase("\(folder.path)/other.sqlite", keys: keys)
      try await other.outbox.add([mail(1)])
      other.close()
      #expect(throws: StorageError(.notEmpty, place: destination.place)) {
        try StorageCopy.move("\(folder.path)/other.sqlite", to: destination, keys: keys, at: second(7))
      }
      #expect(FileManager.default.fileExists(atPath: "\(folder.path)/other.sqlite"))
    }
  }

  @Test func `a database that is in use, or has another key, isn't moved`() async throws {
    let folder = try TemporaryDirectory()
    let path = "\(folder.path)/pabal.sqlite"
    let keys = Keyring(current: .random())
    try SQLiteDatabase(path, keys: keys).close()
    try await withPostgreSQL { settings in
      let destination = try PostgreSQLDatabase(settings, keys: keys)
      defer { destination.close() }
      #expect(throws: StorageError(.wrongKey, place: path)) {
        try StorageCopy.move(path, to: destination, keys: Keyring(current: .random()), at: second(1))
      }
      #expect(throws: (any Error).self) {
        try StorageCopy.move("\(path).missing", to: destination, keys: keys, at: second(1))
      }
    }
  }

  @Test func `a database that is being moved can't be used, and can again after a move that failed`()
    async throws
  {
    let folder = try TemporaryDirectory()
    let path = "\(folder.path)/pabal.sqlite"
    let keys = Keyring(current: .random())
    let source = try SQLiteDatabase(path, keys: keys)
    try await source.outbox.add([mail(1)])
    _ = try source.beginMoving()
    source.close()
    #expect(throws: StorageError(.moving, place: path)) { try SQLiteDatabase(path, keys: keys) }
    try await withPostgreSQL { settings in
      let destination = try PostgreSQLDatabase(settings, keys: keys)
      try await destination.outbox.add([mail(2)])
      #expect(throws: StorageError(.notEmpty, place: destination.place)) {
        try StorageCopy.move(path, to: destination, keys: keys, at: second(1))
      }
      try SQLiteDatabase(path, keys: keys).close()

      // Back: not while a node runs, and not by a role that can't rename the schema.
      var node = settings
      node.parameters.append(("application_name", "pabal"))
      let running = try PostgreSQLDatabase(node, keys: keys)
      #expect(throws: StorageError(.busy, place: destination.place)) {
        try StorageCopy.move(destination, to: "\(path).back", keys: keys, at: second(2))
      }
      running.close()
      let server = try PostgreSQLServer.shared()
      let role = "role\(UInt32.random(in: 0...UInt32.max))"
      try server.run(
        """
        CREATE ROLE \(role) LOGIN; GRANT USAGE ON SCHEMA pabal TO \(role);
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pabal TO \(role)
        """, in: settings.database)
      var restricted = settings
      restricted.parameters = settings.parameters.filter { $0.keyword != "user" } + [("user", role)]
      let other = try PostgreSQLDatabase(restricted, keys: keys)
      #expect(throws: StorageError(.notPermitted, place: other.place)) {
        try StorageCopy.move(other, to: "\(path).back", keys: keys, at: second(2))
      }
      other.close()
      try server.run("DROP OWNED BY \(role); DROP ROLE \(role)", in: settings.database)
      // Nothing of that keeps the database from being used.
      try PostgreSQLDatabase(settings, keys: keys).close()
      _ = try destination.beginMoving()
      #expect(throws: StorageError(.moving, place: settings.place)) {
        try PostgreSQLDatabase(settings, keys: keys)
      }
      destination.close()
    }
  }

  @Test func `each column of the schema is copied`() async throws {
    let server = try PostgreSQLServer.shared()
    try await withPostgreSQL(server) { settings in
      try PostgreSQLDatabase(settings, keyCheck: [1]).close()
      let found = try server.run(
        """
        SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'pabal'
        """, in: settings.database)
      let copied = StoredTable.all.flatMap { table in table.columns.map { "\(table.name).\($0.name)" } }
      let others = Set(found.split(separator: "\n").map(String.init)).subtracting(copied)
      // What identifies a database, and what only one of a kind needs.
      #expect(
        others == [
          "schema_version.singleton", "schema_version.version", "schema_version.compatible_from", "meta.name",
          "meta.value", "commit_marker.id", "commit_marker.at", "verification.revision",
        ])
    }
  }
}
