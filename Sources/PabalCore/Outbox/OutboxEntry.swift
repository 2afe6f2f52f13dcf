/// A mail in the outbox as stores keep it. Its content is sealed; the other properties contain no addresses, codes or
/// replies.
public struct OutboxEntry: Sendable, Hashable {
  /// The right of one process to send a mail in state `sending`, for a limited time.
  public struct Lease: Sendable, Hashable {
    /// The random name of the process.
    public var owner: String
    /// When the lease expires unless it is extended.
    public var until: Timestamp

    /// A lease for `owner`.
    public init(owner: String, until: Timestamp) {
      self.owner = owner
      self.until = until
    }
  }

  /// The mail's id.
  public let id: String
  /// Its priority.
  public let lane: Lane
  /// When it was added to the outbox.
  public let created: Timestamp
  /// When it expires if it hasn't been handed over; `nil`: never.
  public let notAfter: Timestamp?
  /// What follows an attempt that ended `unknown` or with the death of the process.
  public let unknown: UnknownPolicy
  /// The group it belongs to; a newer mail of the group may supersede it.
  public let group: String?
  /// The stored name of the caller that queued it; empty for the command line and for submissions.
  package let caller: String
  /// Whether its sender gets delivery reports, or why not.
  package let reporting: Reporting
  /// The key of the route that it takes; empty: the standard route. Mail whose key isn't configured any more takes the
  /// standard route, too.
  public let route: String
  /// Its state.
  public internal(set) var state: OutboxState
  /// The earliest time of the next attempt.
  public internal(set) var due: Timestamp
  /// How many times it was claimed for an attempt.
  public internal(set) var attempts: Int
  /// How many attempts over the current route failed, not counting those that the account or the set-up caused. The
  /// back-off depends on it.
  public internal(set) var failures: Int
  /// How many attempts ended `unknown` or with the death of the process.
  public internal(set) var unknownAttempts: Int
  /// The lease while it is `sending`, otherwise `nil`.
  public internal(set) var lease: Lease?
  /// The state that it enters if the current attempt doesn't decide it: `superseded` or `cancelled`, or `expired` or
  /// `unknown` for a mail that isn't tried again and whose sender the dispatcher informs first.
  public internal(set) var requestedState: OutboxState?
  /// Set while it waits because of the account or the set-up.
  public internal(set) var hold: Outcome.Scope?
  /// The name of the transport tried last.
  public internal(set) var transport: String?
  /// The name of the last attempt's outcome.
  public internal(set) var outcome: String?
  /// The digits of the last reply, such as `550 5.1.1`, without its text.
  public internal(set) var status: String?
  /// When it entered a final state.
  public internal(set) var ended: Timestamp?
  /// The sealed `OutboxContent`; `nil` after it was erased.
  public internal(set) var content: [UInt8]?
  /// What became of recipients apart from what a server answered, by their place in the envelope; empty unless requested.
  public internal(set) var marks: [RecipientMark] = []
  /// The digests of its recipients, of an entry that is being added; see `RecipientDigest`. A store need
  /// not return them.
  package var recipientDigests: [[UInt8]] = []

  /// A waiting mail with sealed content, due at `due`, by default at `created`.
  public init(
    id: String, lane: Lane, created: Timestamp, due: Timestamp? = nil, notAfter: Timestamp? = nil,
    unknown: UnknownPolicy = .resend, group: String? = nil, caller: Caller = .unrestricted,
    route: String = "", content: [UInt8]
  ) {
    self.init(
      id: id, lane: lane, created: created, due: due, notAfter: notAfter, unknown: unknown, group: group,
      ownedBy: caller.storedName, route: route, content: content)
  }

  /// A waiting mail that belongs to the caller with the stored name `caller`.
  package init(
    id: String, lane: Lane, created: Timestamp, due: Timestamp? = nil, notAfter: Timestamp? = nil,
    unknown: UnknownPolicy = .resend, group: String? = nil, ownedBy caller: String,
    reporting: Reporting = .none, route: String = "", content: [UInt8]
  ) {
    self.id = id
    self.lane = lane
    self.created = created
    self.notAfter = notAfter
    self.unknown = unknown
    self.group = group
    self.caller = caller
    self.reporting = reporting
    self.route = route
    self.state = .waiting
    self.due = due ?? created
    self.attempts = 0
    self.failures = 0
    self.unknownAttempts = 0
    self.content = content
  }

