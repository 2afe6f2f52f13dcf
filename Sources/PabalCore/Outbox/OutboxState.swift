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
  /// The last octet left for a recipient and no reply decides, and nothing more is tried.
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
