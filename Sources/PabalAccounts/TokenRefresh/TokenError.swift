public import PabalCore
internal import PabalCurl

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
    _ kind: Kind, _ message: String, remedy: String? = nil, step: GuideStep? = nil,
    serverError: OAuthError? = nil,
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

extension TokenError {
  /// Why `host` was not reached.
  init(_ failure: CurlError, host: String) {
    switch failure.code {
    case .unresolved:
      self.init(
        .transient, "the name \(host) has no address now",
        remedy: "see whether this machine is on the Internet")
    case .unreachable:
      self.init(
        .transient, "\(host) can't be reached",
        remedy: "see whether this machine, or a firewall, lets it out to port 443")
    case .timedOut: self.init(.transient, "\(host) didn't answer in time")
    case .untrusted:
      self.init(
        .setUp, "the certificate that \(host) shows is not to be trusted (\(failure.detail))",
        remedy: "install ca-certificates, see whether the clock is right, and whether a proxy opens TLS",
        retryAfter: .seconds(60))
    case .noTrustStore:
      self.init(
        .setUp, "the system's certificates can't be read", remedy: "apt-get install ca-certificates",
        retryAfter: .seconds(60))
    case .handshake: self.init(.transient, "no TLS could be agreed on with \(host) (\(failure.detail))")
    case .abortedByCallback: self.init(.transient, "\(host) answers with more than Pabal wants to read")
    default: self.init(.transient, "the connection to \(host) broke (\(failure))")
    }
  }
}

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
