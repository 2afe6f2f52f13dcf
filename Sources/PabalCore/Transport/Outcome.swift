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
  /// The last octet was handed over and no reply decides.
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
