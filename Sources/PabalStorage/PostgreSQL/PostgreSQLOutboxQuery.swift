internal import PabalCore

/// The statements of an `OutboxQuery`, which are run in one round trip.
struct PostgreSQLOutboxQuery: Sendable {
  private let query: OutboxQuery

  init(_ query: OutboxQuery) { self.query = query }

  /// The statements, in the order in which `view` expects their results.
  var all: [PostgreSQLStatement] {
    var statements = [mails]
    if query.withMarks { statements.append(marks) }
    if query.withCounts {
      statements.append(PostgreSQLStatement("SELECT state, count(*) FROM pabal.mail GROUP BY state"))
    }
    if query.withTransports { statements.append(PostgreSQLTransportTable.select) }
    if query.withBacklog {
      statements += [
        PostgreSQLStatement(
          "SELECT lane, count(*), min(created) FROM pabal.mail WHERE state = 'waiting' GROUP BY lane"),
        PostgreSQLStatement("SELECT count(*) FROM pabal.mail WHERE state = 'sending'"),
      ]
    }
    return statements
  }

  /// Converts the results.
  func view(of results: [PostgreSQLRows]) throws(PostgreSQLError) -> OutboxView {
    var results = results[...]
    var view = OutboxView(entries: [])
    var marks: [Int64: [RecipientMark]] = [:]
    let rows = results.removeFirst().rows
    if query.withMarks {
      for row in results.removeFirst().rows {
        marks[row.number(0), default: []].append(try RecipientMark(row, from: 1))
      }
    }
    for row in rows {
      let found = try PostgreSQLMailTable.NumberedEntry(row)
      var entry = found.entry
      if query.withContent { entry.setContent(row.bytes(PostgreSQLMailTable.columnCount)) }
      if query.withMarks { entry.setMarks(marks[found.number] ?? []) }
      view.entries.append(entry)
    }
    if query.withCounts {
      for row in results.removeFirst().rows {
        if let state = row.text(0).flatMap(OutboxState.init) { view.counts[state] = row.count(1) }
      }
    }
    if query.withTransports {
      view.transports = PostgreSQLTransportTable.states(results.removeFirst())
    }
    if query.withBacklog {
      for row in results.removeFirst().rows {
        guard let lane = row.text(0).flatMap(Lane.init), let oldest = row.time(2) else { continue }
        view.backlog.waiting[lane] = OutboxBacklog.Waiting(count: row.count(1), oldest: oldest)
      }
      view.backlog.sending = results.removeFirst().rows.first?.count(0) ?? 0
    }
    return view
  }

  private var mails: PostgreSQLStatement {
    let (rest, values) = selection
    let content = query.withContent ? ", c.sealed" : ""
    let join = query.withContent ? "LEFT JOIN pabal.mail_content AS c ON c.mail = m.number" : ""
    return PostgreSQLStatement(
      "SELECT \(PostgreSQLMailTable.columns)\(content) FROM pabal.mail AS m \(join) \(rest)", values)
  }

  private var marks: PostgreSQLStatement {
    let (rest, values) = selection
    return PostgreSQLStatement(
      """
      SELECT k.mail, k.position, k.kind, k.status, k.sealed, k.at FROM pabal.mail_mark AS k
      WHERE k.mail IN (SELECT m.number FROM pabal.mail AS m \(rest)) ORDER BY k.mail, k.position
      """, values)
  }

  private var selection: (rest: String, values: [PostgreSQLValue]) {
    var conditions = ["true"]
    var values: [PostgreSQLValue] = []
    func add(_ condition: (String) -> String, _ value: PostgreSQLValue) {
      values.append(value)
      conditions.append(condition("$\(values.count)"))
    }
    if let before = query.before {
      add({ "m.number < (SELECT number FROM pabal.mail WHERE id = \($0))" }, .text(before))
    }
    if let states = query.states {
      add({ "m.state = ANY (\($0))" }, .texts(states.map(\.rawValue).sorted()))
    }
    if let ids = query.ids { add({ "m.id = ANY (\($0))" }, .texts(ids)) }
    if let recipients = query.recipients {
      add(
        { "m.number IN (SELECT mail FROM pabal.mail_recipient WHERE digest = ANY (\($0)))" },
        .bytes(recipients))
    }
    if let caller = query.caller { add({ "m.caller = \($0)" }, .text(caller)) }
    values.append(.int(max(query.limit, 0)))
    return (
      "WHERE \(conditions.joined(separator: " AND ")) ORDER BY m.number DESC LIMIT $\(values.count)", values
    )
  }
}
