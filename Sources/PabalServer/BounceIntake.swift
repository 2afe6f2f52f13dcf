import PabalAccounts
import PabalCommand
import PabalCore
import PabalStorage

/// Reads the mailboxes of the accounts with `bounces` for bounces, while `pabal serve` runs.
///
/// Several services on one store may read the same mailbox: a bounce that is recorded twice changes nothing.
struct BounceIntake: Sendable {
  private let runtime: ServeRuntime
  private let metrics: ServeMetrics
  private let traces: BounceTraces
  private let threads = WorkerThreads(count: 1)

  /// The most mails of one round.
  private static let limit = 2_000
  /// How far back the first round looks.
  private static let firstPeriod = Duration.seconds(86_400)
  /// How long a mail may take to be found by a search.
  private static let overlap = Duration.seconds(3_600)
  private static let longestWait = Duration.seconds(3_600)

  /// Starts the rounds, until the task is cancelled.
  static func start(_ runtime: ServeRuntime, _ metrics: ServeMetrics) -> Task<Void, Never> {
    let intake = BounceIntake(runtime, metrics)
    return Task.detached { await intake.run() }
  }

  private init(_ runtime: ServeRuntime, _ metrics: ServeMetrics) {
    self.runtime = runtime
    self.metrics = metrics
    traces = runtime.storage.bounces
  }

  /// When a mailbox is read next.
  private struct Schedule {
    var due = ContinuousClock.now
    var failures = 0
  }

  private func run() async {
    var schedules: [String: Schedule] = [:]
    while !Task.isCancelled {
      var next = ContinuousClock.now + .seconds(30)
      for account in runtime.snapshot.context.configuration.accounts {
        guard let settings = account.bounces, !Task.isCancelled else { continue }
        var schedule = schedules[account.name] ?? Schedule()
        if schedule.due <= .now {
          await round(of: account, settings, &schedule)
          schedules[account.name] = schedule
        }
        next = min(next, schedule.due)
      }
      try? await Task.sleep(until: max(next, .now + .seconds(1)), clock: .continuous)
    }
  }

  private func round(
    of account: AccountConfiguration, _ settings: BounceIntakeConfiguration, _ schedule: inout Schedule
  ) async {
    do throws(ReadingError) {
      try await read(account, settings)
      if schedule.failures > 0 { runtime.log.write("bounces read", ("account", account.name)) }
      schedule = Schedule(due: .now + settings.interval)
    } catch {
      schedule.failures += 1
      let backoff = settings.interval * (1 << min(schedule.failures, 10))
      let wait = min(
        max(backoff, error.retryAfter ?? .zero), max(BounceIntake.longestWait, settings.interval))
      schedule.due = .now + wait
      // The same problem isn't news each time.
      guard !Task.isCancelled, schedule.failures.isPowerOfTwo else { return }
      runtime.log.write("bounces unread", ("account", account.name), ("problem", error.problem))
    }
  }

  private struct ReadingError: Error {
    let problem: String
    var retryAfter: Duration?
  }

  /// Reads what is new in a mailbox, the oldest mail first.
  private func read(
    _ account: AccountConfiguration, _ settings: BounceIntakeConfiguration
  ) async throws(ReadingError) {
    let (now, context) = (Timestamp.now(), runtime.snapshot.context)
    let (mailbox, user) = try await blocking { () throws(ReadingError) -> (GmailMailbox, String) in
      do throws(Diagnostic) {
        let source = try context.account(account.name)
        do throws(MailboxError) {
          let mailbox = try GmailMailbox(
            source, endpoint: settings.endpoint, authorities: settings.authorities)
          return (mailbox, source.user)
        } catch {
          throw Diagnostic(error.description)
        }
      } catch {
        throw ReadingError(problem: error.description)
      }
    }
    let name = "\(account.name)\0\(user)"
    var cursor =
      try await stored { () throws(StorageError) in try await traces.cursor(name) }.flatMap(
        MailboxCursor.init)
      ?? MailboxCursor(after: now - BounceIntake.firstPeriod)
    let query = GmailMailbox.bounceQuery(after: cursor.after)
    let ids = try await mails { () throws(MailboxError) in
      try mailbox.ids(matching: query, limit: BounceIntake.limit)
    }
    var unsaved = 0
    for id in ids.reversed() where !cursor.ids.contains(id) {
      guard !Task.isCancelled else { return }
      let bytes = try await mails { () throws(MailboxError) in
        try mailbox.mail(id, limit: ReceivedBounce.sizeLimit)
      }
      if let bounce = bytes.flatMap(ReceivedBounce.init) { try await take(bounce, from: mailbox, at: now) }
      cursor.ids.insert(id)
      unsaved += 1
      if unsaved % 20 == 0 { try await save(cursor, name) }
    }
    if ids.count < BounceIntake.limit {
      cursor = MailboxCursor(after: max(cursor.after, now - BounceIntake.overlap), ids: Set(ids))
    }
    try await save(cursor, name)
  }

