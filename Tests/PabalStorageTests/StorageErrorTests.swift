import Foundation
import GRDB
import PabalCore
import PabalTesting
import Testing

@testable import PabalStorage

/// A database that can't be used says why and what to do, and is left as it was.
@Suite struct StorageErrorTests {
  private let folder: TemporaryDirectory
  private let path: String

  init() throws {
    folder = try TemporaryDirectory()
    path = "\(folder.path)/pabal.sqlite"
  }

  /// Makes a database, with one mail in it.
  private func make() async throws {
    let database = try SQLiteDatabase(path, keyCheck: [1])
    try await SQLiteOutbox(database).add([mail(1)])
    database.close()
  }

  private func problem(key: [UInt8] = [1], previous: [[UInt8]] = []) -> StorageError.Kind? {
    do throws(StorageError) {
      try SQLiteDatabase(path, keyCheck: key, previousKeyChecks: previous, busyTimeout: .milliseconds(20))
        .close()
      return nil
    } catch {
      #expect(error.description.contains(path))
      return error.kind
    }
  }

  @Test func `the file is its owner's alone, and so are its log and its shared memory`() async throws {
    let database = try SQLiteDatabase(path, keyCheck: [1])
    try await SQLiteOutbox(database).add([mail(1)])
    for file in [path, path + "-wal", path + "-shm"] {
      let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
      #expect(mode == 0o600)
    }
    database.close()
  }

  @Test func `a newer Pabal's database is refused and left alone`() async throws {
    try await make()
    try await DatabaseQueue(path: path).write { try $0.execute(sql: "PRAGMA user_version = 99") }
    #expect(problem() == .newer(found: 99, known: SQLiteMigration.all.count))
    let version = try await DatabaseQueue(path: path).read {
      try Int.fetchOne($0, sql: "PRAGMA user_version")
    }
    #expect(version == 99)
  }

