internal import GRDB
internal import Glibc
public import PabalCore

/// Moves everything that is stored from one database to another: all of it, or nothing.
///
/// The destination has to be empty, and the source isn't used any more afterwards: its file or its schema is renamed, because
/// a node that went on with it would send the same mail again. A move that was interrupted is repeated from the beginning; one
/// that was interrupted only before the renaming is completed.
public enum StorageCopy {
  /// What was moved.
  public struct Result: Sendable, Hashable {
    /// The number of mails.
    public var mails = 0
    /// The number of mails that aren't in a final state.
    public var unfinishedMails = 0
    /// The number of verifications.
    public var verifications = 0
    /// Whether an earlier run had moved everything, and only the source was renamed now.
    public var wasCopied = false
    /// The new path or schema of the source.
    public var renamed = ""
  }

  /// How many rows are read and written at once.
  static let batchSize = 500

  /// Moves the SQLite file at `path` to a PostgreSQL database. Blocks. `progress` gets the number of rows so far.
  public static func move(
    _ path: String, to destination: PostgreSQLDatabase, keys: Keyring, at now: Timestamp,
    progress: (Int) -> Void = { _ in }
  ) throws(StorageError) -> Result {
    let path = DatabaseFile.resolved(path)
    guard access(path, F_OK) == 0 else { throw StorageError(errno: errno, place: path) }
    guard !DatabaseFile.isInUse(path) else { throw StorageError(.busy, place: path) }
    var result = try copy(path, to: destination, keys: keys, progress: progress)
    // The file is closed now.
    result.renamed = try DatabaseFile.moveAway(path, as: "copied", at: now) ?? path
    return result
  }

  private static func copy(
    _ path: String, to destination: PostgreSQLDatabase, keys: Keyring, progress: (Int) -> Void
  ) throws(StorageError) -> Result {
    let source = try SQLiteDatabase(path, keys: keys, acceptsMoving: true)
    defer { source.close() }
    let id = try source.beginMoving()
    do throws(StorageError) {
      return try SQLiteDatabase.storageCall(path) {
        try source.pool.read { database in
          try destination.receive(id) { write in
            var count = 0
            for table in StoredTable.all {
              try database.rows(of: table) { rows in
                try write(table, rows)
                count += rows.count
                progress(count)
              }
            }
          }
        }
      }
    } catch {
      if error.changedNothing { try? source.endMoving() }
      throw error
    }
  }

  /// Moves a PostgreSQL database to a SQLite file, which is created. Blocks. `progress` gets the number of rows so far.
  public static func move(
    _ source: PostgreSQLDatabase, to path: String, keys: Keyring, at now: Timestamp,
    progress: (Int) -> Void = { _ in }
  ) throws(StorageError) -> Result {
    try source.checkMovable()
    let id = try source.beginMoving()
    var result: Result
    do throws(StorageError) {
      let destination = try SQLiteDatabase(path, keys: keys)
      defer { destination.close() }
      result = try SQLiteDatabase.storageCall(path) {
        try destination.pool.write { database in
          try database.receive(id, place: path) { write in
            var count = 0
            try source.readAll { table, rows in
              try write(table, rows)
              count += rows.count
              progress(count)
            }
          }
        }
      }
    } catch {
      if error.changedNothing { try? source.endMoving() }
      throw error
    }
    result.renamed = try source.renameSchema(at: now)
    return result
  }
}

extension StorageError {
  /// Whether the destination certainly has nothing, so that the source may be used again.
  fileprivate var changedNothing: Bool {
    switch kind {
    case .unreachable, .unresolved, .closed: false
    default: true
    }
  }
}

/// The name of the row in `meta` of a database that is being moved. No node opens it then, because what it stored would stay
/// behind.
let movingName = "moving"
/// The name of the row in `meta` of a database to which that one was moved, with the same value.
let movedFromName = "moved from"
