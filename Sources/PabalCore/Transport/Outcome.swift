/// The result of an attempt to deliver a mail, for the whole mail or for one recipient.
public enum Outcome: Sendable, Hashable {
  /// The next hop accepted responsibility for the mail.
  case sent
  /// Not accepted; try again later, but not before `retryAfter` has passed.
  case deferred(retryAfter: Duration? = nil)
  /// This transport can't carry this mail; nothing was sent.
  case unsuited
  /// The mail or recipient will never be accepted.
  case rejected
  /// The account or the configuration is at fault, not the recipient.
  case held(Scope, retryAfter: Duration? = nil)
  /// The whole mail was sent, but no conclusive reply arrived.
  case unknown

  /// What `held` applies to.
  public enum Scope: String, Sendable, Hashable, Codable {
    /// The transport can't send any mail at the moment.
    case transport = "transport"
    /// Only this mail can't be sent.
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

  /// The minimum wait before another attempt, if the server gave one.
  public var retryAfter: Duration? {
    switch self {
    case .deferred(let wait), .held(_, let wait): wait
    case .sent, .unsuited, .rejected, .unknown: nil
    }
  }

  /// Whether no further attempt is made for the recipient.
  public var isFinal: Bool {
    switch self {
    case .sent, .rejected: true
    case .deferred, .unsuited, .held, .unknown: false
    }
  }

  /// Returns the outcome of a mail from those of its recipients: the first that occurs of unknown, held, deferred,
  /// unsuited, rejected, sent. Returns `nil` for an empty sequence.
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

/// A transport's report about one attempt.
public struct Receipt: Sendable, Hashable {
  /// The result for one recipient.
  public struct Recipient: Sendable, Hashable {
    /// The recipient's address in the envelope.
    public var address: Address
    /// The outcome for this recipient.
    public var outcome: Outcome
    /// The server's reply for this recipient, or else for the mail.
    public var reply: String?
    /// The name of the server that the transport talks to, if it is known.
    public var remoteHost: String?

    /// Creates the result for one recipient.
    public init(address: Address, outcome: Outcome, reply: String? = nil, remoteHost: String? = nil) {
      self.address = address
      self.outcome = outcome
      self.reply = reply
      self.remoteHost = remoteHost
    }
  }

  /// The outcome for the whole mail.
  public var outcome: Outcome
  /// The server's reply that decided the outcome, verbatim.
  public var reply: String?
  /// The id that the next hop gave the mail.
  public var remoteID: String?
  /// The results for the recipients, in envelope order.
  public var recipients: [Recipient]

  /// Creates a receipt with the combined outcome of `recipients`.
  public init(recipients: [Recipient], reply: String? = nil, remoteID: String? = nil) {
    self.outcome = Outcome.combined(recipients.lazy.map(\.outcome)) ?? .unsuited
    self.recipients = recipients
    self.reply = reply
    self.remoteID = remoteID
  }

  /// Creates a receipt with the same outcome for every recipient of `envelope`.
  public init(_ outcome: Outcome, for envelope: Envelope, reply: String? = nil, remoteID: String? = nil) {
    self.init(
      recipients: envelope.recipients.map { Recipient(address: $0, outcome: outcome, reply: reply) },
      reply: reply, remoteID: remoteID)
  }
}

/// What happens to a mail after an attempt ended `unknown`.
public enum UnknownPolicy: String, Sendable, Hashable, Codable, CaseIterable {
  /// Better twice than not at all: the next transport tries it.
  case resend = "resend"
  /// Better not at all than twice: it is not tried again.
  case keep = "keep"
}
