/// A verification as the program that started it sees it.
public struct Verification: Sendable, Hashable {
  /// The unguessable id: 26 characters of `[0-9A-Z]`. A check needs it.
  public let id: String
  /// What the code is for.
  public let purpose: String
  /// Its state.
  public let state: VerificationState
  /// The masked address: `k***@example.com`.
  public let masked: String
  /// The number of the valid code, from 1. Each resend increments it.
  public let generation: Int
  /// When it was started.
  public let created: Timestamp
  /// When its code expires.
  public let expires: Timestamp
  /// When it can be resent; `nil`: never.
  public let resendAt: Timestamp?
  /// How many more mails it may send.
  public let sendsRemaining: Int
  /// How many more codes will be checked.
  public let attemptsRemaining: Int
  /// The number of digits of the code.
  public let digits: Int
  /// The language of the mail.
  public let language: String?
  /// The status of the mail with the valid code; `nil` after the outbox has deleted it.
  public let delivery: MailStatus?

  /// The last six characters of the id, by which people distinguish verifications.
  public var reference: String { String(id.suffix(Verification.referenceLength)) }

  static let referenceLength = 6
  /// The number of characters of an id.
  package static let completeIDLength = 26
}

/// The outcome of a check.
public enum VerificationOutcome: String, Sendable, Hashable, Codable, CaseIterable {
  /// The code is right, and the address is proven.
  case approved = "approved"
  /// The code is wrong.
  case mismatch = "mismatch"
  /// The code was right until a newer one replaced it, or a newer start superseded the verification.
  case superseded = "superseded"
  /// The code has expired.
  case expired = "expired"
  /// All attempts are used up; this code was not compared.
  case exhausted = "exhausted"
  /// The right code was entered before; this one was not compared.
  case alreadyApproved = "already_approved"
  /// The verification has been cancelled.
  case cancelled = "cancelled"
  /// The mail with the code was rejected.
  case undeliverable = "undeliverable"
}

/// The result of a check.
public struct VerificationCheckResult: Sendable, Hashable {
  /// The outcome.
  public let outcome: VerificationOutcome
  /// How many more codes will be checked.
  public let attemptsRemaining: Int
  /// A token that proves the approval to another program, which redeems it once within `policy.proofLifetime`. Only set
  /// with `approved`.
  public let proof: String?
  /// What the code is for.
  public let purpose: String
  /// The language of the mail with the code.
  public let language: String?
  /// The time since the start.
  public let age: Duration
}

/// The address that a redeemed proof proves.
public struct ProvenAddress: Sendable, Hashable {
  /// The id of the verification.
  public let id: String
  /// What the code was for.
  public let purpose: String
  /// The address as it was passed to the start.
  public let address: Address
  /// When the right code was entered.
  public let approved: Timestamp
}

/// The state of a verification.
public enum VerificationState: String, Sendable, Hashable, Codable, CaseIterable {
  /// A code was sent and can be checked.
  case pending = "pending"
  /// The right code was entered; the proof can be redeemed.
  case approved = "approved"
  /// The proof was redeemed.
  case consumed = "consumed"
  /// Too many wrong codes were entered.
  case exhausted = "exhausted"
  /// The code expired before it was entered.
  case expired = "expired"
  /// Cancelled by the program that started it.
  case cancelled = "cancelled"
  /// Replaced by a newer start for the same address and purpose.
  case superseded = "superseded"
  /// The mail with the valid code was rejected, so that no person can have it.
  case undeliverable = "undeliverable"

  /// Whether codes can't be approved any more. The data for a resend is erased then.
  public var isFinal: Bool { self != .pending }

  /// Whether a verification in this state may enter `next`.
  public func canTransition(to next: VerificationState) -> Bool {
    switch (self, next) {
    case (.pending, .approved), (.pending, .exhausted), (.pending, .expired), (.pending, .cancelled),
      (.pending, .superseded), (.pending, .undeliverable), (.approved, .consumed):
      true
    default: false
    }
  }
}
