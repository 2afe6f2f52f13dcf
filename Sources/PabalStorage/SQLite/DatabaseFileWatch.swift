internal import GRDB
internal import GRDBSQLite
internal import Glibc
internal import PabalCore
internal import Synchronization

/// The three files of an open database: the database, its write-ahead log and its shared memory.
///
/// They are watched because SQLite goes on without an error when one is deleted or replaced: what it commits then is in
/// files that no other process, and no later one, ever sees.
final class DatabaseFileWatch: Sendable {
  private struct File: Sendable {
    let path: String
    let identity: DatabaseFile.Identity
  }

  private let path: String
  private let database: File
  /// The log and the shared memory.
  private let sidecars: [File]
  private let isEnded = Atomic(false)

  /// Records the files of `connection`, which has opened all of them. Throws if the file at `path` was replaced meanwhile.
  init(_ path: String, _ connection: Database) throws(StorageError) {
    self.path = path
    var hasMoved: CInt = 0
    sqlite3_file_control(connection.sqliteConnection, "main", SQLITE_FCNTL_HAS_MOVED, &hasMoved)
    guard hasMoved == 0, let identity = DatabaseFile.Identity(path) else {
      throw StorageError(.gone, place: path)
    }
    database = File(path: path, identity: identity)
    // SQLite follows symbolic links, and puts the other files beside the target.
    let target = DatabaseFile.resolved(path)
    sidecars = ["-wal", "-shm"].compactMap { suffix in
      DatabaseFile.Identity(target + suffix).map { File(path: target + suffix, identity: $0) }
    }
  }

  /// Ends the watch before this process closes the database, which deletes the log.
  func end() { isEnded.store(true, ordering: .relaxed) }

  /// Throws if one of the files isn't the one that was opened. Costs three stat(2).
  func check() throws(StorageError) {
    // SQLite then says what is wrong.
    if isEnded.load(ordering: .relaxed) { return }
    for file in [database] + sidecars where DatabaseFile.Identity(file.path) != file.identity {
      throw StorageError(.gone, place: file.path)
    }
  }

  /// Whether only the log or the shared memory was deleted, and no other process has created a new one: this process
  /// alone still has what was committed.
  var hasLostSidecarsOnly: Bool {
    guard DatabaseFile.Identity(database.path) == database.identity else { return false }
    let found = sidecars.map { ($0.identity, DatabaseFile.Identity($0.path)) }
    return found.contains { $1 == nil } && found.allSatisfy { $1 == nil || $0 == $1 }
  }
}
