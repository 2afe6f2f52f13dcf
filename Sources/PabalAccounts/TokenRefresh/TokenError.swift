internal import PabalCore

/// Why there is no access token, and what to do.
struct TokenError: Error, Sendable, Hashable {
  enum Kind: Sendable, Hashable {
    /// The login is over; only a new one helps, and asking again never does.
    case dead
    /// Somebody has to mend the account or the set-up; asking again later shows whether it is mended.
    case setUp
    /// It may pass by itself.
    case transient
  }

  var kind: Kind
  /// One sentence without its full stop.
  var message: String
  var remedy: String?
  var step: GuideStep?
  /// What the server said, if it was the server.
  var serverError: OAuthError?
  var retryAfter: Duration?
  /// Whose fault it is, where that is neither the account's nor the network's.
  var errorKind: AccountError.Kind?
  /// The same as `message` for the browser's page; only of ours, never of a server's words.
  var korean: String?
  /// The scopes whose boxes weren't ticked.
  var missingScopes: [String] = []

  init(
    _ kind: Kind, _ message: String, remedy: String? = nil, step: GuideStep? = nil, serverError: OAuthError? = nil,
    retryAfter: Duration? = nil, errorKind: AccountError.Kind? = nil, korean: String? = nil
  ) {
    self.errorKind = errorKind
    self.korean = korean
    self.kind = kind
    self.message = message
    self.remedy = remedy
    self.step = step
    self.serverError = serverError
    self.retryAfter = retryAfter
  }

  init(_ problem: SecretFileError) {
    self.init(problem.isTransient ? .transient : .setUp, problem.message, remedy: problem.remedy)
  }

  init(_ diagnostic: Diagnostic) {
    self.init(
      .setUp, Diagnostic(diagnostic.message, path: diagnostic.path).sentence, remedy: diagnostic.remedy,
      errorKind: .configuration)
  }

  /// For a person: what, and what to do.
  var sentence: String { remedy.map { "\(message); \($0)" } ?? message }

  /// For a command that ends with it; names the step of the guide, too.
  var diagnostic: Diagnostic {
    let place = step.map { "see \($0.place)" }
    return Diagnostic(message, remedy: [remedy, place].compactMap(\.self).joined(separator: "; ").nonEmpty)
  }

  /// For a transport, of the account called `account`.
  func problem(account: String) -> AccessTokenError {
    let reason = "account \(account): \(sentence)"
    return kind == .transient
      ? .deferred(reason, retryAfter: retryAfter)
      : .held(reason, retryAfter: kind == .setUp ? retryAfter : nil)
  }
}

/// An error answer of a token endpoint (RFC 6749 section 5.2), made printable.
struct OAuthError: Error, Sendable, Hashable {
  var error: String
  var description: String?
  /// Google's `error_subtype`.
  var subtype: String?

  /// The server's words, for brackets.
  var summary: String { description.map { "\(error): \($0)" } ?? error }
}

extension String {
  fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}

extension Diagnostic {
  fileprivate var sentence: String { path.map { "\($0): \(message)" } ?? message }
}
