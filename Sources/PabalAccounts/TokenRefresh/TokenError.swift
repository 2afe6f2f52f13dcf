public import PabalCore
internal import PabalCurl
internal import PabalFormats

/// Why an access token can't be obtained, and the remedy.
struct TokenError: Error, Sendable, Hashable {
  enum Kind: Sendable, Hashable {
    /// The login has expired or was revoked; only a new login helps, retries never do.
    case dead
    /// The account or the configuration has to be fixed; a later retry shows whether it was.
    case setUp
    /// The failure may pass by itself.
    case transient
  }

  var kind: Kind
  /// What is wrong; one sentence without a full stop.
  var message: String
  var remedy: String?
  var step: GuideStep?
  /// The error sent by the server, if it sent one.
  var serverError: OAuthError?
  var retryAfter: Duration?
  /// The kind for a command, if it doesn't follow from `kind`.
  var errorKind: AccountError.Kind?
  /// The Korean text of `message` for the login page, if there is one.
  var korean: String?
  /// The scopes whose checkboxes weren't selected.
  var missingScopes: [String] = []
  /// Whether the server may want another kind of client authentication.
  var isClientRefused = false

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

  /// The message and the remedy in one sentence.
  var sentence: String { remedy.map { "\(message); \($0)" } ?? message }

  /// The error as a diagnostic that also names the step of the guide.
  var diagnostic: Diagnostic {
    let place = step.map { "see \($0.place)" }
    return Diagnostic(message, remedy: [remedy, place].compactMap(\.self).joined(separator: "; ").nonEmpty)
  }

  /// Returns the error for a transport that uses the account `account`.
  func problem(account: String) -> AccessTokenError {
    let reason = "account \(account): \(sentence)"
    return kind == .transient
      ? .deferred(reason, retryAfter: retryAfter)
      : .held(reason, retryAfter: kind == .setUp ? retryAfter : nil)
  }
}

/// An error response of a token endpoint (RFC 6749 section 5.2), made printable.
struct OAuthError: Error, Sendable, Hashable {
  var error: String
  var description: String?
  /// Google's `error_subtype`.
  var subtype: String?

  /// Returns the first line of a server's description: Microsoft appends trace ids and times, for its support.
  static func firstLine(_ description: String) -> String {
    let line = description.prefix { !$0.isNewline }
    let text = line.ranges(of: " Trace ID:").first.map { line[..<$0.lowerBound] } ?? line
    return String(text).trimmed
  }

  /// The server's error and description, for parentheses.
  var summary: String { description.map { "\(error): \($0)" } ?? error }
}

extension String {
  fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}

extension Diagnostic {
  fileprivate var sentence: String { path.map { "\($0): \(message)" } ?? message }
}

extension TokenError {
  /// Creates the error for a failed connection to `endpoint`, through `proxy` if there is one.
  init(_ failure: CurlError, endpoint: HTTPEndpoint, proxy: CurlProxy?) {
    if let cause = proxy?.failure(
      failure, connectingTo: endpoint.bracketedHost, setting: "the account's \"proxy\"")
    {
      self.init(cause.needsChange ? .setUp : .transient, cause.message)
      return
    }
    self.init(failure, host: endpoint.bracketedHost)
    guard proxy == nil, [.unresolved, .unreachable, .timedOut].contains(failure.code),
      let hint = ProxyEnvironment.hint(connectingTo: endpoint.host, setting: "the account's \"proxy\"")
    else { return }
    remedy = remedy.map { "\($0); \(hint)" } ?? hint
  }

  /// Creates the error for a failed connection to `host`.
  init(_ failure: CurlError, host: String) {
    switch failure.code {
    case .unresolved:
      self.init(
        .transient, "the name \(host) can't be resolved",
        remedy: "check this machine's connection to the Internet")
    case .unreachable:
      self.init(
        .transient, "\(host) can't be reached",
        remedy: "check that this machine and its firewall allow connections to port 443")
    case .timedOut: self.init(.transient, "\(host) didn't answer in time")
    case .untrusted:
      self.init(
        .setUp, "the certificate of \(host) isn't trusted (\(failure.detail))",
        remedy: "install ca-certificates, and check the clock and whether a proxy intercepts TLS",
        retryAfter: .seconds(60))
    case .noTrustStore:
      self.init(
        .setUp, "the system's certificates can't be read", remedy: "install ca-certificates",
        retryAfter: .seconds(60))
    case .handshake: self.init(.transient, "the TLS handshake with \(host) failed (\(failure.detail))")
    case .abortedByCallback: self.init(.transient, "the response of \(host) is too large")
    default: self.init(.transient, "the connection to \(host) failed (\(failure))")
    }
  }
}

/// Why a login or logout failed.
public struct AccountError: Error, Sendable {
  /// The kind of failure.
  public enum Kind: Sendable, Hashable {
    /// The command line is wrong.
    case usage
    /// The configuration is wrong.
    case configuration
    /// The account or its set-up at the server is at fault.
    case refused
    /// The failure may pass by itself.
    case transient
  }

  /// The kind of failure.
  public let kind: Kind
  /// What is wrong and what to do.
  public let diagnostic: Diagnostic
}

extension TokenError {
  /// The error for a command.
  var accountError: AccountError {
    AccountError(kind: errorKind ?? (kind == .transient ? .transient : .refused), diagnostic: diagnostic)
  }
}