  @Test func `a database of each earlier version is brought up with all that is in it`() async throws {
    for version in 1..<SQLiteMigration.all.count {
      let path = "\(folder.path)/version\(version).sqlite"
      try await DatabaseQueue(path: path).write { database in
        for step in SQLiteMigration.all[..<version] { try database.execute(sql: step.statements) }
        try database.execute(
          sql: """
            INSERT INTO mail (id, lane, created, unknown, state, due, attempts)
            VALUES ('OLD', 'code', 1, 'resend', 'waiting', 1, 0);
            PRAGMA user_version = \(version); PRAGMA application_id = 1346454081;
            """)
      }
      let database = try SQLiteDatabase(path, keyCheck: [1])
      try await SQLiteOutbox(database).add([mail(1)])
      #expect(try await SQLiteOutbox(database).read(OutboxQuery()).entries.map(\.id) == ["MAIL1", "OLD"])
      let now = second(0)
      #expect(
        try await SQLiteVerificationStore(database).sweepRequests(at: now, limit: 1)
          == false)
      database.close()
    }
  }

  @Test func `another master key than the database's is refused, a previous one gives way`() async throws {
    try await make()
    #expect(problem(key: [2]) == .wrongKey)
    #expect(problem(key: [2], previous: [[3]]) == .wrongKey)
    #expect(problem(key: [2], previous: [[1]]) == nil)
    #expect(problem(key: [1]) == .wrongKey)
    #expect(problem(key: [2]) == nil)
  }

  @Test func `what is no database of ours is refused and left alone`() async throws {
    let bytes = Data((0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    try bytes.write(to: URL(filePath: path))
    #expect(problem() == .corrupt)
    #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
    try FileManager.default.removeItem(atPath: path)
    try await DatabaseQueue(path: path).write { try $0.execute(sql: "CREATE TABLE theirs (x)") }
    #expect(problem() == .corrupt)
    let tables = try await DatabaseQueue(path: path).read {
      try String.fetchAll($0, sql: "SELECT name FROM sqlite_schema")
    }
    #expect(tables == ["theirs"])
  }

  @Test func `a locked database is busy, and does its work once it is free`() async throws {
    let database = try SQLiteDatabase(path, keyCheck: [1], busyTimeout: .milliseconds(20))
    let outbox = SQLiteOutbox(database)
    var unfinished = GRDB.Configuration()
    unfinished.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: path, configuration: unfinished)
    try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
    await #expect(throws: StorageError(.busy, place: path)) { try await outbox.add([mail(1)]) }
    #expect(try await outbox.read(OutboxQuery()).entries.isEmpty)
    try await other.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
    try await outbox.add([mail(2)])
    #expect(try await outbox.read(OutboxQuery()).entries.map(\.id) == ["MAIL2"])
    database.close()
  }

  @Test func `on a full disk what was acknowledged is there and nothing else`() async throws {
    let database = try SQLiteDatabase(path, keyCheck: [1])
    let outbox = SQLiteOutbox(database)
    try await database.write { try $0.execute(sql: "PRAGMA max_page_count = 100") }
    let acknowledged = await withTaskGroup(of: [String].self) { group in
      for caller in 0..<8 {
        group.addTask {
          var ids: [String] = []
          for number in 0..<40 {
            let entry = OutboxEntry(
              id: "C\(caller)N\(number)", lane: .normal, created: second(0),
              content: Array(repeating: 7, count: 9_000))
            do throws(StorageError) {
              // Two in one call: all or none.
              try await outbox.add([entry, mail(1_000 + caller * 100 + number)])
              ids += [entry.id, "MAIL\(1_000 + caller * 100 + number)"]
            } catch {
              #expect(error == StorageError(.full, place: database.path))
            }
          }
          return ids
        }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(!acknowledged.isEmpty)
    #expect(acknowledged.count < 640)
    let there = try await outbox.read(OutboxQuery(limit: 1_000)).entries.map(\.id)
    #expect(there.sorted() == acknowledged.sorted())
    try await database.write { try $0.execute(sql: "PRAGMA max_page_count = 100000") }
    try await outbox.add([mail(1)])
    let whole = try await database.read { try String.fetchAll($0, sql: "PRAGMA integrity_check") }
    #expect(whole == ["ok"])
    database.close()
  }

  @Test func `a job that fails undoes itself and not its neighbours`() async throws {
    struct RefusedError: Error {}
    let database = try SQLiteDatabase(path, keyCheck: [1])
    let done = await withTaskGroup(of: Int?.self) { group in
      for number in 0..<64 {
        group.addTask {
          do throws(StorageError) {
            return try await database.write { database in
              try MailTable.add(mail(number), to: database)
              if number % 3 == 0 { throw RefusedError() }
              return number
            }
          } catch {
            return nil
          }
        }
      }
      return await group.reduce(into: Set<String>()) { if let number = $1 { $0.insert("MAIL\(number)") } }
    }
    let there = try await SQLiteOutbox(database).read(OutboxQuery()).entries.map(\.id)
    #expect(Set(there) == done)
    #expect(done.count == 42)
    database.close()
  }

  @Test func `a closed database says so`() async throws {
    let database = try SQLiteDatabase(path, keyCheck: [1])
    database.close()
    await #expect(throws: StorageError(.closed, place: path)) {
      try await SQLiteOutbox(database).add([mail(1)])
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can act as another user"))
  func `a file that this user may not write to or open is told apart`() async throws {
    try await make()
    func asOtherUser() throws -> String {
      try ChildProcess.run(
        "setpriv", ["--reuid=65534", "--clear-groups", "\(folder.path)/worker", "open", path]
      ).output
    }
    // A copy, since nobody may look into the folder of the build; by another process, since a neighbour's
    // child that inherits the open copy would make it "text file busy".
    let copied = try ChildProcess.run(
      "cp", ["\(BuiltProducts.directory)/outbox-worker", "\(folder.path)/worker"])
    #expect(copied.status == 0)
    for (mode, file) in [(0o755, folder.path), (0o755, "\(folder.path)/worker")] {
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    }
    #expect(try asOtherUser().contains("can't be opened or made by this user"))
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
    #expect(try asOtherUser().contains("can't be written to"))
  }
}
