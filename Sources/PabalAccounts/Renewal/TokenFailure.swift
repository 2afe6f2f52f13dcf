internal import PabalCore

/// Why there is no access token, and what to do.
struct TokenFailure: Error, Sendable, Hashable {
  enum Kind: Sendable, Hashable {
    /// The login is over; only a new one helps, and asking again never does.
    case dead
    /// Somebody has to mend the account or the set-up; asking again later shows whether it is mended.
    case setUp
    /// It may pass by itself.
    case passing
  }

  var kind: Kind
  /// One sentence without its full stop.
  var what: String
  var cure: String?
  var step: GuideStep?
  /// What the server said, if it was the server.
  var refusal: Refusal?
  var retryAfter: Duration?
  /// Whose fault it is, where that is neither the account's nor the network's.
  var fault: AccountProblem.Kind?
  /// The same as `what` for the browser's page; only of ours, never of a server's words.
  var korean: String?
  /// The scopes whose boxes weren't ticked.
  var missingScopes: [String] = []

  init(
    _ kind: Kind, _ what: String, cure: String? = nil, step: GuideStep? = nil, refusal: Refusal? = nil,
    retryAfter: Duration? = nil, fault: AccountProblem.Kind? = nil, korean: String? = nil
  ) {
    self.fault = fault
    self.korean = korean
    self.kind = kind
    self.what = what
    self.cure = cure
    self.step = step
    self.refusal = refusal
    self.retryAfter = retryAfter
  }

  init(_ problem: SecretFileProblem) {
    self.init(problem.passes ? .passing : .setUp, problem.what, cure: problem.cure)
  }

  init(_ diagnostic: Diagnostic) {
    self.init(
      .setUp, Diagnostic(diagnostic.what, path: diagnostic.path).sentence, cure: diagnostic.cure,
      fault: .configuration)
  }

  /// For a person: what, and what to do.
  var sentence: String { cure.map { "\(what); \($0)" } ?? what }

  /// For a command that ends with it; names the step of the guide, too.
  var diagnostic: Diagnostic {
    let place = step.map { "see \($0.place)" }
    return Diagnostic(what, cure: [cure, place].compactMap(\.self).joined(separator: "; ").nonEmpty)
  }

  /// For a transport, of the account called `account`.
  func problem(account: String) -> AccessTokenProblem {
    let reason = "account \(account): \(sentence)"
    return kind == .passing
      ? .deferred(reason, retryAfter: retryAfter)
      : .held(reason, retryAfter: kind == .setUp ? retryAfter : nil)
  }
}

/// An error answer of a token endpoint (RFC 6749 section 5.2), made printable.
struct Refusal: Error, Sendable, Hashable {
  var error: String
  var description: String?
  /// Google's `error_subtype`.
  var subtype: String?

  /// The server's words, for brackets.
  var words: String { description.map { "\(error): \($0)" } ?? error }
}

extension String {
  fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}

extension Diagnostic {
  fileprivate var sentence: String { path.map { "\($0): \(what)" } ?? what }
}
