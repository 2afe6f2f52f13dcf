internal import PabalCore

/// What deserves attention in the set-up of a database server.
enum PostgreSQLFindings {
  private static let settings = PostgreSQLStatement(
    """
    SELECT current_setting('synchronous_commit'), current_setting('fsync'),
      current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_catalog.pg_stat_replication),
      current_setting('full_page_writes'),
      (SELECT count(*) FROM pg_catalog.pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))
    """)

  /// Returns warnings about durability and notifications. Blocks.
  static func all(_ pool: PostgreSQLPool, _ notifier: PostgreSQLNotifier) throws(StorageError) -> [Diagnostic]
  {
    let rows = try pool.readNow { connection throws(PostgreSQLError) in try connection.run([settings])[0] }
      .get()
    var findings: [Diagnostic] = []
    func add(_ message: String, _ remedy: String) {
      findings.append(Diagnostic(message, remedy: remedy, severity: .warning))
    }
    if let row = rows.rows.first {
      let standbys = row.text(2) ?? ""
      if row.text(0) == "off" {
        add(
          "synchronous_commit is off: if the server crashes, mail that was acknowledged is lost",
          "set it to on for Pabal's role: ALTER ROLE … SET synchronous_commit = on")
      }
      if row.text(1) == "off" || row.text(4) == "off" {
        add(
          "fsync or full_page_writes is off: a crash may destroy the database",
          "set both to on in postgresql.conf")
      }
      if !standbys.isEmpty, row.count(5) == 0 {
        add(
          "commits wait for a standby, and none of synchronous_standby_names is connected",
          "start the standby, or change synchronous_standby_names")
      }
      if row.count(3) > 0, standbys.isEmpty || row.text(0) == "local" {
        add(
          "replication is asynchronous: after a failover, the mail that was acknowledged last may be lost",
          "name the standbys in synchronous_standby_names, with synchronous_commit = on")
      }
    }
    do throws(PostgreSQLError) {
      if try !notifier.isHeard() {
        add(
          "notifications don't arrive, as through a pooler in transaction mode: nodes notice each other's mail once a second",
          "set \"listener\" in storage.postgresql to the address of the server itself")
      }
    } catch {
      throw StorageError(error.error, place: pool.place)
    }
    return findings
  }
}