  /// An entry with all properties, as a store reads it.
  package init(
    id: String, lane: Lane, created: Timestamp, notAfter: Timestamp?, unknown: UnknownPolicy,
    group: String?, caller: String, reporting: Reporting = .none, route: String = "", state: OutboxState,
    due: Timestamp, attempts: Int, failures: Int, unknownAttempts: Int, lease: Lease?,
    requestedState: OutboxState?,
    hold: Outcome.Scope?, transport: String?, outcome: String?, status: String?, ended: Timestamp?,
    content: [UInt8]?
  ) {
    self.id = id
    self.lane = lane
    self.created = created
    self.notAfter = notAfter
    self.unknown = unknown
    self.group = group
    self.caller = caller
    self.reporting = reporting
    self.route = route
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
  /// Sets the content, which a store may keep apart from the entry.
  package mutating func setContent(_ content: [UInt8]?) { self.content = content }

  /// Sets the marks of its recipients, which a store keeps apart from the entry.
  package mutating func setMarks(_ marks: [RecipientMark]) { self.marks = marks }
}

/// The state of a mail in the outbox.
///
/// A held mail is `waiting`, with its `hold` set.
public enum OutboxState: String, Sendable, Hashable, Codable, CaseIterable {
  /// Waiting for its due time or a free transport.
  case waiting = "waiting"
  /// Claimed by a process, which is sending it or died before it could.
  case sending = "sending"
  /// The next hop took responsibility for all recipients.
  case sent = "sent"
  /// All recipients are decided, and at least one was rejected.
  case rejected = "rejected"
  /// For at least one recipient the result isn't known, and it won't be tried again.
  case unknown = "unknown"
  /// It wasn't handed over before its time limit.
  case expired = "expired"
  /// A newer mail of its group replaced it.
  case superseded = "superseded"
  /// Cancelled on request.
  case cancelled = "cancelled"

  /// Whether the state never changes again. The content of a mail in a final state is erased.
  public var isFinal: Bool {
    switch self {
    case .waiting, .sending: false
    case .sent, .rejected, .unknown, .expired, .superseded, .cancelled: true
    }
  }

  /// Whether a mail in this state may enter `next`.
  public func canTransition(to next: OutboxState) -> Bool { OutboxState.steps[self]?.contains(next) ?? false }

  // A test compares this table with the diagram in The-outbox.md.
  private static let steps: [OutboxState: Set<OutboxState>] = [
    .waiting: [.sending, .expired, .superseded, .cancelled],
    .sending: [.waiting, .sent, .rejected, .unknown, .expired, .superseded, .cancelled],
  ]
}

/// The priority of a mail.
public enum Lane: String, Sendable, Hashable, Codable, CaseIterable {
  /// A person is waiting for it in front of a screen.
  case code = "code"
  /// Other mail caused by one person's action.
  case normal = "normal"
  /// Mail to many recipients at once.
  case bulk = "bulk"
}

// The transitions of an entry, here because all stores share them.
extension OutboxEntry {
  /// Returns the entry, which must be `waiting`, claimed under `lease` for its next attempt.
  ///
  /// A process that sends a mail at once adds it already claimed. Only mail that may be sent twice permits that, because
  /// after a crash it isn't known whether the attempt was made.
  public func claimed(by lease: Lease) -> OutboxEntry {
    var entry = self
    entry.transition(to: .sending)
    entry.lease = lease
    entry.attempts += 1
    return entry
  }

  /// Whether `owner` holds the lease for this attempt, and so may settle it.
  package func isLeased(by owner: String, attempt: Int) -> Bool {
    state == .sending && lease?.owner == owner && attempts == attempt
  }

  /// Records how an attempt ended.
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

  /// Whether it is `sending` with an expired lease, so that its process is presumed dead.
  package func isLeaseExpired(at now: Timestamp) -> Bool {
    state == .sending && lease.map { $0.until <= now } ?? false
  }

