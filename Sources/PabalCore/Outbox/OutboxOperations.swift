/// A request of a process for mail to send.
public struct OutboxClaim: Sendable {
  /// The claiming process, and until when it holds the mail.
  public var lease: OutboxEntry.Lease
  /// The current time. Mail that isn't due or has expired isn't claimed.
  public var now: Timestamp
  /// The maximum number of mails.
  public var limit: Int
  /// How many of these are reserved for the lane `code`.
  public var reservedForCodes: Int
  /// Whether mail in the lane `code` is excluded.
  public var excludesCodes = false
  /// The id of the only mail to claim, whatever its route; `nil`: any.
  public var id: String?
  /// The routes whose mail is claimed.
  public var routes = Routes.all

  /// A selection of routes by their keys.
  public enum Routes: Sendable, Hashable {
    /// The routes with these keys.
    case only(Set<String>)
    /// All routes but those with these keys.
    case except(Set<String>)

    /// All routes.
    public static let all = Routes.except([])

    /// Returns whether the route with this key is selected.
    public func contains(_ key: String) -> Bool {
      switch self {
      case .only(let keys): keys.contains(key)
      case .except(let keys): !keys.contains(key)
      }
    }
  }

  /// A claim of up to `limit` mails, by the priority of their lanes.
  public init(
    _ lease: OutboxEntry.Lease, now: Timestamp, limit: Int, reservedForCodes: Int = 0, id: String? = nil
  ) {
    self.lease = lease
    self.now = now
    self.limit = limit
    self.reservedForCodes = reservedForCodes
    self.id = id
  }

  /// Returns how many mails of `lane` may be claimed after `count` others.
  package func wanted(of lane: Lane, after count: Int) -> Int {
    if lane == .code, excludesCodes { return 0 }
    return max(0, limit - (lane == .code ? 0 : reservedForCodes) - count)
  }
}

/// The end of an attempt, as the outbox records it.
public struct OutboxSettlement: Sendable {
  /// What happens to the mail.
  public enum Result: Sendable {
    /// It enters a final state.
    case final(OutboxState)
    /// It waits until `due`, with new content unless that is `nil`.
    case retry(due: Timestamp, content: [UInt8]?)
    /// It waits as before, because there wasn't an attempt.
    case release
  }

  /// The id of the mail.
  public var id: String
  /// The process that claimed it.
  public var owner: String
  /// The entry's `attempts` after it was claimed.
  public var attempt: Int
  /// What happens to the mail.
  public var result: Result
  /// The name of the transport tried last.
  public var transport: String?
  /// The name of the outcome; `nil` without an attempt.
  public var outcome: String?
  /// The digits of the deciding reply.
  public var status: String?
  /// Set if it waits because of the account or the set-up.
  public var hold: Outcome.Scope?
  /// The reports to the mail's sender, which are added in the same transaction.
  package var reports: [OutboxReport] = []
  /// Whether the attempt used a route that has been replaced, so that the back-off starts from zero.
  public var usedStaleRoute = false
  /// What became of recipients apart from what a server answered.
  public var marks: [RecipientMark] = []
  /// What a bounce is matched by, if the mail was sent to anyone and bounces are read.
  public var trace: OutboxTrace?
  /// The current time.
  public var now: Timestamp

  /// The end of the attempt on a claimed entry.
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

/// A report to the sender of a mail, which the settlement of that mail adds to the outbox.
package struct OutboxReport: Sendable {
  /// The report as a mail of its own.
  package var entry: OutboxEntry
  /// What it says.
  package var action: DeliveryReport.Action
  /// How many recipients it is about.
  package var recipients: Int

  /// A report.
  package init(entry: OutboxEntry, action: DeliveryReport.Action, recipients: Int) {
    self.entry = entry
    self.action = action
    self.recipients = recipients
  }
}

/// A selection of mail and statistics.
public struct OutboxQuery: Sendable {
  /// Selects mail with one of these ids; `nil`: any.
  public var ids: [String]?
  /// Selects mail in one of these states; `nil`: any.
  public var states: Set<OutboxState>?
  /// Selects mail with a recipient of one of these digests; `nil`: any. See `RecipientDigest`.
  package var recipients: [[UInt8]]?
  /// Selects mail of the caller with this stored name; `nil`: any.
  package var caller: String?
  /// Selects mail added before the one with this id, for paging.
  public var before: String?
  /// The maximum number of mails, the newest first.
  public var limit: Int
  /// Whether to include the sealed content.
  public var withContent: Bool
  /// Whether to include the marks of recipients.
  public var withMarks = false
  /// Whether to count the mails in each state, which reads all of them.
  public var withCounts: Bool
  /// Whether to include the transport states.
  public var withTransports: Bool
  /// Whether to count the unfinished mails, at a cost independent of the number of finished ones.
  public var withBacklog: Bool

