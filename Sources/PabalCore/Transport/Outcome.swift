/// How an attempt to hand a mail over ended, for the whole mail or for one recipient.
public enum Outcome: Sendable, Hashable {
  /// The next hop took responsibility.
  case sent
  /// Not taken, try later; `retryAfter` is the time before which trying is useless.
  case deferred(retryAfter: Duration? = nil)
  /// This transport cannot carry this mail, and nothing left.
  case unsuited
  /// This mail or recipient will never be taken.
  case rejected
  /// The account or the set-up is at fault, not the recipient.
  case held(Scope, retryAfter: Duration? = nil)
  /// The last byte was handed over and no reply decides.
  case unknown

  /// How far `held` reaches.
  public enum Scope: String, Sendable, Hashable, Codable {
    /// No mail can leave through the transport now.
    case transport = "transport"
    /// Only this mail cannot.
    case mail = "mail"
  }

  /// The outcome's name in commands, logs and JSON.
  public var name: String {
    switch self {
    case .sent: "sent"
    case .deferred: "deferred"
    case .unsuited: "unsuited"
    case .rejected: "rejected"
    case .held: "held"
    case .unknown: "unknown"
    }
  }

  /// The time before which another attempt is useless, where the far side gave one.
  public var retryAfter: Duration? {
    switch self {
    case .deferred(let wait), .held(_, let wait): wait
    case .sent, .unsuited, .rejected, .unknown: nil
    }
  }

  /// Whether nothing more is to be tried for the recipient it was said of.
  public var isFinal: Bool {
    switch self {
    case .sent, .rejected: true
    case .deferred, .unsuited, .held, .unknown: false
    }
  }

  /// A mail's outcome over its recipients: the first present of unknown, held, deferred, unsuited,
  /// rejected, sent; `nil` of none.
  public static func combined(_ recipients: some Sequence<Outcome>) -> Outcome? {
    recipients.min { $0.rank < $1.rank }
  }

  private var rank: Int {
    switch self {
    case .unknown: 0
    case .held(.transport, _): 1
    case .held(.mail, _): 2
    case .deferred: 3
    case .unsuited: 4
    case .rejected: 5
    case .sent: 6
    }
  }
}

/// What a transport says of one attempt.
public struct Receipt: Sendable, Hashable {
  /// What became of one recipient.
  public struct Recipient: Sendable, Hashable {
    /// The recipient, as the envelope had it.
    public var address: Address
    /// What became of it.
    public var outcome: Outcome
    /// The far side's reply for this recipient, or the mail's.
    public var reply: String?

    /// A recipient's part of a receipt.
    public init(address: Address, outcome: Outcome, reply: String? = nil) {
      self.address = address
      self.outcome = outcome
      self.reply = reply
    }
  }

  /// The outcome for the whole mail.
  public var outcome: Outcome
  /// The reply that decided, in the far side's words.
  public var reply: String?
  /// The id under which the next hop knows the mail.
  public var remoteID: String?
  /// One entry a recipient of the envelope, in its order.
  public var recipients: [Recipient]

  /// A receipt whose outcome follows from its recipients'.
  public init(recipients: [Recipient], reply: String? = nil, remoteID: String? = nil) {
    self.outcome = Outcome.combined(recipients.lazy.map(\.outcome)) ?? .unsuited
    self.recipients = recipients
    self.reply = reply
    self.remoteID = remoteID
  }

  /// A receipt with one outcome for every recipient of `envelope`.
  public init(_ outcome: Outcome, for envelope: Envelope, reply: String? = nil, remoteID: String? = nil) {
    self.init(
      recipients: envelope.recipients.map { Recipient(address: $0, outcome: outcome, reply: reply) },
      reply: reply, remoteID: remoteID)
  }
}

/// What an attempt that ended `unknown` means for a mail.
public enum UnknownPolicy: String, Sendable, Hashable, Codable, CaseIterable {
  /// Twice is better than not at all: the next transport gets it.
  case resend = "resend"
  /// Not at all is better than twice: nothing more is tried.
  case keep = "keep"
}
