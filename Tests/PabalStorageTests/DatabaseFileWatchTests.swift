import Foundation
import GRDB
import PabalCore
import PabalTesting
import Testing

@testable import PabalStorage

/// A database whose files are deleted or replaced while it is open acknowledges nothing that would be lost.
@Suite struct DatabaseFileWatchTests {
  private let folder: TemporaryDirectory
  private let path: String

  init() throws {
    folder = try TemporaryDirectory()
    path = "\(folder.path)/pabal.sqlite"
  }

  private func expectGone(_ file: String, _ database: SQLiteDatabase) async throws {
    let outbox = SQLiteOutbox(database)
    await #expect(throws: StorageError(.gone, place: file)) { try await outbox.add([mail(2)]) }
    await #expect(throws: StorageError(.gone, place: file)) { _ = try await outbox.read(OutboxQuery()) }
    await #expect(throws: StorageError(.gone, place: file)) {
      _ = try await SQLiteVerificationStore(database).sweepRequests(at: second(0), limit: 1)
    }
  }

  @Test(arguments: ["", "-wal", "-shm"])
  func `a call fails as soon as one of the files is deleted or replaced`(suffix: String) async throws {
    let database = try SQLiteDatabase(path, keyCheck: [1])
    defer { database.close() }
    try await SQLiteOutbox(database).add([mail(1)])
    try FileManager.default.removeItem(atPath: path + suffix)
    try await expectGone(path + suffix, database)
    #expect(FileManager.default.createFile(atPath: path + suffix, contents: nil))
    try await expectGone(path + suffix, database)
  }

  @Test func `a file that is put back is used again`() async throws {
    let database = try SQLiteDatabase(path, keyCheck: [1])
    defer { database.close() }
    try FileManager.default.moveItem(atPath: path, toPath: "\(path).old")
    try await expectGone(path, database)
    try FileManager.default.moveItem(atPath: "\(path).old", toPath: path)
    try await SQLiteOutbox(database).add([mail(1)])
    #expect(try await SQLiteOutbox(database).read(OutboxQuery()).entries.map(\.id) == ["MAIL1"])
  }

  @Test(arguments: [["-wal"], ["-shm"], ["-wal", "-shm"]])
  func `what was acknowledged before the log was deleted is kept`(suffixes: [String]) async throws {
    let database = try SQLiteDatabase(path, keyCheck: [1])
    for number in 0..<20 { try await SQLiteOutbox(database).add([mail(number)]) }
    for suffix in suffixes { try FileManager.default.removeItem(atPath: path + suffix) }
    await #expect(throws: StorageError.self) { try await SQLiteOutbox(database).add([mail(99)]) }
    // As after a crash: nothing is merged when this process ends.
    let copy = "\(folder.path)/copy.sqlite"
    try FileManager.default.copyItem(atPath: path, toPath: copy)
    let reopened = try SQLiteDatabase(copy, keyCheck: [1])
    #expect(try await SQLiteOutbox(reopened).read(OutboxQuery()).entries.count == 20)
    reopened.close()
    database.close()
  }

  @Test func `the files beside the target of a symbolic link are watched`() async throws {
    try FileManager.default.createDirectory(atPath: "\(folder.path)/data", withIntermediateDirectories: true)
    _ = FileManager.default.createFile(
      atPath: "\(folder.path)/data/real.sqlite", contents: nil, attributes: [.posixPermissions: 0o600])
    #expect(symlink("data/real.sqlite", path) == 0)
    let database = try SQLiteDatabase(path, keyCheck: [1])
    defer { database.close() }
    try await SQLiteOutbox(database).add([mail(1)])
    let log = DatabaseFile.resolved(path) + "-wal"
    #expect(log.hasSuffix("/data/real.sqlite-wal"))
    try FileManager.default.removeItem(atPath: log)
    try await expectGone(log, database)
  }
}

/// The probe of the store: it fails when a start of a verification would.
@Suite struct StorageProbeTests {
  private let folder: TemporaryDirectory
  private let path: String
  private let keys = Keyring(current: .random())

  init() throws {
    folder = try TemporaryDirectory()
    path = "\(folder.path)/pabal.sqlite"
  }

  private func problem(_ database: SQLiteDatabase) async -> StorageError.Kind? {
    do throws(StorageError) {
      try await database.probe(keys: keys)
      return nil
    } catch {
      return error.kind
    }
  }

  @Test func `a store that works is found to work, and the probe leaves no row`() async throws {
    let database = try SQLiteDatabase(path, keys: keys)
    defer { database.close() }
    for _ in 0..<3 { #expect(await problem(database) == nil) }
    #expect(try await SQLiteOutbox(database).read(OutboxQuery(withCounts: true)).counts == [:])
    let rows = try await database.read {
      try Int.fetchOne($0, sql: "SELECT count(*) FROM verification") ?? -1
    }
    #expect(rows == 0)
  }

  @Test func `a locked store, a full disk and a foreign key are found`() async throws {
    let database = try SQLiteDatabase(path, keys: keys, busyTimeout: .milliseconds(20))
    defer { database.close() }
    var unfinished = GRDB.Configuration()
    unfinished.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: path, configuration: unfinished)
    try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
    #expect(await problem(database) == .busy)
    try await other.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
    #expect(await problem(database) == nil)
    // The mail of a start doesn't fit, although a small write would.
    let pages = try await database.read { try Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0 }
    try await database.write { try $0.execute(sql: "PRAGMA max_page_count = \(pages + 2)") }
    #expect(await problem(database) == .full)
    try await database.write { try $0.execute(sql: "PRAGMA max_page_count = 100000") }
    #expect(await problem(database) == nil)
    try await database.write { try $0.execute(sql: "UPDATE meta SET value = x'00' WHERE name = 'key'") }
    #expect(await problem(database) == .wrongKey)
  }

  @Test(arguments: ["verification", "mail", "mail_content", "limit_note", "request", "failure"])
  func `a missing table is found`(table: String) async throws {
    let database = try SQLiteDatabase(path, keys: keys)
    defer { database.close() }
    try await database.write { try $0.execute(sql: "ALTER TABLE \(table) RENAME TO away_\(table)") }
    #expect(await problem(database) == .corrupt, "the probe works without \(table)")
  }

  @Test func `damage that another call found is remembered for a while`() async throws {
    let database = try SQLiteDatabase(path, keys: keys)
    defer { database.close() }
    _ = try? await database.read { _ in throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
    #expect(await problem(database) == .corrupt)
  }
}
