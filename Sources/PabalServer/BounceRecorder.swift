import PabalAccounts
import PabalCore

/// Why a mailbox couldn't be read for bounces.
struct BounceReadingError: Error {
  let problem: String
  var retryAfter: Duration?
}

/// Records what a mailbox has, and runs what blocks on a thread of its own.
struct BounceRecorder: Sendable {
  private let log: ServeLog
  private let metrics: ServeMetrics
  private let traces: BounceTraces
  private let suppressions: SuppressionList
  private let threads = WorkerThreads(count: 1)

  init(_ runtime: ServeRuntime, _ metrics: ServeMetrics) {
    log = runtime.log
    self.metrics = metrics
    traces = runtime.storage.bounces
    suppressions = runtime.storage.suppressions
  }

  /// Records a bounce. If its Message-IDs aren't known, `remoteIDs` are the ids of the mail at the next hop.
  func record(
    _ bounce: ReceivedBounce, at now: Timestamp,
    remoteIDs: () async throws(BounceReadingError) -> [String] = { [] }
  ) async throws(BounceReadingError) {
    var recorded = try await stored { () throws(StorageError) in
      try await traces.record(bounce, in: suppressions, at: now)
    }
    if recorded == nil {
      let ids = try await remoteIDs()
      if !ids.isEmpty {
        recorded = try await stored { () throws(StorageError) in
          try await traces.record(bounce, remoteIDs: ids, in: suppressions, at: now)
        }
      }
    }
    guard let recorded, recorded.marked + recorded.suppressed > 0 else { return }
    metrics.countBounce(recorded.marked)
    if let status = recorded.status {
      log.write(
        "bounced", ("mail", recorded.mail), ("recipients", "\(recorded.marked)"),
        ("suppressed", "\(recorded.suppressed)"), ("status", status))
    } else {
      log.write(
        "bounced", ("mail", recorded.mail), ("recipients", "\(recorded.marked)"),
        ("suppressed", "\(recorded.suppressed)"))
    }
  }

  /// Logs that a server refused mails of an entry of `mailboxes`, which are never read.
  func reportRefusal(_ mailbox: String, _ problem: String) {
    log.write("bounces skipped", ("mailbox", mailbox), ("problem", problem))
  }

  /// Returns what was last read of the mailbox `name`.
  func cursor(_ name: String) async throws(BounceReadingError) -> [UInt8]? {
    try await stored { () throws(StorageError) in try await traces.cursor(name) }
  }

  /// Stores what was last read of the mailbox `name`.
  func save(_ cursor: [UInt8], _ name: String) async throws(BounceReadingError) {
    try await stored { () throws(StorageError) in try await traces.setCursor(cursor, name) }
  }

  /// Runs blocking work on a mailbox.
  func mails<Value: Sendable>(
    _ work: @escaping @Sendable () throws(MailboxError) -> Value
  ) async throws(BounceReadingError) -> Value {
    try await blocking { () throws(BounceReadingError) in
      do throws(MailboxError) {
        return try work()
      } catch {
        throw BounceReadingError(problem: error.description, retryAfter: error.retryAfter)
      }
    }
  }

  /// Runs blocking work.
  func blocking<Value: Sendable>(
    _ work: @escaping @Sendable () throws(BounceReadingError) -> Value
  ) async throws(BounceReadingError) -> Value {
    try await threads.run { () -> Result<Value, BounceReadingError> in
      do throws(BounceReadingError) {
        return .success(try work())
      } catch {
        return .failure(error)
      }
    }.get()
  }

  private func stored<Value: Sendable>(
    _ work: () async throws(StorageError) -> Value
  ) async throws(BounceReadingError) -> Value {
    do throws(StorageError) {
      return try await work()
    } catch {
      throw BounceReadingError(problem: error.description)
    }
  }
}
