/// Where a verification stands.
public enum VerificationState: String, Sendable, Hashable, Codable, CaseIterable {
  /// Its code is out, or on its way, and can be checked.
  case pending = "pending"
  /// The right code came; the proof waits to be redeemed.
  case approved = "approved"
  /// The proof was redeemed, which happens once.
  case consumed = "consumed"
  /// As many wrong codes came as are judged.
  case exhausted = "exhausted"
  /// The code's time was over before the right one came.
  case expired = "expired"
  /// Whoever started it took it back.
  case cancelled = "cancelled"
  /// A newer start for the same address and purpose took its place.
  case superseded = "superseded"

  /// Whether no code can be approved any more; what a resend would need is erased.
  public var isFinal: Bool { self != .pending }

  /// Whether a verification may pass from this state to `next` in one step.
  public func canTransition(to next: VerificationState) -> Bool {
    switch (self, next) {
    case (.pending, .approved), (.pending, .exhausted), (.pending, .expired), (.pending, .cancelled),
      (.pending, .superseded), (.approved, .consumed):
      true
    default: false
    }
  }
}