  /// Selects the newest `limit` mails that match.
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

/// The result of an `OutboxQuery`.
public struct OutboxView: Sendable {
  /// The selected mails, the newest first.
  public var entries: [OutboxEntry]
  /// The number of mails in each state, without the states that have none; empty unless requested.
  public var counts: [OutboxState: Int]
  /// The transport states; empty unless requested.
  public var transports: [String: TransportState]
  /// The unfinished mail; empty unless requested.
  public var backlog: OutboxBacklog

  /// The result of an `OutboxQuery`.
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

/// A change of mail outside of an attempt.
public enum OutboxAmendment: Sendable {
  /// Makes waiting mails due, and those whose lease has expired. `nil`: all.
  case retry([String]?)
  /// Makes up to `limit` mails due that wait because of a transport's answer, codes first, and resets their back-off,
  /// because the route has changed.
  case reroute(limit: Int)
  /// Cancels mails that aren't final: at once, or when the current attempt ends without a decision.
  case cancel([String])
  /// Supersedes the mails of a group except `newest`, in the same way.
  case supersede(group: String, newest: String)
}

/// The limits of one round of housekeeping.
public struct OutboxSweep: Sendable {
  /// The current time.
  public var now: Timestamp
  /// The process that sweeps. Its own leases are never expired, whatever the clock says.
  public var owner: String
  /// How long a mail in a final state is kept.
  public var retention: Duration
  /// After how many attempts that ended `unknown` or with the death of a process a mail isn't tried again.
  public var maxUnknownAttempts: Int
  /// The duration of a lease. Leases that reach more than twice as far ahead are cut.
  public var leaseDuration: Duration
  /// The maximum wait after an attempt, by lane.
  public var longestWaits: [Lane: Duration]
  /// The maximum wait of a held mail.
  public var longestHoldWait: Duration
  /// The maximum number of mails of each kind, so that the transaction stays short.
  public var limit: Int

  /// The housekeeping at `now` by the process `owner`; an empty string is none.
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

/// When the outbox has its next work.
public struct OutboxForecast: Sendable, Hashable {
  /// When the next mail is due, possibly in the past; `nil`: no mail is waiting.
  public var due: Timestamp?
  /// When the next mail expires, or the next lease of another process.
  public var end: Timestamp?
  /// When the oldest waiting mail in the lane `code` was added.
  public var oldestCode: Timestamp?
  /// Whether the limit of the sweep left work to do now.
  public var isUnfinished: Bool

  /// When the outbox has its next work.
  public init(due: Timestamp?, end: Timestamp?, oldestCode: Timestamp?, isUnfinished: Bool) {
    self.due = due
    self.end = end
    self.oldestCode = oldestCode
    self.isUnfinished = isUnfinished
  }
}

/// The number of unfinished mails.
public struct OutboxBacklog: Sendable, Hashable {
  /// The waiting mail of a lane.
  public struct Waiting: Sendable, Hashable {
    /// The number of mails, due or not.
    public var count: Int
    /// When the oldest of them was added.
    public var oldest: Timestamp

    /// A number of waiting mails.
    public init(count: Int, oldest: Timestamp) {
      self.count = count
      self.oldest = oldest
    }
  }

  /// The waiting mail by lane, without the lanes that have none.
  public var waiting: [Lane: Waiting]
  /// The number of mails being sent.
  public var sending: Int

  /// The number of unfinished mails.
  public init(waiting: [Lane: Waiting] = [:], sending: Int = 0) {
    self.waiting = waiting
    self.sending = sending
  }
}
