internal import GRDB
public import PabalCore

extension SQLiteOutbox {
  /// Gives what is in the outbox.
  public func read(_ query: OutboxQuery) async throws(StorageError) -> OutboxView {
    try await database.read { database in
      var conditions = ["1"]
      var values: [any SQLiteValue] = []
      if let before = query.before {
        conditions.append("number < (SELECT number FROM mail WHERE id = ?)")
        values.append(before)
      }
      if let states = query.states {
        conditions.append("state IN (\(placeholders(states.count)))")
        values += states.map(\.rawValue).sorted()
      }
      if let ids = query.ids {
        conditions.append("id IN (\(placeholders(ids.count)))")
        values += ids
      }
      values.append(max(query.limit, 0))
      let rows = try MailTable.fetch(
        "WHERE \(conditions.joined(separator: " AND ")) ORDER BY number DESC LIMIT ?", values, in: database
      )
      let entries = try rows.map { row in
        var entry = row.entry
        if query.withContent { entry.setContent(try MailTable.content(row.number, in: database)) }
        return entry
      }
      var counts: [OutboxState: Int] = [:]
      if query.withCounts {
        try database.run("SELECT state, count(*) FROM mail GROUP BY state") { row in
          if let state = row.text(0).flatMap(OutboxState.init) { counts[state] = row.count(1) }
        }
      }
      return OutboxView(
        entries: entries, counts: counts,
        transports: query.withTransports ? try TransportStateTable.all(in: database) : [:],
        backlog: query.withBacklog ? try MailTable.backlog(in: database) : OutboxBacklog())
    }
  }
}

private func placeholders(_ count: Int) -> String { Array(repeating: "?", count: count).joined(separator: ",") }
