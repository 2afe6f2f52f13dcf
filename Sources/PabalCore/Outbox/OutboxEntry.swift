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
