/// What a refusal means for the connection over which it arrived: the one place that decides it.
enum ConnectionPolicy {
  /// What follows for the connection.
  enum Consequence: Equatable {
    /// It can carry the next mail.
    case keep
    /// It isn't used again, so that neither the next mail nor the breaker's probe meets the same refusal.
    case retire
    /// It isn't used again, and if it was used before, the mail gets one more try over a new one.
    case retireAndRetry
  }

  /// Returns what a refusal that left nothing accepted means for the connection.
  static func consequence(of refusal: Reply, at stage: SMTPStage) -> Consequence {
    // Limits of a connection are announced in any of these replies; the server may keep the connection open.
    if refusal.closesConnection { return .retireAndRetry }
    if refusal.code >= 500 {
      // The server has forgotten the login.
      if refusal.code == 530 { return .retireAndRetry }
      return ReplyClassifier.outcome(of: refusal, at: stage) == .held(.transport) ? .retire : .keep
    }
    if isThrottle(refusal) { return stage == .recipient ? .keep : .retire }
    if stage == .recipient, isAboutRecipient(refusal) { return .keep }
    return isAboutMail(refusal) ? .retire : .retireAndRetry
  }

  /// Whether the server asks for less mail or fewer logins: 4.7.z (policy), Gmail's 450 4.2.1, 432 and 454. Another
  /// connection at once would make that worse.
  static func isThrottle(_ refusal: Reply) -> Bool {
    switch (refusal.code, refusal.enhanced?.subject, refusal.enhanced?.detail) {
    case (432, _, _), (454, _, _), (450, 2, 1): true
    case (400...499, 7, _): true
    default: false
    }
  }

  /// Whether the reason would be the same over any connection: an address or a mailbox, a full disk (4.3.1), or the
  /// content. Sending a large mail once more would only be a burden.
  private static func isAboutMail(_ refusal: Reply) -> Bool {
    switch (refusal.enhanced?.subject, refusal.enhanced?.detail) {
    case (1, _), (2, _), (3, 1), (6, _): true
    default: false
    }
  }

  /// Whether a refusal of RCPT is about the address or the mailbox, not about the connection.
  private static func isAboutRecipient(_ refusal: Reply) -> Bool {
    switch refusal.enhanced?.subject {
    case 1, 2: true
    case nil: refusal.code == 450
    default: false
    }
  }
}
