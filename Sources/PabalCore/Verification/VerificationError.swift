/// What a request came up against.
public enum VerificationLimit: String, Sendable, Hashable, Codable, CaseIterable {
  /// The last mail to this recipient went out a moment ago.
  case cooldown = "cooldown"
  /// This recipient got as many mails as it may in a while.
  case recipient = "recipient"
  /// This verification sent as many mails as it may.
  case verification = "verification"
  /// The client's address started, or checked, as much as it may in a while.
  case client = "client"
  /// As much was sent to everybody as the transports take in a day.
  case overall = "overall"
  /// Too many wrong codes in a row came for this recipient.
  case failures = "failures"
}

/// Why a verification could not be started, sent, looked at or ended; nothing of it was done.
public enum VerificationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// There is no verification of this id, or its time of being kept is over.
  case unknown
  /// A limit stands in the way until `retryAfter` has passed; `nil`: for good. A code that is out stays valid.
  case limited(VerificationLimit, retryAfter: Duration?)
  /// It is final, and what was asked for takes a pending one.
  case ended(VerificationState)
  /// What was asked for can't be: which part of it, and what is wrong.
  case input(field: String, message: String)
  /// The message can't be rendered.
  case brokenMessage(Diagnostics)
  /// The proof is none, was redeemed before, or is too old.
  case proof(ProofError)
  /// What was kept of it can't be opened with the keys there are.
  case keys(KeyringError)
  /// The idempotency key came before, with another payload.
  case reused
  /// The store could not do it.
  case storage(StorageError)

  /// What is wrong; one sentence without its full stop, printable whatever the input was.
  public var description: String {
    switch self {
    case .unknown: "there is no such verification"
    case .limited(let limit, let wait):
      "\(VerificationError.message(for: limit))"
        + (wait.map { "; try again in \($0.wholeSecondsUp) seconds" } ?? "; start a new verification")
    case .ended(let state): "the verification is \(state.rawValue)"
    case .input(let field, let message): "\(field): \(message)"
    case .brokenMessage(let diagnostics): diagnostics.description
    case .proof(let problem): problem.description
    case .keys(let problem): "the verification can't be read: \(problem)"
    case .reused: "the idempotency key came before with another payload"
    case .storage(let problem): problem.description
    }
  }

  private static func message(for limit: VerificationLimit) -> String {
    switch limit {
    case .cooldown: "the last mail to this address went out a moment ago"
    case .recipient: "this address got as many mails as it may for now"
    case .verification: "this verification sent as many mails as it may"
    case .client: "too many requests came from the client's address"
    case .overall: "as many mails were sent as a day allows"
    case .failures: "too many wrong codes came for this address"
    }
  }
}

extension VerificationError {
  /// `Diagnostics` has no equality of its own, and its text says all.
  public static func == (a: VerificationError, b: VerificationError) -> Bool {
    switch (a, b) {
    case (.unknown, .unknown), (.reused, .reused): true
    case (.limited(let limit, let wait), .limited(let other, let otherWait)):
      limit == other && wait == otherWait
    case (.ended(let a), .ended(let b)): a == b
    case (.input(let a, let message), .input(let b, let other)): a == b && message == other
    case (.brokenMessage(let a), .brokenMessage(let b)): a.all == b.all
    case (.proof(let a), .proof(let b)): a == b
    case (.keys(let a), .keys(let b)): a == b
    case (.storage(let a), .storage(let b)): a == b
    default: false
    }
  }

  /// Hashes what tells one problem from another.
  public func hash(into hasher: inout Hasher) { hasher.combine(description) }
}

/// Why a proof proves nothing.
public enum ProofError: String, Error, Sendable, Hashable, Codable, CustomStringConvertible {
  /// It was never given out, or its verification is no longer kept.
  case unknown = "unknown"
  /// It was redeemed before.
  case redeemed = "redeemed"
  /// Its time is over.
  case expired = "expired"

  /// What is wrong; one sentence without its full stop.
  public var description: String {
    switch self {
    case .unknown: "there is no such proof"
    case .redeemed: "the proof was redeemed before"
    case .expired: "the proof's time is over"
    }
  }
}

extension Duration {
  /// Seconds, a begun one counted whole: who waits so long has waited long enough.
  public var wholeSecondsUp: Int64 {
    let (seconds, attoseconds) = components
    return attoseconds > 0 ? seconds + 1 : seconds
  }
}
