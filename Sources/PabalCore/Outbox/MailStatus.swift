/// The delivery status of a mail in the outbox.
public struct MailStatus: Sendable, Hashable {
  /// The stage of a mail's delivery.
  public enum State: String, Sendable, Hashable, Codable, CaseIterable {
    /// Waiting for the first attempt.
    case waiting = "waiting"
    /// An attempt is in progress.
    case sending = "sending"
    /// An attempt failed and another will follow.
    case deferred = "deferred"
    /// Waiting until the account or the set-up is corrected.
    case held = "held"
    /// The next hop took responsibility.
    case sent = "sent"
    /// Permanently refused; for a verification, the cooldown and caps that it counted towards are refunded.
    case rejected = "rejected"
    /// It is not known whether the mail was accepted, and it won't be tried again.
    case unknown = "unknown"
    /// The mail could not be handed over before its time limit.
    case expired = "expired"
    /// A newer mail replaced it.
    case superseded = "superseded"
    /// Cancelled on request.
    case cancelled = "cancelled"
  }

  /// The mail's id in the outbox.
  public let mail: String
  /// The stage of its delivery.
  public let state: State
  /// The name of the last attempt's outcome. After `unknown` the mail may have arrived although it is tried again.
  public let outcome: String?
  /// The digits of the last reply: `550 5.1.1`.
  public let status: String?

  init(_ entry: OutboxEntry) {
    mail = entry.id
    outcome = entry.outcome
    status = entry.status
    state =
      switch entry.state {
      case .waiting where entry.hold != nil: .held
      case .waiting where entry.outcome != nil: .deferred
      case .waiting: .waiting
      case .sending: .sending
      case .sent: .sent
      case .rejected: .rejected
      case .unknown: .unknown
      case .expired: .expired
      case .superseded: .superseded
      case .cancelled: .cancelled
      }
  }
}
