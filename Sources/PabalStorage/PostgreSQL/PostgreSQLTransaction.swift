internal import PabalCore

/// A transaction on a connection.
///
/// Statements whose results aren't needed are queued and sent together with the next ones, so that most transactions take
/// one or two round trips.
final class PostgreSQLTransaction {
  private let connection: PostgreSQLConnection
  private var queued: [PostgreSQLStatement] = []
  private var hasBegun = false
  private var writes = false
  private let id: [UInt8]

  /// A transaction that begins with its first statement.
  init(_ connection: PostgreSQLConnection) {
    self.connection = connection
    id = .random(count: 16)
  }

  /// The key of the row that shows that it was committed; `nil` if there is nothing to commit.
  var marker: [UInt8]? { writes ? id : nil }

  /// Adds a statement to the next round trip.
  func queue(_ statement: PostgreSQLStatement) {
    queued.append(statement)
    writes = true
  }

  /// Runs what is queued and then `statements`, in one round trip. Returns the results of `statements`.
  func run(_ statements: [PostgreSQLStatement]) throws(PostgreSQLError) -> [PostgreSQLRows] {
    guard !statements.isEmpty else { return [] }
    let before = start() + queued
    queued = []
    return Array(try connection.run(before + statements).dropFirst(before.count))
  }

  /// Like `run`, for statements that change rows.
  func runWriting(_ statements: [PostgreSQLStatement]) throws(PostgreSQLError) -> [PostgreSQLRows] {
    writes = true
    return try run(statements)
  }

  /// Runs what is queued and commits, in one round trip.
  func commit() throws(PostgreSQLError) {
    guard writes else { return rollBack() }
    try connection.run(start() + queued + [Self.insertMarker(id), PostgreSQLStatement("COMMIT")])
    hasBegun = false
  }

  /// Undoes everything.
  func rollBack() {
    guard hasBegun, !connection.isLost else { return }
    hasBegun = false
    _ = try? connection.run([PostgreSQLStatement("ROLLBACK")])
  }

  private func start() -> [PostgreSQLStatement] {
    guard !hasBegun else { return [] }
    hasBegun = true
    return [
      PostgreSQLStatement("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"),
      // If this machine is cut off, the server would keep the locks until it notices, which may take hours.
      PostgreSQLStatement("SET LOCAL idle_in_transaction_session_timeout = '30s'"),
    ]
  }

  /// The statement that inserts a marker. Without `ignoresExisting`, a transaction whose commit was already declared lost
  /// fails with it.
  static func insertMarker(_ marker: [UInt8], ignoresExisting: Bool = false) -> PostgreSQLStatement {
    PostgreSQLStatement(
      """
      INSERT INTO pabal.commit_marker (id, at)
      VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)\(ignoresExisting ? " ON CONFLICT (id) DO NOTHING" : "")
      """, [.bytes(marker)])
  }
}
