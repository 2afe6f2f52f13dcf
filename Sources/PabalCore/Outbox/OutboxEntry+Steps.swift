// The rules by which an entry changes, so that every store follows the same ones.
extension OutboxEntry {
  /// The entry in the hands of `lease.owner`, one attempt further; its state must be `waiting`.
  ///
  /// An adder that sends at once adds it like this, which only mail that may be sent twice allows: a
  /// crash between the commit and the first octet leaves an attempt that may have been one.
  public func claimed(by lease: Lease) -> OutboxEntry {
    var entry = self
    entry.transition(to: .sending)
    entry.lease = lease
    entry.attempts += 1
    return entry
  }

  /// Whether `owner` may settle the attempt number `attempts`.
  package func isLeased(by owner: String, attempt: Int) -> Bool {
    state == .sending && lease?.owner == owner && attempts == attempt
  }

  /// Takes down how an attempt ended.
  package mutating func settle(_ settlement: OutboxSettlement) {
    if let transport = settlement.transport { self.transport = transport }
    if let outcome = settlement.outcome { self.outcome = outcome }
    if settlement.outcome != nil { status = settlement.status }
    if settlement.outcome != nil, settlement.hold == nil { failures += 1 }
    if settlement.usedStaleRoute { failures = 0 }
    if settlement.outcome == Outcome.unknown.name { unknownAttempts += 1 }
    hold = settlement.hold
    switch settlement.result {
    case .retry(let due, let content):
      if let content { self.content = content }
      self.due = due
      returnToWaiting(at: settlement.now)
    case .release:
      attempts -= 1
      returnToWaiting(at: settlement.now)
    case .final(let state):
      end(state, at: settlement.now)
    }
  }

  /// Whether the process that had it is dead, as far as anybody can know.
  package func isLeaseExpired(at now: Timestamp) -> Bool {
    state == .sending && lease.map { $0.until <= now } ?? false
  }

  /// What happens to a mail whose lease ran out: the attempt may have been one; after `limit` of these
  /// nothing more is tried, since the mail itself may be what kills.
  package mutating func expireLease(at now: Timestamp, limit: Int = DispatcherOptions.maxUnknownAttempts) {
    failures += 1
    unknownAttempts += 1
    if unknown == .keep || unknownAttempts >= limit {
      outcome = Outcome.unknown.name
      end(.unknown, at: now)
    } else {
      due = now
      returnToWaiting(at: now)
    }
  }

  /// Brings times back that lie further ahead than `sweep` allows, as after the clock was set back; says
  /// whether it did.
  package mutating func clampFutureTimes(_ sweep: OutboxSweep) -> Bool {
    switch state {
    case .sending:
      // Not stranded: where its process lives, it extends the lease in time.
      guard let lease, lease.owner != sweep.owner, lease.until > sweep.now + sweep.leaseDuration * 2 else {
        return false
      }
      self.lease?.until = sweep.now + sweep.leaseDuration
    case .waiting:
      let longestWait = hold == nil ? sweep.longestWaits[lane] ?? sweep.longestHoldWait : sweep.longestHoldWait
      if attempts > 0 {
        guard due > sweep.now + longestWait else { return false }
        due = sweep.now + longestWait
      } else {
        // Whoever added it may have wanted it late, but not later than that after it was added.
        guard created > sweep.now, due > sweep.now + longestWait else { return false }
        due = min(due, sweep.now + max(.zero, due - created))
      }
    default: return false
    }
    return true
  }

  /// Takes it back, or marks it as taken back for when the attempt under way ends; says whether it did.
  package mutating func withdraw(as state: OutboxState, at now: Timestamp) -> Bool {
    if isLeaseExpired(at: now) { expireLease(at: now) }
    switch self.state {
    case .waiting: end(state, at: now)
    case .sending: requestedState = state
    default: return false
    }
    return true
  }

  /// Makes a waiting mail due at once and forgets why it was held; says whether it did.
  package mutating func expedite(at now: Timestamp) -> Bool {
    if isLeaseExpired(at: now) { expireLease(at: now) }
    guard state == .waiting else { return false }
    due = now
    hold = nil
    return true
  }

  /// Makes a mail due at once that waits because of what a transport said, since there is another route; says
  /// whether it did.
  ///
  /// Its back-off begins anew: an attempt that nobody had planned doesn't bring its end nearer. After `unknown` it
  /// goes on waiting: each further attempt may be a further copy, and there is an end to their number.
  package mutating func reroute(at now: Timestamp) -> Bool {
    let cause = hold == nil ? Outcome.deferred().name : Outcome.held(.mail).name
    guard state == .waiting, due > now, outcome == cause else { return false }
    due = now
    hold = nil
    failures = 0
    return true
  }

  /// Ends it in a final state and erases its content.
  package mutating func end(_ state: OutboxState, at now: Timestamp) {
    transition(to: state)
    lease = nil
    requestedState = nil
    hold = nil
    content = nil
    ended = now
  }

  // After an attempt that decided nothing: the mail waits, unless it was taken back or is too late.
  private mutating func returnToWaiting(at now: Timestamp) {
    if let requestedState {
      end(requestedState, at: now)
    } else if let notAfter, notAfter <= max(now, due) {
      end(.expired, at: now)
    } else {
      transition(to: .waiting)
      lease = nil
    }
  }

  private mutating func transition(to next: OutboxState) {
    precondition(state.canTransition(to: next), "a mail in state \(state.rawValue) can't become \(next.rawValue)")
    state = next
  }
}
