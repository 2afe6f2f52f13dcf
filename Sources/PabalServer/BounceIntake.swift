import PabalAccounts
import PabalCommand
import PabalCore

/// Reads mailboxes for bounces while `pabal serve` runs: those of accounts with `bounces`, and those in `mailboxes`.
///
/// Several services on one store may read the same mailbox: a bounce that is recorded twice changes nothing.
struct BounceIntake: Sendable {
  private let runtime: ServeRuntime
  private let recorder: BounceRecorder

  private static let longestWait = Duration.seconds(3_600)

  /// Starts the rounds, until the task is cancelled.
  static func start(_ runtime: ServeRuntime, _ metrics: ServeMetrics) -> Task<Void, Never> {
    let intake = BounceIntake(runtime: runtime, recorder: BounceRecorder(runtime, metrics))
    return Task.detached { await intake.run() }
  }

  /// A mailbox that is read.
  private struct Source {
    /// What it is in the log: an account or a mailbox, and its name.
    var label: (key: String, name: String)
    var interval: Duration
    var read: () async throws(BounceReadingError) -> Void

    var key: String { "\(label.key) \(label.name)" }
  }

  /// When a mailbox is read next.
  private struct Schedule {
    var due = ContinuousClock.now
    var failures = 0
  }

  private func sources() -> [Source] {
    let context = runtime.snapshot.context
    let accounts = context.configuration.accounts.compactMap { account -> Source? in
      guard let settings = account.bounces else { return nil }
      return Source(label: ("account", account.name), interval: settings.interval) {
        () throws(BounceReadingError) in
        try await GmailBounceReader(recorder).read(account, settings, context)
      }
    }
    let mailboxes = context.configuration.mailboxes.map { mailbox in
      Source(label: ("mailbox", mailbox.name), interval: mailbox.interval) {
        () throws(BounceReadingError) in try await IMAPBounceReader(recorder).read(mailbox, context)
      }
    }
    return accounts + mailboxes
  }

  private func run() async {
    var schedules: [String: Schedule] = [:]
    while !Task.isCancelled {
      var next = ContinuousClock.now + .seconds(30)
      for source in sources() where !Task.isCancelled {
        var schedule = schedules[source.key] ?? Schedule()
        if schedule.due <= .now {
          await round(of: source, &schedule)
          schedules[source.key] = schedule
        }
        next = min(next, schedule.due)
      }
      try? await Task.sleep(until: max(next, .now + .seconds(1)), clock: .continuous)
    }
  }

  private func round(of source: Source, _ schedule: inout Schedule) async {
    do throws(BounceReadingError) {
      try await source.read()
      if schedule.failures > 0 { runtime.log.write("bounces read", source.label) }
      schedule = Schedule(due: .now + source.interval)
    } catch {
      schedule.failures += 1
      let backoff = source.interval * (1 << min(schedule.failures, 10))
      let wait = min(max(backoff, error.retryAfter ?? .zero), max(BounceIntake.longestWait, source.interval))
      schedule.due = .now + wait
      // The same problem isn't news each time.
      guard !Task.isCancelled, schedule.failures.isPowerOfTwo else { return }
      runtime.log.write("bounces unread", source.label, ("problem", error.problem))
    }
  }
}

extension Int {
  fileprivate var isPowerOfTwo: Bool { self > 0 && self & (self - 1) == 0 }
}
