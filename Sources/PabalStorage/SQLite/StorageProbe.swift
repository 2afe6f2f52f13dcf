internal import GRDB
public import PabalCore
internal import Synchronization

/// Finds out whether a start of a verification could be stored now.
enum StorageProbe {
  /// The size of a sealed verification mail with some room, in bytes.
  private static let mailSize = 24 * 1_024
  private static let name = "probe"

  /// Stores a verification with its mail as a start does and takes it back, then writes as many bytes to stay.
  ///
  /// Both are needed: the first fails if a table is damaged or missing, and only what is committed fails on a full disk.
  static func run(_ database: Database, keyChecks: [[UInt8]], at now: Timestamp, place: String) throws {
    let key = try database.first("SELECT value FROM meta WHERE name = 'key'") { $0.bytes(0) }
    guard let key, keyChecks.contains(key) else { throw StorageError(.wrongKey, place: place) }
    try database.cachedStatement(sql: "SAVEPOINT probe").execute()
    let result = Result { try start(SQLiteVerificationTransaction(database: database), at: now) }
    // Not if SQLite has undone the whole transaction on its own.
    if database.isInsideTransaction {
      try database.cachedStatement(sql: "ROLLBACK TO SAVEPOINT probe").execute()
      try database.cachedStatement(sql: "RELEASE SAVEPOINT probe").execute()
    }
    try result.get()
    // Random, because SQLite writes no page that stays the same.
    try database.run(
      """
      INSERT INTO meta (name, value) VALUES ('\(name)', randomblob(?))
      ON CONFLICT (name) DO UPDATE SET value = excluded.value
      """, [mailSize])
  }

  private static func start(_ transaction: SQLiteVerificationTransaction, at now: Timestamp) throws {
    // No real digest has one byte, so this changes and finds no one else's rows.
    let digest: [UInt8] = [0]
    _ = try transaction.request(under: [digest])
    _ = try transaction.failures(under: [digest])
    _ = try transaction.events(1, skipping: 0, under: [digest])
    _ = try transaction.pending([digest])
    try transaction.insert(
      VerificationRecord(
        id: name, purpose: name, identity: digest, recipient: digest, request: digest, code: digest,
        created: now, codeCreated: now, expires: now, mail: name, language: nil))
    try transaction.add([RateLimitEvent(key: digest, at: now, mail: name)])
    try transaction.remember(IdempotencyRecord(key: digest, payload: digest, resultID: name, at: now))
    try transaction.enqueue(
      OutboxEntry(
        id: name, lane: .code, created: now, notAfter: now, group: name,
        content: Array(repeating: 0, count: mailSize)))
  }
}

/// When the database was last found damaged. A damaged page is found again only by what reads it, so the finding counts
/// for a while.
final class DamageRecord: Sendable {
  private static let duration = Duration.seconds(60)
  private let latest = Mutex<ContinuousClock.Instant?>(nil)

  /// Records an error, if it says that the database is damaged.
  func record(_ error: StorageError) {
    if error.kind == .corrupt { latest.withLock { $0 = .now } }
  }

  /// Whether damage was found within the last minute.
  var isRecent: Bool { latest.withLock { $0.map { .now - $0 < DamageRecord.duration } ?? false } }
}

extension SQLiteDatabase {
  /// Throws if a start of a verification could not be stored now: another process has locked the file, the disk is full or
  /// read-only, the file is damaged, gone, or belongs to another key than those of `keys`.
  ///
  /// Writes some 30 KB, so it is to be called at most once a second.
  public func probe(keys: Keyring) async throws(StorageError) {
    let (checks, place) = ([keys.checkValue] + keys.previousCheckValues, path)
    try await write { try StorageProbe.run($0, keyChecks: checks, at: .now(), place: place) }
    // After a write, which may have found the damage again.
    guard !damage.isRecent else { throw StorageError(.corrupt, place: path) }
  }
}
