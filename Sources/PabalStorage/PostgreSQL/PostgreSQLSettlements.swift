internal import PabalCore

/// Settles attempts within one transaction.
struct PostgreSQLSettlements {
  private let settlements: [OutboxSettlement]

  init(_ settlements: [OutboxSettlement]) { self.settlements = settlements }

  /// Returns each entry as it is afterwards, or `nil` where the lease was lost.
  func run(in transaction: PostgreSQLTransaction) throws(PostgreSQLError) -> [OutboxEntry?] {
    let found = try transaction.run([
      PostgreSQLMailTable.select(
        "WHERE m.id = ANY ($1) ORDER BY m.number FOR UPDATE", [.texts(settlements.map(\.id))])
    ])[0]
    var rows: [String: PostgreSQLMailTable.NumberedEntry] = [:]
    for row in found.rows {
      let row = try PostgreSQLMailTable.NumberedEntry(row)
      rows[row.entry.id] = row
    }
    var results: [OutboxEntry?] = []
    // A statement can't change a row twice, so this has the last state of each.
    var settled: [String: PostgreSQLMailTable.NumberedEntry] = [:]
    var reports: [OutboxEntry] = []
    var marks: [(mail: Int64, mark: RecipientMark)] = []
    var traces: [(trace: OutboxTrace, mail: String, at: Timestamp)] = []
    for settlement in settlements {
      guard var row = rows[settlement.id],
        row.entry.isLeased(by: settlement.owner, attempt: settlement.attempt)
      else {
        results.append(nil)
        continue
      }
      row.entry.settle(settlement)
      rows[settlement.id] = row
      settled[settlement.id] = row
      results.append(row.entry)
      reports += settlement.reports.map(\.entry)
      marks += settlement.marks.map { (row.number, $0) }
      if let trace = settlement.trace { traces.append((trace, settlement.id, settlement.now)) }
    }
    let changed = settled.values.sorted { $0.number < $1.number }
    for statement in PostgreSQLMailTable.update(changed, newContent: Set(changed.map(\.number))) {
      transaction.queue(statement)
    }
    let rejected = changed.map(\.entry).filter { $0.state == .rejected }
    for statement in PostgreSQLMailTable.endVerifications(of: rejected) { transaction.queue(statement) }
    if !reports.isEmpty { transaction.queue(PostgreSQLMailTable.add(reports)) }
    if let statement = PostgreSQLBounceStore.add(traces) { transaction.queue(statement) }
    if !marks.isEmpty { _ = try PostgreSQLBounceStore.add(marks, in: transaction) }
    return results
  }
}
