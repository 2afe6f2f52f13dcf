internal import GRDB
internal import Glibc
public import PabalCore

/// What a backup contains, or what a restored copy will do.
public struct StorageSummary: Sendable, Hashable {
  /// The mails that aren't in a final state.
  public var unfinishedMails = 0
  /// All mails.
  public var mails = 0
  /// The verifications, in whatever state.
  public var verifications = 0
  /// The mails that ended as `unknown` because they must not be sent twice, or as `cancelled` on request.
  public var endedMails = 0
}

extension SQLiteDatabase {
  /// Copies the database as it is now to a new file at `destination`, with mode 0600, while this and other processes use
  /// it (SQLite's online backup). Never replaces a file. Blocks.
  public func backUp(to destination: String) throws(StorageError) -> StorageSummary {
    let partial = "\(destination).partial-\(getpid())"
    defer { unlink(partial) }
    return try SQLiteDatabase.storageCall(destination) {
      try DatabaseFile.createNew(partial)
      let summary = try SQLiteDatabase.copy(pool, to: partial) { try StorageSummary($0) }
      // link(2), unlike rename(2), fails if the name exists.
      guard link(partial, destination) == 0 else { throw StorageError(errno: errno, place: destination) }
      try DatabaseFile.syncDirectory(of: destination)
      return summary
    }
  }

  /// Puts a copy of the backup at `source` in the place of the database at `path`, which is renamed if it exists; returns
  /// its new path. Changes nothing if it throws. Blocks.
  ///
  /// Mail that must not be sent twice (`UnknownPolicy.keep`) ends as `unknown`, because it may have been sent since the
  /// backup; with `cancelsUnfinished`, all unfinished mail is cancelled.
  public static func restore(
    _ source: String, to path: String, keys: Keyring, cancelsUnfinished: Bool, at now: Timestamp
  ) throws(StorageError) -> (summary: StorageSummary, moved: String?) {
    let path = DatabaseFile.resolved(path)
    let partial = "\(path).restore-\(getpid())"
    defer { for suffix in ["", "-wal", "-shm", "-journal"] { unlink(partial + suffix) } }
    let summary = try storageCall(source) {
      guard access(source, R_OK) == 0 else { throw StorageError(errno: errno, place: source) }
      try DatabaseFile.createNew(partial)
      var configuration = GRDB.Configuration()
      configuration.readonly = true
      let backup = try DatabaseQueue(path: source, configuration: configuration)
      try copy(backup, to: partial) { _ in }
      try backup.close()
      return try prepare(partial, keys, cancelsUnfinished, now, source: source)
    }
    guard !DatabaseFile.isInUse(path) else { throw StorageError(.busy, place: path) }
    let moved = try DatabaseFile.moveAway(path, at: now)
    guard rename(partial, path) == 0 else { throw StorageError(errno: errno, place: path) }
    try storageCall(path) { try DatabaseFile.syncDirectory(of: path) }
    return (summary, moved)
  }

  /// Copies a database to the empty file at `path` as one file without a log, checks it, and returns what `work` returns.
  private static func copy<Value>(
    _ source: some DatabaseReader, to path: String, _ work: (Database) throws -> Value
  ) throws -> Value {
    let target = try DatabaseQueue(path: path)
    defer { try? target.close() }
    try source.backup(to: target)
    return try target.writeWithoutTransaction { database in
      try database.execute(sql: "PRAGMA journal_mode = DELETE")
      guard try String.fetchOne(database, sql: "PRAGMA quick_check(1)") == "ok" else {
        throw DatabaseError(resultCode: .SQLITE_CORRUPT)
      }
      return try work(database)
    }
  }

  /// Brings a restored copy to this version, checks its key, and ends the mail that must not be sent.
  private static func prepare(
    _ path: String, _ keys: Keyring, _ cancelsUnfinished: Bool, _ now: Timestamp, source: String
  ) throws(StorageError) -> StorageSummary {
    do throws(StorageError) {
      let database = try SQLiteDatabase(path, keys: keys)
      defer { database.close() }
      return try storageCall(path) {
        try database.pool.write { database in
          let rest =
            "WHERE state IN ('waiting', 'sending')" + (cancelsUnfinished ? "" : " AND unknown = 'keep'")
          let ended = try MailTable.change(rest, [], in: database) { entry in
            entry.endAfterRestore(as: cancelsUnfinished ? .cancelled : .unknown, at: now)
            return true
          }
          var summary = try StorageSummary(database)
          summary.endedMails = ended
          return summary
        }
      }
    } catch {
      throw StorageError(error.kind, place: source)
    }
  }
}

extension StorageSummary {
  fileprivate init(_ database: Database) throws {
    func count(_ sql: String) throws -> Int {
      try Int.fetchOne(database, sql: "SELECT count(*) FROM \(sql)") ?? 0
    }
    mails = try count("mail")
    unfinishedMails = try count("mail WHERE state IN ('waiting', 'sending')")
    verifications = try count("verification")
  }
}

extension DatabaseFile {
  /// Creates an empty file with mode 0600; throws if the name exists.
  fileprivate static func createNew(_ path: String) throws(StorageError) {
    let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw StorageError(errno: errno, place: path) }
    close(file)
  }

  /// Makes a new name in a directory, and the file behind it, survive a power failure.
  fileprivate static func syncDirectory(of path: String) throws(StorageError) {
    let directory = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    for place in [path, directory] {
      let descriptor = open(place, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw StorageError(errno: errno, place: place) }
      defer { close(descriptor) }
      guard fsync(descriptor) == 0 || errno == EINVAL else { throw StorageError(errno: errno, place: place) }
    }
  }

  /// Whether a process has the database open: SQLite holds a shared lock on these bytes as long as it does
  /// (https://www.sqlite.org/src/file/src/os.h, PENDING_BYTE). This process must not have it open.
  static func isInUse(_ path: String) -> Bool {
    let file = open(path, O_RDWR | O_CLOEXEC)
    guard file >= 0 else { return false }
    defer { close(file) }
    var lock = flock()
    lock.l_type = Int16(F_WRLCK)
    lock.l_whence = Int16(SEEK_SET)
    lock.l_start = 0x4000_0000
    lock.l_len = 512
    return fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != Int16(F_UNLCK)
  }

  /// Renames the three files of a database, also a log whose database is missing, because it would be applied to the one
  /// that takes its place. Returns the new path; `nil` if there is none of them.
  static func moveAway(
    _ path: String, as reason: String = "replaced", at now: Timestamp
  ) throws(StorageError) -> String? {
    let found = ["", "-wal", "-shm"].filter { access(path + $0, F_OK) == 0 }
    guard !found.isEmpty else { return nil }
    let target = "\(path).\(reason)-\(now.text.filter { $0 != ":" && $0 != "-" })"
    for suffix in found {
      guard rename(path + suffix, target + suffix) == 0 else { throw StorageError(errno: errno, place: path) }
    }
    return target
  }
}
