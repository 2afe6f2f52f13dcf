public import PabalCore

/// Why somebody couldn't log in or out.
public struct AccountProblem: Error, Sendable {
  /// Who has to do what.
  public enum Kind: Sendable, Hashable {
    /// The command's words are wrong.
    case usage
    /// The configuration is.
    case configuration
    /// The account or the set-up is at fault.
    case refused
    /// It may pass by itself.
    case passing
  }

  /// Who has to do what.
  public let kind: Kind
  /// What is wrong and what to do.
  public let diagnostic: Diagnostic
}

extension TokenFailure {
  /// For a command that ends with it.
  var accountProblem: AccountProblem {
    AccountProblem(kind: fault ?? (kind == .passing ? .passing : .refused), diagnostic: diagnostic)
  }
}