  /// Ends the attempt of a process that is presumed dead. The attempt counts as unknown. After `limit` of these the mail
  /// isn't tried again, since it may be the cause of the crashes.
  package mutating func expireLease(at now: Timestamp, limit: Int = DispatcherOptions.maxUnknownAttempts) {
    failures += 1
    unknownAttempts += 1
    if unknown == .keep || unknownAttempts >= limit {
      outcome = Outcome.unknown.name
      // The dispatcher gets as many chances to inform the sender.
      if unknownAttempts < 2 * limit, giveUp(as: .unknown, at: now) { return }
      end(.unknown, at: now)
    } else {
      due = now
      returnToWaiting(at: now)
    }
  }

  /// Ends a waiting mail whose time limit has passed. Returns whether it changed.
  package mutating func expire(at now: Timestamp) -> Bool {
    if isGivenUp { return false }
    if !giveUp(as: .expired, at: now) { end(.expired, at: now) }
    return true
  }

  /// Whether its sender gets a report if it can't be delivered.
  package var owesReport: Bool { reporting == .sender }

  /// Whether no attempt follows, only the report to its sender with which the dispatcher ends it.
  package var isGivenUp: Bool { owesReport && (requestedState == .expired || requestedState == .unknown) }

  /// Leaves a mail to the dispatcher, because its content is needed for the report to its sender. Returns `false` if there
  /// isn't one.
  private mutating func giveUp(as state: OutboxState, at now: Timestamp) -> Bool {
    guard owesReport, requestedState == nil || isGivenUp else { return false }
    requestedState = state
    due = now
    hold = nil
    if self.state == .sending { transition(to: .waiting) }
    lease = nil
    return true
  }

  /// Moves times back that lie further ahead than `sweep` allows because the clock was set back. Returns whether it
  /// changed any.
  package mutating func clampFutureTimes(_ sweep: OutboxSweep) -> Bool {
    switch state {
    case .sending:
      // The lease isn't ended: if its process is alive, it will extend it in time.
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
        // The mail may have been added with a later due time on purpose, so that delay after `created` is kept.
        guard created > sweep.now, due > sweep.now + longestWait else { return false }
        due = min(due, sweep.now + max(.zero, due - created))
      }
    default: return false
    }
    return true
  }

  /// Ends it as `state`, at once or when the current attempt ends without a decision. Returns whether it wasn't final.
  package mutating func withdraw(as state: OutboxState, at now: Timestamp) -> Bool {
    if isLeaseExpired(at: now) { expireLease(at: now) }
    switch self.state {
    case .waiting: end(state, at: now)
    case .sending: requestedState = state
    default: return false
    }
    return true
  }

  /// Makes a waiting mail due and clears its hold. Returns whether it was waiting.
  package mutating func expedite(at now: Timestamp) -> Bool {
    if isLeaseExpired(at: now) { expireLease(at: now) }
    guard state == .waiting else { return false }
    due = now
    hold = nil
    return true
  }

  /// Makes a mail due that waits because of a transport's answer, since the route has changed. Returns whether it did.
  ///
  /// Its back-off starts from zero, so that the extra attempt doesn't count against it. A mail whose last outcome is
  /// `unknown` keeps waiting, because every further attempt may deliver another copy.
  package mutating func reroute(at now: Timestamp) -> Bool {
    let cause = hold == nil ? Outcome.deferred().name : Outcome.held(.mail).name
    guard state == .waiting, due > now, outcome == cause else { return false }
    due = now
    hold = nil
    failures = 0
    return true
  }

  /// Enters a final state and erases the content.
  package mutating func end(_ state: OutboxState, at now: Timestamp) {
    transition(to: state)
    lease = nil
    requestedState = nil
    hold = nil
    content = nil
    ended = now
  }

  /// Ends it in a restored copy of the store as `unknown` or `cancelled`, because it may have been sent since the copy was
  /// made.
  package mutating func endAfterRestore(as state: OutboxState, at now: Timestamp) {
    // Only an attempt leads to `unknown`.
    if self.state == .waiting, state == .unknown { transition(to: .sending) }
    if state == .unknown { outcome = Outcome.unknown.name }
    end(state, at: now)
  }

  // After an attempt without a decision, the mail waits unless it was withdrawn or has expired.
  private mutating func returnToWaiting(at now: Timestamp) {
    if let requestedState, !isGivenUp {
      end(requestedState, at: now)
    } else if let notAfter, notAfter <= max(now, due), !isGivenUp {
      if !giveUp(as: .expired, at: now) { end(.expired, at: now) }
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
