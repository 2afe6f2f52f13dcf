internal import GRDB
public import PabalCore

extension SQLiteOutbox {
  /// Gives what is in the outbox.
  public func look(_ query: OutboxQuery) async throws(StorageProblem) -> OutboxView {
    try await database.read { database in
      var conditions = ["1"]
      var arguments = StatementArguments()
      if let before = query.before {
        conditions.append("number < (SELECT number FROM mail WHERE id = ?)")
        arguments += [before]
      }
      if let states = query.states {
        conditions.append("state IN (\(marks(states.count)))")
        arguments += StatementArguments(states.map(\.rawValue).sorted())
      }
      if let ids = query.ids {
        conditions.append("id IN (\(marks(ids.count)))")
        arguments += StatementArguments(ids)
      }
      arguments += [max(query.limit, 0)]
      let rows = try MailRows.fetch(
        "WHERE \(conditions.joined(separator: " AND ")) ORDER BY number DESC LIMIT ?", arguments, in: database
      )
      let entries = try rows.map { row in
        var entry = row.entry
        if query.withContent { entry.setContent(try MailRows.content(row.number, in: database)) }
        return entry
      }
      var counts: [OutboxState: Int] = [:]
      if query.withCounts {
        for row in try Row.fetchAll(database, sql: "SELECT state, count(*) FROM mail GROUP BY state") {
          if let state = OutboxState(rawValue: row[0]) { counts[state] = row[1] }
        }
      }
      return OutboxView(entries: entries, counts: counts)
    }
  }
}

private func marks(_ count: Int) -> String { Array(repeating: "?", count: count).joined(separator: ",") }
