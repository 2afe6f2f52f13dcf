import Foundation
import GRDB
import PabalCore
import PabalTesting
import Testing

@testable import PabalStorage

/// Databases that can't be used: the error has the reason and a remedy, and the file stays unchanged.
@Suite struct StorageErrorTests {
  private let folder: TemporaryDirectory
  private let path: String

  init() throws {
    folder = try TemporaryDirectory()
    path = "\(folder.path)/pabal.sqlite"
  }

  /// Creates a database with one mail.
  private func create() async throws {
    let database = try SQLiteDatabase(path, keyCheck: [1])
    try await SQLiteOutbox(database).add([mail(1)])
    database.close()
  }

  private func openingError(key: [UInt8] = [1], previous: [[UInt8]] = []) -> StorageError.Kind? {
    do throws(StorageError) {
      try SQLiteDatabase(path, keyCheck: key, previousKeyChecks: previous, busyTimeout: .milliseconds(20))
        .close()
      return nil
    } catch {
      #expect(error.description.contains(path))
      return error.kind
    }
  }

  @Test func `only the owner can read the file, its log and its shared memory`() async throws {
    let database = try SQLiteDatabase(path, keyCheck: [1])
    try await SQLiteOutbox(database).add([mail(1)])
    for file in [path, path + "-wal", path + "-shm"] {
      let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
      #expect(mode == 0o600)
    }
    database.close()
  }

  @Test func `a database of a newer version is rejected and stays unchanged`() async throws {
    try await create()
    try await DatabaseQueue(path: path).write { try $0.execute(sql: "PRAGMA user_version = 99") }
    #expect(openingError() == .newer(found: 99, known: SQLiteMigration.all.count))
    let version = try await DatabaseQueue(path: path).read {
      try Int.fetchOne($0, sql: "PRAGMA user_version")
    }
    #expect(version == 99)
  }

  @Test func `a database of each earlier version is migrated with its content`() async throws {
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

  @Test func `a database of another master key is rejected, one of a previous key is reassigned`()
    async throws
  {
    try await create()
    #expect(openingError(key: [2]) == .wrongKey)
    #expect(openingError(key: [2], previous: [[3]]) == .wrongKey)
    #expect(openingError(key: [2], previous: [[1]]) == nil)
    #expect(openingError(key: [1]) == .wrongKey)
    #expect(openingError(key: [2]) == nil)
  }

  @Test func `a directory or a pipe in its place is named as such`() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    #expect(openingError() == .notFile)
    try FileManager.default.removeItem(atPath: path)
    #expect(mkfifo(path, 0o600) == 0)
    #expect(openingError() == .notFile)
  }

  @Test func `a file with Pabal's mark but without its tables is damaged`() async throws {
    try await create()
    try await DatabaseQueue(path: path).write { try $0.execute(sql: "DROP TABLE meta") }
    #expect(openingError() == .corrupt)
  }

  @Test func `a file that isn't a database of Pabal is rejected and stays unchanged`() async throws {
    let bytes = Data((0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    try bytes.write(to: URL(filePath: path))
    #expect(openingError() == .corrupt)
    #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
    try FileManager.default.removeItem(atPath: path)
    try await DatabaseQueue(path: path).write { try $0.execute(sql: "CREATE TABLE theirs (x)") }
    #expect(openingError() == .foreign)
    let tables = try await DatabaseQueue(path: path).read {
      try String.fetchAll($0, sql: "SELECT name FROM sqlite_schema")
    }
    #expect(tables == ["theirs"])
  }

  @Test func `a locked database is busy, and writes again when it is unlocked`() async throws {
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

  @Test func `on a full disk the file holds what was acknowledged and nothing else`() async throws {
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
              // A call adds both or none.
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

  @Test func `a failed job undoes only its own changes`() async throws {
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

  @Test func `a call on a closed database throws`() async throws {
    let database = try SQLiteDatabase(path, keyCheck: [1])
    database.close()
    await #expect(throws: StorageError(.closed, place: path)) {
      try await SQLiteOutbox(database).add([mail(1)])
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can act as another user"))
  func `a file that isn't readable and one that isn't writable have different errors`() async throws {
    try await create()
    func asOtherUser() throws -> String {
      try ChildProcess.run(
        "setpriv", ["--reuid=65534", "--clear-groups", "\(folder.path)/worker", "open", path]
      ).output
    }
    // A copy, because other users can't read the build directory. Another process makes it, because a child of a parallel
    // test would inherit the open file and make it "text file busy".
    let copied = try ChildProcess.run(
      "cp", ["\(BuiltProducts.directory)/outbox-worker", "\(folder.path)/worker"])
    #expect(copied.status == 0)
    for (mode, file) in [(0o755, folder.path), (0o755, "\(folder.path)/worker")] {
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    }
    #expect(try asOtherUser().contains("can't be opened or created by this user"))
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
    #expect(try asOtherUser().contains("isn't writable"))
  }
}
