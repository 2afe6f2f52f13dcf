import Foundation
import GRDB
import PabalCore
import PabalTesting
import Testing

@testable import PabalStorage

/// Mail of dead processes, clocks that are set back, and files that are closed or deleted.
@Suite struct OutboxRecoveryTests {
  @Test(arguments: OutboxBackend.allCases)
  func `a mail is unknown after three attempts in which the process died`(_ backend: OutboxBackend)
    async throws
  {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1)])
      for number in 0..<3 {
        let now = Double(number) * 40
        #expect(try await outbox.claim(claim("dead\(number)", at: now)).count == 1)
        _ = try await outbox.sweep(sweepRequest(at: now + 31))
      }
      let entry = try await outbox.read(OutboxQuery()).entries.first
      #expect(entry?.state == .unknown)
      #expect(entry?.unknownAttempts == 3)
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `mail of a dead process can be retried and cancelled before a sweep`(_ backend: OutboxBackend)
    async throws
  {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1), mail(2), mail(3), mail(4, unknown: .keep)])
      _ = try await outbox.claim(claim("dead"))
      #expect(try await outbox.amend(.retry(["MAIL1"]), now: second(29)) == 0)
      #expect(try await outbox.amend(.retry(["MAIL1", "MAIL1"]), now: second(31)) == 1)
      #expect(try await outbox.amend(.cancel(["MAIL2", "MAIL2", "MAIL4"]), now: second(31)) == 1)
      #expect(try await outbox.amend(.retry(nil), now: second(31)) == 2)
      let states = try await outbox.read(OutboxQuery(ids: ["MAIL1", "MAIL2", "MAIL3"])).entries.map(\.state)
      #expect(states == [.waiting, .cancelled, .waiting])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a lease is shortened after the clock was set back`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1)])
      _ = try await outbox.claim(claim("dead", at: 86_400))
      _ = try await outbox.sweep(sweepRequest(at: 0))
      #expect(try await outbox.read(OutboxQuery()).entries.first?.state == .sending)
      _ = try await outbox.sweep(sweepRequest(at: 61))
      #expect(try await outbox.read(OutboxQuery()).entries.first?.state == .waiting)
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a mail added with a late due time keeps it`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1, due: 86_400)])
      #expect(try await outbox.sweep(sweepRequest(at: 1)).due == second(86_400))
    }
  }

  @Test func `closing a database merges its log into the file`() async throws {
    let folder = try TemporaryDirectory()
    let path = "\(folder.path)/pabal.sqlite"
    let database = try SQLiteDatabase(path, keyCheck: [1])
    let outbox = SQLiteOutbox(database)
    try await outbox.add([mail(1)])
    _ = try await outbox.read(OutboxQuery())
    database.close()
    let log = FileManager.default.contents(atPath: "\(path)-wal") ?? Data()
    #expect(log.isEmpty)
  }

  @Test func `a sweep reports that the file was deleted or replaced`() async throws {
    let folder = try TemporaryDirectory()
    let path = "\(folder.path)/pabal.sqlite"
    let database = try SQLiteDatabase(path, keyCheck: [1])
    defer { database.close() }
    let outbox = SQLiteOutbox(database)
    _ = try await outbox.sweep(sweepRequest(at: 0))
    try FileManager.default.moveItem(atPath: path, toPath: "\(path).old")
    await #expect(throws: StorageError(.gone, place: path)) {
      _ = try await outbox.sweep(sweepRequest(at: 1))
    }
    _ = FileManager.default.createFile(atPath: path, contents: nil)
    await #expect(throws: StorageError(.gone, place: path)) {
      _ = try await outbox.sweep(sweepRequest(at: 2))
    }
  }
}
