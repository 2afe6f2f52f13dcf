internal import GRDB
internal import PabalCore

/// What shows whether a database and a master key belong together.
struct KeyCheck {
  let current: [UInt8]
  let previous: [[UInt8]]

  /// Refuses another key than the database's; a new database gets this one.
  func verify(_ database: Database, place: String) throws {
    let found = try KeyCheck.value(in: database)
    if found == current { return }
    try database.inTransaction(.immediate) {
      // Another process may have been faster.
      let found = try KeyCheck.value(in: database)
      guard found.map({ $0 == current || previous.contains($0) }) ?? true else {
        throw StorageError(.wrongKey, place: place)
      }
      try database.run(
        "INSERT INTO meta (name, value) VALUES ('key', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [current])
      return .commit
    }
  }

  private static func value(in database: Database) throws -> [UInt8]? {
    try database.first("SELECT value FROM meta WHERE name = 'key'") { $0.octets(0) }
  }
}
