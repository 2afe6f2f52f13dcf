/// What all processes know of a transport: whether it may be tried, and when it may send again.
public struct TransportState: Sendable, Hashable {
  /// How many attempts in a row failed because of the transport.
  public var failures: Int
  /// Until when the transport is closed, because of failures or a hold.
  public var closedUntil: Timestamp?
  /// When it was closed; `nil` if unknown.
  public var closedAt: Timestamp?
  /// The process that makes the one attempt after `closedUntil` that decides, and until when others wait for it.
  public var probe: OutboxEntry.Lease?
  /// Since when it has been held because of its account or configuration.
  public var heldSince: Timestamp?
  /// Why it is held; sealed because a reply may contain an address.
  public var cause: [UInt8]?
  /// The time up to which its sends are used (the theoretical arrival time of the GCRA, ITU-T I.371).
  public var exhaustedUntil: Timestamp?

  /// A transport without failures.
  public init() { failures = 0 }

  /// Whether a transport may be tried.
  enum Permission: Sendable, Hashable {
    /// It may be tried.
    case open
    /// One attempt may be made, to see whether it works again.
    case probe
    /// It may not be tried before that time.
    case closed(Timestamp)
  }

  /// Returns whether it may be tried at `now`.
  func permission(at now: Timestamp) -> Permission {
    guard let closedUntil else { return .open }
    if closedUntil > now { return .closed(closedUntil) }
    if let probe, probe.until > now { return .closed(probe.until) }
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
    case .deferred(nil) where isAboutRecipients: open()
    case .sent, .rejected, .unsuited, .held(.mail, _):
      // The transport works: its answer concerns the mail.
      open()
    case .held(.transport, let wait):
      failures += 1
      heldSince = heldSince ?? now
      self.cause = cause
      close(for: wait ?? options.suspensionDelay.after(failures), at: now)
    case .deferred(let wait?):
      // A rate limit applies to the account, not only to this mail.
      failures += 1
      close(for: wait, at: now)
    case .deferred(nil), .unknown:
      failures += 1
      if failures >= options.breakerThreshold {
        close(for: options.breakerDelay.after(failures - options.breakerThreshold + 1), at: now)
      } else {
        probe = nil
      }
    }
  }

  /// Forgets all failures.
  public mutating func open() {
    failures = 0
    closedUntil = nil
    closedAt = nil
    probe = nil
    heldSince = nil
    cause = nil
  }

  /// Lets an attempt decide at once whether a closed transport works again.
  mutating func endWait(at now: Timestamp) {
    guard closedUntil != nil else { return }
    closedUntil = now
    closedAt = now
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
    guard let closedUntil else { return }
    if let closedAt {
      guard closedAt > now else { return }
      self.closedUntil = now + (closedUntil - closedAt)
      self.closedAt = now
    } else {
      self.closedUntil = min(
        closedUntil, now + max(options.breakerDelay.upperBound, options.suspensionDelay.upperBound))
    }
  }

  private mutating func close(for wait: Duration, at now: Timestamp) {
    let moment = now + max(wait, .seconds(1))
    if closedUntil.map({ $0 < moment }) ?? true {
      closedUntil = moment
      closedAt = now
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
