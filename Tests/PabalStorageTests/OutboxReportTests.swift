import GRDB
import PabalCore
import PabalTesting
import Testing

@testable import PabalStorage

/// Mail whose sender is informed if it can't be delivered.
@Suite struct OutboxReportTests {
  private func submitted(_ number: Int, notAfter: Double? = nil) -> OutboxEntry {
    OutboxEntry(
      id: "MAIL\(number)", lane: .normal, created: second(0), notAfter: notAfter.map(second),
      ownedBy: "local:kim", reporting: .sender, content: [1, 2])
  }

  private func report(_ id: String) -> OutboxReport {
    OutboxReport(
      entry: OutboxEntry(
        id: id, lane: .normal, created: second(1), ownedBy: "local:kim", reporting: .report, content: [7]),
      action: .failed, recipients: 1)
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a settlement adds its reports, once and only under its lease`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([submitted(1)])
      let entry = try #require(try await outbox.claim(claim("a")).first)
      #expect(entry.reporting == .sender)
      var settlement = OutboxSettlement(entry, .final(.rejected), outcome: "rejected", now: second(1))
      settlement.reports = [report("REPORT")]
      var other = settlement
      other.owner = "b"
      other.reports = [report("OTHER")]
      #expect(
        try await outbox.settle([other, settlement, settlement]).map { $0?.state } == [nil, .rejected, nil])
      let entries = try await outbox.read(OutboxQuery(withContent: true)).entries
      #expect(entries.map(\.id) == ["REPORT", "MAIL1"])
      #expect(entries.map(\.reporting) == [.report, .sender])
      #expect(entries.map(\.content) == [[7], nil])
      #expect(entries[0].caller == "local:kim")
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a sweep leaves late mail to the dispatcher, with its content`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([submitted(1, notAfter: 10), mail(2, notAfter: 10)])
      for now in [11.0, 12, 13] {
        _ = try await outbox.sweep(sweepRequest(at: now, limit: 1))
      }
      let states = try await outbox.read(OutboxQuery()).entries.map(\.state)
      #expect(states == [.expired, .waiting])
      let entry = try #require(try await outbox.claim(claim("a", at: 14)).first)
      #expect(entry.id == "MAIL1" && entry.isGivenUp && entry.content == [1, 2])
      // The process dies, and another one has the same task.
      _ = try await outbox.sweep(sweepRequest(at: 60))
      let again = try #require(try await outbox.claim(claim("b", at: 61)).first)
      #expect(again.isGivenUp && again.content == [1, 2])
      #expect(try await outbox.amend(.cancel(["MAIL1"]), now: second(62)) == 1)
      let released = OutboxSettlement(again, .release, now: second(62))
      #expect(try await outbox.settle([released]).first??.state == .cancelled)
    }
  }

  @Test func `mail of the version before is informed about as it was: not at all`() async throws {
    let folder = try TemporaryDirectory()
    let path = "\(folder.path)/pabal.sqlite"
    let queue = try DatabaseQueue(path: path)
    try await queue.write { database in
      for step in SQLiteMigration.all.prefix(8) { try database.execute(sql: step.statements) }
      try database.execute(sql: "PRAGMA user_version = 8; PRAGMA application_id = \(0x5041_4241)")
      try database.execute(
        sql: """
          INSERT INTO mail (id, lane, created, unknown, state, due, attempts)
            VALUES ('OLD', 'normal', 0, 'resend', 'waiting', 0, 0)
          """)
    }
    try queue.close()
    let database = try SQLiteDatabase(path, keyCheck: [1])
    defer { database.close() }
    #expect(try await SQLiteOutbox(database).read(OutboxQuery()).entries.map(\.reporting) == [.none])
  }
}
