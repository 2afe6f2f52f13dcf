/// What all processes know of a transport: whether it may be tried, and when it may send again.
public struct TransportState: Sendable, Hashable {
  /// How many attempts in a row failed because of the transport.
  public var failures: Int
  /// Until when the transport gets no mail, because of failures, a rate limit or a hold.
  public var pausedUntil: Timestamp?
  /// When that began; `nil` if unknown.
  public var pausedAt: Timestamp?
  /// The process that makes the one attempt after `pausedUntil` that decides, and until when others wait for it.
  public var probe: OutboxEntry.Lease?
  /// Since when it has been held because of its account or configuration.
  public var heldSince: Timestamp?
  /// Why its last attempt failed (`FailureCause`); sealed. `nil` once it works.
  public var cause: [UInt8]?
  /// The time up to which its sends are used (the theoretical arrival time of the GCRA, ITU-T I.371).
  public var exhaustedUntil: Timestamp?

  /// A transport without failures.
  public init() { failures = 0 }

  /// Whether a transport may be tried.
  enum Permission: Sendable, Hashable {
    /// It may be tried.
    case ready
    /// One attempt may be made, to see whether it works again.
    case probe
    /// It may not be tried before that time.
    case paused(Timestamp)
  }

  /// Returns whether it may be tried at `now`.
  func permission(at now: Timestamp) -> Permission {
    guard let pausedUntil else { return .ready }
    if pausedUntil > now { return .paused(pausedUntil) }
    if let probe, probe.until > now { return .paused(probe.until) }
    return .probe
  }

  /// Gives the deciding attempt to `lease.owner`. Returns whether it was free.
  mutating func takeProbe(_ lease: OutboxEntry.Lease, at now: Timestamp) -> Bool {
    guard permission(at: now) == .probe else { return false }
    probe = lease
    return true
  }

  /// Frees the deciding attempt if `lease` has it.
  mutating func dropProbe(of lease: OutboxEntry.Lease?) {
    if probe == lease { probe = nil }
  }

  /// Records how an attempt ended.
  ///
  /// `isAboutRecipients`: a deferral concerns recipients only, so the transport works.
  mutating func record(
    _ outcome: Outcome, isAboutRecipients: Bool = false, at now: Timestamp, by options: DispatcherOptions,
    cause: [UInt8]?
  ) {
    switch outcome {
    case .deferred(nil) where isAboutRecipients: recover()
    case .sent, .rejected, .held(.mail, _):
      // The transport works: its answer concerns the mail.
      recover()
    case .unsuited:
      // Nothing was sent, so it isn't known whether the transport works.
      break
    case .held(.transport, let wait):
      failures += 1
      self.cause = cause
      heldSince = heldSince ?? now
      pause(for: wait ?? options.suspensionDelay.after(failures), at: now)
    case .deferred(let wait?):
      // A rate limit applies to the account, not only to this mail.
      failures += 1
      self.cause = cause
      pause(for: wait, at: now)
    case .deferred(nil), .unknown:
      failures += 1
      self.cause = cause
      if failures >= options.breakerThreshold {
        pause(for: options.breakerDelay.after(failures - options.breakerThreshold + 1), at: now)
      } else {
        probe = nil
      }
    }
  }

  /// Forgets all failures, because the transport works.
  mutating func recover() {
    failures = 0
    pausedUntil = nil
    pausedAt = nil
    probe = nil
    heldSince = nil
    cause = nil
  }

  /// Lets an attempt decide at once whether a paused transport works again.
  public mutating func endWait(at now: Timestamp) {
    guard pausedUntil != nil else { return }
    pausedUntil = now
    pausedAt = now
    probe = nil
  }

  /// Uses one send.
  mutating func spend(_ pace: Pace, at now: Timestamp) {
    exhaustedUntil = max(exhaustedUntil ?? now, now) + pace.cost
  }

  /// Limits times that are further ahead than possible, because the clock was set back.
  mutating func clampFutureTimes(to now: Timestamp, by options: DispatcherOptions, pace: Pace?) {
    if let pace, let exhaustedUntil { self.exhaustedUntil = min(exhaustedUntil, now + pace.per) }
    if let probe, probe.until > now + options.leaseDuration * 2 { self.probe = nil }
    guard let pausedUntil else { return }
    if let pausedAt {
      guard pausedAt > now else { return }
      self.pausedUntil = now + (pausedUntil - pausedAt)
      self.pausedAt = now
    } else {
      self.pausedUntil = min(
        pausedUntil, now + max(options.breakerDelay.upperBound, options.suspensionDelay.upperBound))
    }
  }

  private mutating func pause(for wait: Duration, at now: Timestamp) {
    let moment = now + max(wait, .seconds(1))
    if pausedUntil.map({ $0 < moment }) ?? true {
      pausedUntil = moment
      pausedAt = now
    }
    probe = nil
  }
}

extension ClosedRange<Duration> {
  /// The lower bound, doubled for each failure after the first, up to the upper bound.
  fileprivate func after(_ failures: Int) -> Duration {
    Swift.min(lowerBound * (1 << Swift.max(0, Swift.min(failures - 1, 20))), upperBound)
  }
}
