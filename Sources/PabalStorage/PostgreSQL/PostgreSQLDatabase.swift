public import PabalCore

/// A PostgreSQL database that several nodes may share.
///
/// Its tables are in the schema `pabal`. What was acknowledged survives the loss of any node, and the loss of the server as
/// far as its `synchronous_commit` and `synchronous_standby_names` say.
public final class PostgreSQLDatabase: StorageDatabase {
  /// Its address, without user and password.
  public let place: String
  /// The outbox in it.
  public let outbox: any Outbox
  /// The verifications in it.
  public let verificationStore: any VerificationStore
  /// The suppression list in it.
  public let suppressionStore: any SuppressionStore
  /// What it keeps for bounces.
  public let bounceStore: any BounceStore

  /// The current time by the server's clock.
  public let now: @Sendable () -> Timestamp

  let pool: PostgreSQLPool
  private let notifier: PostgreSQLNotifier

  /// Connects, and creates or migrates the tables if their version is older than this program's. Blocks.
  ///
  /// Throws if the server can't be reached, if the tables are of a newer version that this program can't use, or if they
  /// belong to other keys. `acceptsMoving` is for the move of the database. A role without the right to change tables can open a database of this version.
  public convenience init(
    _ settings: PostgreSQLSettings, keys: Keyring, acceptsMoving: Bool = false
  ) throws(StorageError) {
    let known = keys.checkValue
    do {
      try self.init(
        settings, keyCheck: known, previousKeyChecks: keys.previousCheckValues, acceptsMoving: acceptsMoving)
    } catch {
      // Another process may have rotated the keys after they were read.
      keys.reload()
      guard error.kind == .wrongKey, keys.checkValue != known else { throw error }
      try self.init(
        settings, keyCheck: keys.checkValue, previousKeyChecks: keys.previousCheckValues,
        acceptsMoving: acceptsMoving)
    }
  }

  /// Like `init(_:keys:)`, for keys that these values identify.
  public init(
    _ settings: PostgreSQLSettings, keyCheck: [UInt8], previousKeyChecks: [[UInt8]] = [],
    acceptsMoving: Bool = false
  ) throws(StorageError) {
    place = settings.place
    let pool = PostgreSQLPool(settings)
    let notifier = PostgreSQLNotifier(pool, listener: settings.listener ?? settings.parameters)
    let batches = PostgreSQLBatches(pool, notifier, connections: settings.connections)
    self.notifier = notifier
    self.pool = pool
    now = { [clock = pool.clock] in clock.now }
    outbox = PostgreSQLOutbox(pool, notifier, batches)
    verificationStore = PostgreSQLVerificationStore(pool, batches)
    suppressionStore = PostgreSQLSuppressionStore(pool)
    bounceStore = PostgreSQLBounceStore(pool)
    do throws(StorageError) {
      try pool.writeNow { transaction throws(PostgreSQLError) in
        try PostgreSQLMigration.migrate(transaction)
      }.get()
      try pool.writeNow { transaction throws(PostgreSQLError) in
        try Self.verifyKey(keyCheck, previous: previousKeyChecks, transaction)
        let moving = try transaction.run([
          PostgreSQLStatement("SELECT FROM pabal.meta WHERE name = $1", [.text(movingName)])
        ])[0]
        guard acceptsMoving || moving.count == 0 else {
          throw PostgreSQLError(kind: .statement, error: .moving)
        }
      }.get()
    } catch {
      pool.close()
      throw error
    }
  }

  /// Closes the connections; later calls fail.
  public func close() {
    notifier.close()
    pool.close()
  }

  /// Calls `wake` when another node has stored mail, until `close`.
  public func listen(_ wake: @escaping @Sendable () -> Void) { notifier.listen(wake) }

  /// Returns what deserves attention in the set-up of the server. Blocks.
  public func findings() throws(StorageError) -> [Diagnostic] { try PostgreSQLFindings.all(pool, notifier) }

  /// Throws if a start of a verification could not be stored now.
  public func probe(keys: Keyring) async throws(StorageError) {
    let checks = [keys.checkValue] + keys.previousCheckValues
    try await pool.write { transaction throws(PostgreSQLError) in
      let found = try transaction.run([Self.selectKey])[0].rows.first?.bytes(0)
      guard let found, checks.contains(found) else {
        throw PostgreSQLError(kind: .statement, error: .wrongKey)
      }
      // A write, because a standby and a full disk still answer reads.
      transaction.queue(
        PostgreSQLStatement(
          "INSERT INTO pabal.meta (name, value) VALUES ('probe', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
          [.bytes([UInt8].random(count: 16))]))
    }
  }

  private static let selectKey = PostgreSQLStatement("SELECT value FROM pabal.meta WHERE name = 'key'")

  /// Throws if the database belongs to another key. A new database, or one of a previous key, is assigned to this one.
  private static func verifyKey(
    _ current: [UInt8], previous: [[UInt8]], _ transaction: PostgreSQLTransaction
  ) throws(PostgreSQLError) {
    if try transaction.run([selectKey])[0].rows.first?.bytes(0) == current { return }
    let found = try transaction.run([
      PostgreSQLStatement("SELECT pg_advisory_xact_lock($1)", [.int(PostgreSQLMigration.lock)]), selectKey,
    ])[1].rows.first?.bytes(0)
    guard found.map({ $0 == current || previous.contains($0) }) ?? true else {
      throw PostgreSQLError(kind: .statement, error: .wrongKey)
    }
    transaction.queue(
      PostgreSQLStatement(
        "INSERT INTO pabal.meta (name, value) VALUES ('key', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [.bytes(current)]))
  }
}

extension [UInt8] {
  /// Returns `count` random bytes.
  static func random(count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }
}
