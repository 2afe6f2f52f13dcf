/// What a process wants to hand over next.
public struct OutboxClaim: Sendable {
  /// Who claims, and for how long.
  public var lease: OutboxEntry.Lease
  /// The present moment; mail that is due later, or too late by now, stays.
  public var now: Timestamp
  /// How many mails at most.
  public var limit: Int
  /// How many of these are for codes alone.
  public var reservedForCodes: Int
  /// Whether codes are left to another claim.
  public var excludesCodes = false
  /// The one mail that is wanted, or `nil` for any.
  public var id: String?

  /// A claim of up to `limit` mails, the most urgent lanes first.
  public init(
    _ lease: OutboxEntry.Lease, now: Timestamp, limit: Int, reservedForCodes: Int = 0, id: String? = nil
  ) {
    self.lease = lease
    self.now = now
    self.limit = limit
    self.reservedForCodes = reservedForCodes
    self.id = id
  }

  /// How many mails of `lane` are still wanted after `count`.
  package func wanted(of lane: Lane, after count: Int) -> Int {
    if lane == .code, excludesCodes { return 0 }
    return max(0, limit - (lane == .code ? 0 : reservedForCodes) - count)
  }
}

/// How an attempt ended, as the outbox keeps it.
public struct OutboxSettlement: Sendable {
  /// What follows.
  public enum Result: Sendable {
    /// It is decided.
    case final(OutboxState)
    /// It waits until `due`, with its content as it is now, or as it was where that is `nil`.
    case retry(due: Timestamp, content: [UInt8]?)
    /// No attempt was made: it waits as before.
    case release
  }

  /// The mail.
  public var id: String
  /// Who claimed it.
  public var owner: String
  /// The entry's `attempts` when it was claimed.
  public var attempt: Int
  /// What follows.
  public var result: Result
  /// The transport tried last.
  public var transport: String?
  /// The name of the outcome, `nil` where no attempt was made.
  public var outcome: String?
  /// The digits of the reply that decided.
  public var status: String?
  /// Why it waits, where an account or the set-up is at fault.
  public var hold: Outcome.Scope?
  /// Whether the attempt went by a route that isn't any more, so that its back-off begins anew.
  public var usedStaleRoute = false
  /// The present moment.
  public var now: Timestamp

  /// How the attempt on the claimed `entry` ended.
  public init(
    _ entry: OutboxEntry, _ result: Result, transport: String? = nil, outcome: String? = nil,
    status: String? = nil, hold: Outcome.Scope? = nil, now: Timestamp
  ) {
    self.id = entry.id
    self.owner = entry.lease?.owner ?? ""
    self.attempt = entry.attempts
    self.result = result
    self.transport = transport
    self.outcome = outcome
    self.status = status
    self.hold = hold
    self.now = now
  }
}

/// Which mail to show.
public struct OutboxQuery: Sendable {
  /// Only mail with one of these ids.
  public var ids: [String]?
  /// Only mail in one of these states.
  public var states: Set<OutboxState>?
  /// Only mail older than the one with this id, as the last page ended.
  public var before: String?
  /// How many at most, the newest first.
  public var limit: Int
  /// Whether their sealed content is wanted.
  public var withContent: Bool
  /// Whether the number of all mails in each state is wanted, which takes a look at every one.
  public var withCounts: Bool
  /// Whether what is known of the transports is wanted.
  public var withTransports: Bool
  /// Whether the numbers of mails that have not left are wanted, at a cost that doesn't depend on those that have.
  public var withBacklog: Bool

  /// The newest `limit` mails that fit.
  public init(
    ids: [String]? = nil, states: Set<OutboxState>? = nil, before: String? = nil, limit: Int = 100,
    withContent: Bool = false, withCounts: Bool = false, withTransports: Bool = false,
    withBacklog: Bool = false
  ) {
    self.ids = ids
    self.states = states
    self.before = before
    self.limit = limit
    self.withContent = withContent
    self.withCounts = withCounts
    self.withTransports = withTransports
    self.withBacklog = withBacklog
  }
}

