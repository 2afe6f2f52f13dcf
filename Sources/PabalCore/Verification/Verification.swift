/// A verification as whoever started it sees it.
public struct Verification: Sendable, Hashable {
  /// 26 characters of `[0-9A-Z]` that nobody can guess; what checks need.
  public let id: String
  /// What is proved.
  public let purpose: String
  /// Where it stands.
  public let state: VerificationState
  /// The address, masked: `k***@example.com`.
  public let masked: String
  /// Which code is valid, from 1; each resend adds one.
  public let generation: Int
  /// When it was started.
  public let created: Timestamp
  /// From when on its code is dead.
  public let expires: Timestamp
  /// From when on a resend can be taken; `nil`: never.
  public let resendAt: Timestamp?
  /// How many mails it may still send.
  public let sendsRemaining: Int
  /// How many codes will still be judged.
  public let attemptsRemaining: Int
  /// How many digits the code has.
  public let digits: Int
  /// The language of the mail's words.
  public let language: String?
  /// What became of the mail with the valid code; `nil` once the outbox has forgotten it.
  public let delivery: MailStatus?

  /// The last six characters of the id, for people to tell verifications apart.
  public var reference: String { String(id.suffix(6)) }
}

/// What a check came to.
public enum VerificationOutcome: String, Sendable, Hashable, Codable, CaseIterable {
  /// It is the code; the address is proved.
  case approved = "approved"
  /// It is not the code.
  case mismatch = "mismatch"
  /// It was the code until a newer one overwrote it; or a newer start took the verification's place.
  case superseded = "superseded"
  /// The code's time is over.
  case expired = "expired"
  /// As many codes were judged as may be; this one was not.
  case exhausted = "exhausted"
  /// The right code came before; this one was not looked at.
  case alreadyApproved = "already_approved"
  /// The verification was cancelled.
  case cancelled = "cancelled"
}

/// The answer to a check.
public struct VerificationCheckResult: Sendable, Hashable {
  /// What the check came to.
  public let outcome: VerificationOutcome
  /// How many codes will still be judged.
  public let attemptsRemaining: Int
  /// With `approved` alone: what a program that trusts nobody redeems, once and within the proof's lifetime.
  public let proof: String?
  /// What is to be proved.
  public let purpose: String
  /// The language of the words that carried the code.
  public let language: String?
  /// How long after the start it was given.
  public let age: Duration
}

/// What a redeemed proof proves.
public struct ProvenAddress: Sendable, Hashable {
  /// The verification.
  public let id: String
  /// What was proved.
  public let purpose: String
  /// The address, as it was typed at the start.
  public let address: Address
  /// When the right code came.
  public let approved: Timestamp
}

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
