/// What an attempt that ended `unknown` means for a mail.
public enum UnknownPolicy: String, Sendable, Hashable, Codable, CaseIterable {
  /// Twice is better than not at all: the next transport gets it.
  case resend = "resend"
  /// Not at all is better than twice: nothing more is tried.
  case keep = "keep"
}
