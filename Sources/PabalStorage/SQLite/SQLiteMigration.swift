internal import GRDB
internal import PabalCore

/// One step from a version of the database to the next; what has shipped is never changed.
struct SQLiteMigration: Sendable {
  /// The statements of the step.
  let statements: String

  /// The steps in order; the version is how many have been taken.
  static let all: [SQLiteMigration] = [.outbox, .verifications, .counts, .requests]

  // "PABA": whose file it is, as `file` and we tell it.
  private static let applicationID = 0x5041_4241

  /// Takes the steps that are missing, all or none; refuses another program's file and a newer Pabal's.
  static func migrate(_ database: Database, place: String) throws {
    guard try verifiedVersion(database, place: place) != all.count else { return }
    try database.inTransaction(.immediate) {
      // Another process may have taken them meanwhile.
      let version = try verifiedVersion(database, place: place)
      for step in all[version...] { try database.execute(sql: step.statements) }
      try database.execute(
        sql: "PRAGMA user_version = \(all.count); PRAGMA application_id = \(applicationID)")
      return .commit
    }
  }

  private static func verifiedVersion(_ database: Database, place: String) throws -> Int {
    let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
    let owner = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
    let isEmpty = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") == 0
    guard owner == applicationID || (owner == 0 && version == 0 && isEmpty) else {
      throw StorageError(.corrupt, place: place)
    }
    guard version <= all.count else {
      throw StorageError(.newer(found: version, known: all.count), place: place)
    }
    return version
  }
}
