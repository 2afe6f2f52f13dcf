/// A mail in the outbox, as stores keep it: its content sealed, everything beside it free of addresses,
/// codes and replies.
public struct OutboxEntry: Sendable, Hashable {
  /// Whose a mail in state `sending` is, and how long without a word from that process.
  public struct Lease: Sendable, Hashable {
    /// The process, by a name it drew at random when it started.
    public var owner: String
    /// When the mail is anybody's again, unless the lease is extended before.
    public var until: Timestamp

    /// A lease for `owner`.
    public init(owner: String, until: Timestamp) {
      self.owner = owner
      self.until = until
    }
  }

  /// The mail's id.
  public let id: String
  /// How urgent it is.
  public let lane: Lane
  /// When it was added.
  public let created: Timestamp
  /// From when on it is too late to hand it over; `nil`: never.
  public let notAfter: Timestamp?
  /// What follows an attempt that ended `unknown`, or in the death of the process.
  public let unknown: UnknownPolicy
  /// What it belongs to, a verification's id; a newer mail of the group supersedes the older.
  public let group: String?
  /// Where it stands.
  public internal(set) var state: OutboxState
  /// Before when it is not to be tried again.
  public internal(set) var due: Timestamp
  /// How often it was claimed for an attempt.
  public internal(set) var attempts: Int
  /// How many attempts failed, by the route as it is, without an account's or the set-up's fault: these use up its
  /// retries.
  public internal(set) var failures: Int
  /// How many of them ended `unknown`, or in the death of the process.
  public internal(set) var unknownAttempts: Int
  /// Whose it is while it is `sending`, otherwise `nil`.
  public internal(set) var lease: Lease?
  /// What it becomes if the attempt under way leaves it undecided: `superseded` or `cancelled`.
  public internal(set) var requestedState: OutboxState?
  /// Why it waits, where an account or the set-up is at fault.
  public internal(set) var hold: Outcome.Scope?
  /// The transport tried last.
  public internal(set) var transport: String?
  /// The name of the last attempt's outcome.
  public internal(set) var outcome: String?
  /// The digits of the last reply: `550 5.1.1`; never its text.
  public internal(set) var status: String?
  /// When it came into a final state.
  public internal(set) var ended: Timestamp?
  /// Mail, envelope, and what became of recipients so far, sealed; `nil` once it is erased.
  public internal(set) var content: [UInt8]?

  /// A mail that waits from `due` on (by default from `created`) with its content sealed.
  public init(
    id: String, lane: Lane, created: Timestamp, due: Timestamp? = nil, notAfter: Timestamp? = nil,
    unknown: UnknownPolicy = .resend, group: String? = nil, content: [UInt8]
  ) {
    self.id = id
    self.lane = lane
    self.created = created
    self.notAfter = notAfter
    self.unknown = unknown
    self.group = group
    self.state = .waiting
    self.due = due ?? created
    self.attempts = 0
    self.failures = 0
    self.unknownAttempts = 0
    self.content = content
  }

  /// The whole of a row, as a store reads it back.
  package init(
    id: String, lane: Lane, created: Timestamp, notAfter: Timestamp?, unknown: UnknownPolicy,
    group: String?, state: OutboxState, due: Timestamp, attempts: Int, failures: Int, unknownAttempts: Int,
    lease: Lease?, requestedState: OutboxState?,
    hold: Outcome.Scope?, transport: String?, outcome: String?, status: String?, ended: Timestamp?,
    content: [UInt8]?
  ) {
    self.id = id
    self.lane = lane
    self.created = created
    self.notAfter = notAfter
    self.unknown = unknown
    self.group = group
    self.state = state
    self.due = due
    self.attempts = attempts
    self.failures = failures
    self.unknownAttempts = unknownAttempts
    self.lease = lease
    self.requestedState = requestedState
    self.hold = hold
    self.transport = transport
    self.outcome = outcome
    self.status = status
    self.ended = ended
    self.content = content
  }
}

extension OutboxEntry {
  /// Puts in the content that a store keeps elsewhere.
  package mutating func setContent(_ content: [UInt8]?) { self.content = content }
}

/// Where a mail in the outbox stands.
///
/// `held` is no state: a held mail is waiting, and says why.
public enum OutboxState: String, Sendable, Hashable, Codable, CaseIterable {
  /// It is to be handed over, at its due time or later.
  case waiting = "waiting"
  /// A process has it and hands it over, or was about to when it died.
  case sending = "sending"
  /// The next hop took responsibility for every recipient.
  case sent = "sent"
  /// It was decided, and at least one recipient will never be taken.
  case rejected = "rejected"
  /// The last byte left for a recipient and no reply decides, and nothing more is tried.
  case unknown = "unknown"
  /// Its time was over before it could be handed over.
  case expired = "expired"
  /// A newer mail of its group took its place.
  case superseded = "superseded"
  /// Somebody took it back.
  case cancelled = "cancelled"

  /// Whether nothing more happens to it; its content is erased.
  public var isFinal: Bool {
    switch self {
    case .waiting, .sending: false
    case .sent, .rejected, .unknown, .expired, .superseded, .cancelled: true
    }
  }

  /// Whether a mail may pass from this state to `next` in one step.
  public func canTransition(to next: OutboxState) -> Bool { OutboxState.steps[self]?.contains(next) ?? false }

  // The diagram in the catalog's page Outbox is this table; a test compares them.
  private static let steps: [OutboxState: Set<OutboxState>] = [
    .waiting: [.sending, .expired, .superseded, .cancelled],
    .sending: [.waiting, .sent, .rejected, .unknown, .expired, .superseded, .cancelled],
  ]
}

/// How urgent a kind of mail is.
public enum Lane: String, Sendable, Hashable, Codable, CaseIterable {
  /// Somebody waits in front of a screen.
  case code = "code"
  /// Everything else that one person's act causes.
  case normal = "normal"
  /// What goes to many at once.
  case bulk = "bulk"
}

// The rules by which an entry changes, so that every store follows the same ones.
extension OutboxEntry {
  /// The entry in the hands of `lease.owner`, one attempt further; its state must be `waiting`.
  ///
  /// An adder that sends at once adds it like this, which only mail that may be sent twice allows: a
  /// crash between the commit and the first byte leaves an attempt that may have been one.
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
      let longestWait =
        hold == nil ? sweep.longestWaits[lane] ?? sweep.longestHoldWait : sweep.longestHoldWait
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
    precondition(
      state.canTransition(to: next), "a mail in state \(state.rawValue) can't become \(next.rawValue)")
    state = next
  }
}
