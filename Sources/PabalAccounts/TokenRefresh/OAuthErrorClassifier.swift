internal import PabalCore

/// Turns error responses of a token endpoint into a cause and a remedy.
struct OAuthErrorClassifier: Sendable {
  /// The kind of server that sent the error.
  enum Issuer: Sendable {
    case google, workspace, microsoft, other
  }

  /// The kind of request that failed.
  enum Operation: Sendable {
    /// A refresh token was exchanged for an access token.
    case refresh
    /// The code of a browser login was exchanged for the first tokens.
    case codeExchange
    /// An assertion or a client's own secret was exchanged for an access token.
    case grant
    /// A device login was started or polled.
    case devicePoll
  }

  let issuer: Issuer
  let operation: Operation
  let account: String
  /// When the refresh token expires, if known.
  var refreshTokenExpiry: Timestamp?
  /// Why the refresh token expires.
  var loginExpiry = LoginExpiry.unknownReason
  /// The time of the request.
  var now = Timestamp.now()

  /// Whether an error passes by itself, whatever the status.
  static func isTransient(_ error: String) -> Bool {
    ["internal_failure", "server_error", "temporarily_unavailable"].contains(error)
  }

  /// The errors of token endpoints (RFC 6749 section 5.2, RFC 8628 section 3.5).
  static let standardErrors = [
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope", "authorization_pending", "slow_down", "access_denied", "expired_token",
  ]

  /// Returns the failure for an error; `clock` is how far this machine's clock is ahead of the server's.
  func failure(_ serverError: OAuthError, clock: Duration?) -> TokenError {
    var failure =
      switch issuer {
      case .google: google(serverError)
      case .workspace: workspace(serverError)
      case .microsoft: microsoft(serverError)
      case .other: other(serverError)
      }
    if Self.isTransient(serverError.error) {
      return TokenError(
        .transient, "the server can't log in anyone at the moment (\(serverError.summary))",
        serverError: serverError)
    }
    if failure.kind == .setUp, failure.retryAfter == nil { failure.retryAfter = .seconds(60) }
    if let clock {
      let minutes = max(1, clock.magnitude.components.seconds / 60)
      failure.message +=
        "; this machine's clock is \(minutes) min \(clock < .zero ? "behind" : "ahead of") the server's"
      let advice = Self.clockAdvice
      // Some errors have this remedy already.
      if failure.remedy?.contains(advice) != true {
        failure.remedy = advice + (failure.remedy.map { ", then \($0)" } ?? "")
      }
      if issuer == .workspace { failure.step = .clock }
    }
    return failure
  }

  /// The remedy for a wrong clock.
  static let clockAdvice = "set the clock (timedatectl set-ntp true)"

  /// The remedy that asks for a new login; an app or a service account has none, and tries again.
  var loginAgain: String {
    operation == .grant ? "check again: pabal check" : "log in again: pabal account login \(account)"
  }

  /// Classifies the standard errors of RFC 6749.
  func other(_ serverError: OAuthError) -> TokenError {
    let summary = serverError.summary
    switch serverError.error {
    case "invalid_grant" where operation == .codeExchange:
      return TokenError(
        .setUp,
        "the login code was rejected (\(summary)): it was already used, has expired, or belongs to another client",
        remedy: "start the login again")
    case "invalid_grant" where operation == .refresh:
      return TokenError(.dead, "the login has expired or was revoked (\(summary))", remedy: loginAgain)
    case "invalid_client":
      return TokenError(
        .setUp, "the server rejected the client ID or secret (\(summary))",
        remedy: "compare both with the server's console")
    case "unauthorized_client":
      return TokenError(
        .setUp, "this client isn't allowed to request tokens this way (\(summary))",
        remedy: "allow it in the server's console")
    case "invalid_scope":
      return TokenError(
        .setUp, "the server doesn't know a requested scope (\(summary))", remedy: "correct \"scopes\"")
    case "access_denied":
      return TokenError(.setUp, "access was denied (\(summary))", remedy: loginAgain)
    case "unsupported_grant_type":
      return TokenError(
        .setUp, "the server doesn't support this way to obtain tokens (\(summary))",
        remedy: "choose another \"flow\"")
    case "interaction_required", "login_required", "consent_required":
      return TokenError(
        .dead, "the server requires the user to log in again (\(summary))", remedy: loginAgain)
    default:
      return TokenError(
        .setUp, "the token server rejected the request (\(summary))",
        remedy: "compare the account's endpoints, client and scopes with the server's documentation"
      )
    }
  }
}
