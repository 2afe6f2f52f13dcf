/// When the dispatcher next runs maintenance, and whether it should look for mail to claim.
struct DispatchSchedule {
  /// What a claim found.
  struct ClaimResult: Sendable {
    /// Whether it started any mail.
    var hasStarted: Bool
    /// Whether the outbox may contain more mail that can be started now.
    var mayHaveMore: Bool
    /// `DispatchSchedule.signalCount` when it began.
    var signalCount: Int
  }

  /// Whether the outbox may contain mail that can be claimed now.
  private(set) var mayHaveWork = true
  /// How often work was signalled. A claim that began before a signal may have missed what it was for.
  private(set) var signalCount = 0
  private var lastMaintenance: Timestamp?
  private var forecast = OutboxForecast(due: nil, end: nil, oldestCode: nil, isUnfinished: false)
  private var hasReportedCodeDelay = false
  private var turn = 0
  private var idleProbes: [String: Timestamp] = [:]

  /// Whether maintenance has run at least once, so that the states of the transports are known.
  var hasRunMaintenance: Bool { lastMaintenance != nil }

  // MARK: Maintenance

  /// Returns whether maintenance is to run at `now`, when it runs every `interval`.
  func isMaintenanceDue(at now: Timestamp, every interval: Duration) -> Bool {
    guard !forecast.isUnfinished, let lastMaintenance else { return true }
    // A clock that was set back must not stop maintenance.
    return now - lastMaintenance >= interval || now < lastMaintenance
  }

  /// Adopts the result of a sweep, or, for `nil`, that it failed.
  mutating func adopt(_ forecast: OutboxForecast?) {
    if let forecast {
      self.forecast = forecast
    } else {
      // After an error the next sweep waits for the usual interval.
      self.forecast.isUnfinished = false
    }
  }

  /// Records that maintenance ran at `now`.
  ///
  /// Returns when the oldest waiting code was added, if codes have been waiting for `alertDelay` and this has
  /// not been reported yet.
  mutating func finishMaintenance(at now: Timestamp, alertDelay: Duration) -> Timestamp? {
    lastMaintenance = now
    let delayedSince = forecast.oldestCode.flatMap { now - $0 >= alertDelay ? $0 : nil }
    defer { hasReportedCodeDelay = delayedSince != nil }
    return hasReportedCodeDelay ? nil : delayedSince
  }

  // MARK: Claiming

  /// Returns the number of the next claim.
  mutating func nextTurn() -> Int {
    turn = (turn + 1) % 1_000_000
    return turn
  }

  /// Records that at `now` no mail was there to probe the transport `name`.
  mutating func recordIdleProbe(of name: String, at now: Timestamp) { idleProbes[name] = now }

  /// Returns whether mail that may probe the transport `name` was looked for less than `interval` before `now`.
  func hasIdleProbe(of name: String, at now: Timestamp, within interval: Duration) -> Bool {
    idleProbes[name].map { $0 <= now && now - $0 < interval } ?? false
  }

  /// Records a signal that there is new mail or a new route.
  mutating func signalWork() {
    signalCount += 1
    mayHaveWork = true
  }

  /// Records that mail has become due.
  mutating func expectWork() { mayHaveWork = true }

  /// Expects work if the last sweep found mail that is due by `now`.
  mutating func expectDueMail(at now: Timestamp) {
    if let due = forecast.due, due <= now { mayHaveWork = true }
  }

  /// Records what a claim left behind. Claiming goes on if work was signalled after the claim began.
  mutating func finishClaim(_ result: ClaimResult) {
    mayHaveWork = result.mayHaveMore || signalCount != result.signalCount
  }

  /// Returns how long to wait at `now` before the next round: until mail is due or the next send is free, but
  /// not longer than `pollInterval`.
  func delay(at now: Timestamp, nextSend: Timestamp?, pollInterval: Duration) -> Duration {
    if forecast.isUnfinished { return .zero }
    let waits = [forecast.due, nextSend].compactMap { $0.map { $0 - now } }.filter { $0 > .zero }
    return min(pollInterval, waits.min() ?? pollInterval)
  }
}
