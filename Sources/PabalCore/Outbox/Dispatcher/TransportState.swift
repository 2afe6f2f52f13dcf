/// What all processes know of a transport: whether it may be tried, and when.
public struct TransportState: Sendable, Hashable {
  /// How many attempts in a row failed by the transport's fault.
  public var failures: Int
  /// Before when it isn't tried: its breaker is open, or it is held.
  public var closedUntil: Timestamp?
  /// When that was said; `nil`: it isn't known.
  public var closedAt: Timestamp?
  /// Who makes the one attempt that decides, once that time is over, and until when others wait for it.
  public var probe: OutboxEntry.Lease?
  /// Since when it is held, by its account's or the set-up's fault.
  public var heldSince: Timestamp?
  /// Why it is held, sealed: a reply may hold an address.
  public var cause: [UInt8]?
  /// The moment up to which its sends are spent (the theoretical arrival time of ITU-T I.371's GCRA).
  public var exhaustedUntil: Timestamp?

  /// A transport nobody has complained of.
  public init() { failures = 0 }

  /// Whether a transport may be tried.
  enum Permission: Sendable, Hashable {
    /// Yes.
    case open
    /// One attempt may, to see whether it works again.
    case probe
    /// Not before then.
    case closed(Timestamp)
  }

  /// Whether it may be tried at `now`.
  func permission(at now: Timestamp) -> Permission {
    guard let closedUntil else { return .open }
    if closedUntil > now { return .closed(closedUntil) }
    if let probe, probe.until > now { return .closed(probe.until) }
    return .probe
  }

  /// Lets `lease.owner` make the attempt that decides; says whether it may.
  mutating func takeProbe(_ lease: OutboxEntry.Lease, at now: Timestamp) -> Bool {
    guard permission(at: now) == .probe else { return false }
    probe = lease
    return true
  }

  /// Leaves the attempt that decides to another one, where it is `lease`'s.
  mutating func dropProbe(of lease: OutboxEntry.Lease?) {
    if probe == lease { probe = nil }
  }

  /// Takes down how an attempt through it ended.
  ///
  /// `isAboutRecipients`: what was said is about a recipient, and the transport worked.
  mutating func record(
    _ outcome: Outcome, isAboutRecipients: Bool = false, at now: Timestamp, by options: DispatcherOptions,
    cause: [UInt8]?
  ) {
    switch outcome {
    case .deferred(nil) where isAboutRecipients: open()
    case .sent, .rejected, .unsuited, .held(.mail, _):
      // It answered, and what it said is about the mail.
      open()
    case .held(.transport, let wait):
      failures += 1
      heldSince = heldSince ?? now
      self.cause = cause
      close(for: wait ?? options.suspensionDelay.after(failures), at: now)
    case .deferred(let wait?):
      // A rate's end is the account's, whichever mail met it.
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

  /// Forgets all complaints, as when somebody has mended the set-up.
  public mutating func open() {
    failures = 0
    closedUntil = nil
    closedAt = nil
    probe = nil
    heldSince = nil
    cause = nil
  }

  /// Lets the next attempt decide whether it works again, now rather than later.
  mutating func endWait(at now: Timestamp) {
    guard closedUntil != nil else { return }
    closedUntil = now
    closedAt = now
    probe = nil
  }

  /// Spends one send.
  mutating func spend(_ pace: Pace, at now: Timestamp) {
    exhaustedUntil = max(exhaustedUntil ?? now, now) + pace.cost
  }

  /// Brings times back that lie further ahead than they can, as after the clock was set back.
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
  /// The lower bound, doubled with each time after the first, up to the upper bound.
  fileprivate func after(_ times: Int) -> Duration {
    Swift.min(lowerBound * (1 << Swift.max(0, Swift.min(times - 1, 20))), upperBound)
  }
}