  /// Records a bounce. Gmail replaces the Message-ID of mail that its API sends; then the mail is looked up there by the new
  /// one, because its id in the mailbox is known.
  private func take(
    _ bounce: ReceivedBounce, from mailbox: GmailMailbox, at now: Timestamp
  ) async throws(ReadingError) {
    let list = runtime.storage.suppressions
    var recorded = try await stored { () throws(StorageError) in
      try await traces.record(bounce, in: list, at: now)
    }
    if recorded == nil {
      let queries = bounce.messageIDs.prefix(2).compactMap(GmailMailbox.messageQuery)
      var ids: [String] = []
      for query in queries {
        ids += try await mails { () throws(MailboxError) in try mailbox.ids(matching: query, limit: 10) }
      }
      if !ids.isEmpty {
        let remoteIDs = ids
        recorded = try await stored { () throws(StorageError) in
          try await traces.record(bounce, remoteIDs: remoteIDs, in: list, at: now)
        }
      }
    }
    guard let recorded, recorded.marked + recorded.suppressed > 0 else { return }
    metrics.countBounce(recorded.marked)
    let log = runtime.log
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

  private func save(_ cursor: MailboxCursor, _ name: String) async throws(ReadingError) {
    try await stored { () throws(StorageError) in try await traces.setCursor(cursor.bytes, name) }
  }

  private func stored<Value: Sendable>(
    _ work: () async throws(StorageError) -> Value
  ) async throws(ReadingError) -> Value {
    do throws(StorageError) {
      return try await work()
    } catch {
      throw ReadingError(problem: error.description)
    }
  }

  private func mails<Value: Sendable>(
    _ work: @escaping @Sendable () throws(MailboxError) -> Value
  ) async throws(ReadingError) -> Value {
    try await blocking { () throws(ReadingError) in
      do throws(MailboxError) {
        return try work()
      } catch {
        throw ReadingError(problem: error.description, retryAfter: error.retryAfter)
      }
    }
  }

  private func blocking<Value: Sendable>(
    _ work: @escaping @Sendable () throws(ReadingError) -> Value
  ) async throws(ReadingError) -> Value {
    try await threads.run { () -> Result<Value, ReadingError> in
      do throws(ReadingError) {
        return .success(try work())
      } catch {
        return .failure(error)
      }
    }.get()
  }
}

extension Int {
  fileprivate var isPowerOfTwo: Bool { self > 0 && self & (self - 1) == 0 }
}

/// What has been read of a mailbox: everything before a moment, and these mails since.
struct MailboxCursor: Sendable, Hashable {
  var after: Timestamp
  var ids: Set<String> = []

  init(after: Timestamp, ids: Set<String> = []) {
    self.after = after
    self.ids = ids
  }

  /// Reads stored bytes: the milliseconds, then the ids, on lines of their own.
  init?(_ bytes: [UInt8]) {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    guard let milliseconds = lines.first.flatMap({ Int64($0) }) else { return nil }
    self.init(after: Timestamp(milliseconds: milliseconds), ids: Set(lines.dropFirst().map(String.init)))
  }

  var bytes: [UInt8] { Array((["\(after.milliseconds)"] + ids.sorted()).joined(separator: "\n").utf8) }
}

extension GmailMailbox {
  /// Returns the search for mail that may be a bounce. Gmail can't search for a media type.
  static func bounceQuery(after moment: Timestamp) -> String {
    "after:\(moment.milliseconds / 1_000) {from:mailer-daemon from:postmaster from:microsoftexchange "
      + "subject:undeliverable subject:undelivered subject:returned subject:\"delivery status notification\" subject:failure}"
  }

  /// Returns the search for the mail with a Message-ID; `nil` if the id can't be part of a search.
  static func messageQuery(_ messageID: String) -> String? {
    let id = messageID.dropFirst().dropLast()
    // Anyone writes bounces, and other characters are operators of Gmail's search.
    let isPlain = id.unicodeScalars.allSatisfy {
      $0.isASCII
        && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "@._-+=$~/".unicodeScalars.contains($0))
    }
    guard !id.isEmpty, isPlain else { return nil }
    return "rfc822msgid:\(id)"
  }
}