/// What a look found.
public struct OutboxView: Sendable {
  /// The mails, the newest first.
  public var entries: [OutboxEntry]
  /// How many mails are in each state, where it was asked for; a state without mail is missing.
  public var counts: [OutboxState: Int]
  /// What is known of the transports, where it was asked for.
  public var transports: [String: TransportState]
  /// What has not left yet, where it was asked for.
  public var backlog: OutboxBacklog

  /// What a look found.
  public init(
    entries: [OutboxEntry], counts: [OutboxState: Int] = [:], transports: [String: TransportState] = [:],
    backlog: OutboxBacklog = OutboxBacklog()
  ) {
    self.entries = entries
    self.counts = counts
    self.transports = transports
    self.backlog = backlog
  }
}

/// A change of mail from outside of an attempt.
public enum OutboxAmendment: Sendable {
  /// These waiting mails are due at once, all of them for `nil`; so are those whose process died.
  case retry([String]?)
  /// Mail that waits because of what a transport said is due at once and begins its back-off anew, at most so
  /// much of it, codes first: there is another route.
  case reroute(limit: Int)
  /// These are taken back, if they aren't final: at once, or when the attempt under way decides nothing.
  case cancel([String])
  /// The group's mails but `newest` are superseded in the same way.
  case supersede(group: String, newest: String)
}

/// The housekeeping to do.
public struct OutboxSweep: Sendable {
  /// The present moment.
  public var now: Timestamp
  /// Whose leases can't have run out, whatever the clock says: the sweeper's own.
  public var owner: String
  /// How long a mail in a final state is shown.
  public var retention: Duration
  /// After how many attempts that ended `unknown`, or in the death of a process, nothing more is tried.
  public var maxUnknownAttempts: Int
  /// For how long a lease is at most; one that reaches further is cut.
  public var leaseDuration: Duration
  /// The longest wait after an attempt, by lane.
  public var longestWaits: [Lane: Duration]
  /// The longest wait of a mail that is held.
  public var longestHoldWait: Duration
  /// How many mails of each kind at most, so that nobody waits long for the store.
  public var limit: Int

  /// The housekeeping to do at `now` by `owner`, a process; by nobody for "".
  public init(
    now: Timestamp, owner: String = "", options: DispatcherOptions = DispatcherOptions(), limit: Int = 500
  ) {
    self.now = now
    self.owner = owner
    retention = options.retention
    maxUnknownAttempts = options.maxUnknownAttempts
    leaseDuration = options.leaseDuration
    longestHoldWait = options.heldRetry.longestWait
    longestWaits = [:]
    for lane in Lane.allCases { longestWaits[lane] = options.retryPolicy(lane).longestWait }
    self.limit = limit
  }
}

/// What lies ahead of the outbox.
public struct OutboxForecast: Sendable, Hashable {
  /// When the next mail is due, perhaps already; `nil`: none waits.
  public var due: Timestamp?
  /// When the next mail is too late, or the next lease of another process runs out.
  public var end: Timestamp?
  /// When the oldest waiting code was added.
  public var oldestCode: Timestamp?
  /// Whether the limit left something to do at once.
  public var isUnfinished: Bool

  /// What lies ahead of the outbox.
  public init(due: Timestamp?, end: Timestamp?, oldestCode: Timestamp?, isUnfinished: Bool) {
    self.due = due
    self.end = end
    self.oldestCode = oldestCode
    self.isUnfinished = isUnfinished
  }
}

/// How much mail has not left yet.
public struct OutboxBacklog: Sendable, Hashable {
  /// The waiting mail of a lane.
  public struct Waiting: Sendable, Hashable {
    /// How many mails, whether they are due or not.
    public var count: Int
    /// When the oldest of them was added.
    public var oldest: Timestamp

    /// So many mails.
    public init(count: Int, oldest: Timestamp) {
      self.count = count
      self.oldest = oldest
    }
  }

  /// What waits; a lane without mail is missing.
  public var waiting: [Lane: Waiting]
  /// How many mails are being handed over.
  public var sending: Int

  /// How much mail has not left yet.
  public init(waiting: [Lane: Waiting] = [:], sending: Int = 0) {
    self.waiting = waiting
    self.sending = sending
  }
}
