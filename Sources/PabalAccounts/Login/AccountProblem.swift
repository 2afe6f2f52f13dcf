public import PabalCore

/// Why somebody couldn't log in or out.
public struct AccountError: Error, Sendable {
  /// Who has to do what.
  public enum Kind: Sendable, Hashable {
    /// The command's words are wrong.
    case usage
    /// The configuration is.
    case configuration
    /// The account or the set-up is at fault.
    case refused
    /// It may pass by itself.
    case transient
  }

  /// Who has to do what.
  public let kind: Kind
  /// What is wrong and what to do.
  public let diagnostic: Diagnostic
}

extension TokenError {
  /// For a command that ends with it.
  var accountError: AccountError {
    AccountError(kind: errorKind ?? (kind == .transient ? .transient : .refused), diagnostic: diagnostic)
  }
}
