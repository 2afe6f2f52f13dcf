/// The limit that refused a request.
public enum VerificationLimit: String, Sendable, Hashable, Codable, CaseIterable {
  /// The last mail to this recipient was sent too recently.
  case cooldown = "cooldown"
  /// The cap of mails to this recipient is reached.
  case recipient = "recipient"
  /// The cap of mails for this verification is reached.
  case verification = "verification"
  /// The cap of starts or checks from the client's address is reached.
  case client = "client"
  /// The daily quota of all mails is reached.
  case overall = "overall"
  /// Too many consecutive wrong codes were entered for this recipient.
  case failures = "failures"
  /// The cap of starts or checks of all callers without a key is reached.
  case keyless = "keyless"
  /// The rate of a client of the HTTP API is reached.
  case rate = "rate"
}

/// A refused or failed operation on a verification.
public enum VerificationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The id is unknown, or the verification has been deleted.
  case unknown
  /// A limit refuses the request until `retryAfter` has passed; `nil`: permanently. The current code stays valid.
  case limited(VerificationLimit, retryAfter: Duration?)
  /// The verification is not pending any more.
  case ended(VerificationState)
  /// The value of a field is invalid.
  case input(field: String, message: String)
  /// The values of several fields are invalid.
  case inputs([InputError])
  /// The message has errors and can't be rendered.
  case brokenMessage(Diagnostics)
  /// The proof can't be redeemed.
  case proof(ProofError)
  /// The stored data can't be opened with the available keys.
  case keys(KeyringError)
  /// The idempotency key was used before with another payload.
  case reused
  /// The store failed.
  case storage(StorageError)

  /// One sentence without its full stop; safe to print whatever the input was.
  public var description: String {
    switch self {
    case .unknown: "the verification does not exist"
    case .limited(let limit, let wait):
      "\(VerificationError.message(for: limit))"
        + (wait.map { "; try again in \(counted(Int($0.wholeSecondsUp), "second"))" }
          ?? "; start a new verification")
    case .ended(let state): "the verification is \(state.rawValue)"
    case .input(let field, let message): "\(field): \(message)"
    case .inputs(let errors): errors.map { "\($0.field): \($0.message)" }.joined(separator: "; ")
    case .brokenMessage(let diagnostics): diagnostics.description
    case .proof(let error): error.description
    case .keys(let error): "the verification can't be read: \(error)"
    case .reused: "the idempotency key was used before with another payload"
    case .storage(let error): error.description
    }
  }

  private static func message(for limit: VerificationLimit) -> String {
    switch limit {
    case .cooldown: "a mail was sent to this address a moment ago (verification.cooldown)"
    case .recipient:
      "too many mails were sent to this address (verification.recipient for one purpose, verification.mailbox for all)"
    case .verification: "too many mails were sent for this verification (verification.sends)"
    case .client:
      "too many requests from one client's address (verification.clientStarts, verification.clientChecks); pass the address of each person as client.ip, not that of a server"
    case .overall: "the daily quota of mails is used up (verification.quota)"
    case .failures: "too many wrong codes were entered for this address (verification.failures)"
    case .keyless:
      "too many requests from callers without a key (serve.keylessStarts, serve.keylessChecks); create a key with `pabal keys client NAME`, or raise the limit"
    case .rate: "the client has queued too many mails (\"rate\" of the client in serve.clients)"
    }
  }
}

extension VerificationError {
  /// Compares errors; diagnostics by their list.
  public static func == (a: VerificationError, b: VerificationError) -> Bool {
    switch (a, b) {
    case (.unknown, .unknown), (.reused, .reused): true
    case (.limited(let limit, let wait), .limited(let other, let otherWait)):
      limit == other && wait == otherWait
    case (.ended(let a), .ended(let b)): a == b
    case (.input(let a, let message), .input(let b, let other)): a == b && message == other
    case (.inputs(let a), .inputs(let b)): a == b
    case (.brokenMessage(let a), .brokenMessage(let b)): a.all == b.all
    case (.proof(let a), .proof(let b)): a == b
    case (.keys(let a), .keys(let b)): a == b
    case (.storage(let a), .storage(let b)): a == b
    default: false
    }
  }

  /// Hashes the description.
  public func hash(into hasher: inout Hasher) { hasher.combine(description) }
}

/// The reason why a proof can't be redeemed.
public enum ProofError: String, Error, Sendable, Hashable, Codable, CustomStringConvertible {
  /// It was never issued, or its verification has been deleted.
  case unknown = "unknown"
  /// It was redeemed before.
  case redeemed = "redeemed"
  /// It has expired.
  case expired = "expired"
  /// Its verification has another purpose than the caller expects.
  case otherPurpose = "other_purpose"

  /// One sentence without its full stop.
  public var description: String {
    switch self {
    case .unknown: "the proof does not exist; use the one that the check returned"
    case .redeemed: "the proof has been redeemed already"
    case .expired: "the proof has expired"
    case .otherPurpose: "the proof is for another purpose; it has not been redeemed"
    }
  }
}
