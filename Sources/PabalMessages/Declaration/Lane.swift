/// How urgent a kind of mail is.
public enum Lane: String, Sendable, Hashable, Codable, CaseIterable {
  /// Somebody waits in front of a screen.
  case code
  /// Everything else that one person's act causes.
  case normal
  /// What goes to many at once.
  case bulk
}

/// What becomes of a mail when nobody knows whether it was taken.
public enum UnknownPolicy: String, Sendable, Hashable, Codable, CaseIterable {
  /// Sent again: twice is better than never.
  case resend
  /// Left alone: never is better than twice.
  case keep
}
