/// How urgent a kind of mail is.
public enum Lane: String, Sendable, Hashable, Codable, CaseIterable {
  /// Somebody waits in front of a screen.
  case code = "code"
  /// Everything else that one person's act causes.
  case normal = "normal"
  /// What goes to many at once.
  case bulk = "bulk"
}
