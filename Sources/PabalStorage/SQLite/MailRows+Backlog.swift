internal import GRDB
internal import PabalCore

extension MailTable {
  /// Counts what has not left yet, from indexes alone.
  static func backlog(in database: Database) throws -> OutboxBacklog {
    var backlog = OutboxBacklog()
    for lane in Lane.allCases {
      // The oldest is the one that was added first: its number is in every index, its time is not.
      let row = try Row.fetchOne(
        database, sql: "SELECT count(*), min(number) FROM mail WHERE state = 'waiting' AND lane = ?",
        arguments: [lane.rawValue])
      guard let row, let number = row[1] as Int64? else { continue }
      let created = try Int64.fetchOne(
        database, sql: "SELECT created FROM mail WHERE number = ?", arguments: [number])
      backlog.waiting[lane] = OutboxBacklog.Waiting(
        count: row[0], oldest: Timestamp(milliseconds: created ?? 0))
    }
    backlog.sending =
      try Int.fetchOne(database, sql: "SELECT count(*) FROM mail WHERE state = 'sending'") ?? 0
    return backlog
  }
}
