internal import PabalCore

/// What the error answers of a token endpoint mean, and what to do about each.
struct OAuthErrorClassifier: Sendable {
  /// Whose errors they are.
  enum Issuer: Sendable {
    case google, workspace, microsoft, other
  }

  /// What was asked.
  enum Operation: Sendable {
    /// A new access token for a refresh token.
    case refresh
    /// The first tokens for a browser's code.
    case codeExchange
    /// An access token for an assertion or a client's own secret.
    case grant
    /// Whether somebody has typed the device's code in.
    case devicePoll
  }

  let issuer: Issuer
  let operation: Operation
  let account: String
  /// When the refresh token was to die, where that was said.
  var refreshTokenExpiry: Timestamp?
  /// Why it was to die.
  var loginExpiry = LoginExpiry.unknownReason
  /// When it was asked.
  var now = Timestamp.now()

  /// The failure that a refusal is; `clock` is how far this machine's clock is ahead of the server's.
  func failure(_ serverError: OAuthError, clock: Duration?) -> TokenError {
    var failure =
      switch issuer {
      case .google: google(serverError)
      case .workspace: workspace(serverError)
      case .microsoft: microsoft(serverError)
      case .other: other(serverError)
      }
    if failure.kind == .setUp, failure.retryAfter == nil { failure.retryAfter = .seconds(60) }
    if let clock {
      let minutes = max(1, clock.magnitude.components.seconds / 60)
      failure.message +=
        "; this machine's clock is \(minutes) min \(clock < .zero ? "behind" : "ahead of") the server's"
      let advice = Self.clockAdvice
      // Some refusals are about nothing else.
      if failure.remedy?.contains(advice) != true {
        failure.remedy = advice + (failure.remedy.map { ", then \($0)" } ?? "")
      }
      if issuer == .workspace { failure.step = .clock }
    }
    return failure
  }

  /// What mends a clock.
  static let clockAdvice = "set the clock (timedatectl set-ntp true)"

  /// The command that mends a login.
  var loginAgain: String { "log in again: pabal account login \(account)" }

  /// What every issuer of RFC 6749 means by its errors.
  func other(_ serverError: OAuthError) -> TokenError {
    let summary = serverError.summary
    switch serverError.error {
    case "invalid_grant" where operation == .codeExchange:
      return TokenError(
        .setUp,
        "the login's code was refused (\(summary)): it was used before, is too old, or belongs to another client",
        remedy: "start the login again")
    case "invalid_grant" where operation == .refresh:
      return TokenError(.dead, "the login is over (\(summary))", remedy: loginAgain)
    case "invalid_client":
      return TokenError(
        .setUp, "the server doesn't take this client's id and secret (\(summary))",
        remedy: "compare both with what the server's console shows")
    case "unauthorized_client":
      return TokenError(
        .setUp, "this client may not ask for tokens this way (\(summary))",
        remedy: "allow it in the server's console")
    case "invalid_scope":
      return TokenError(
        .setUp, "the server doesn't know a scope asked for (\(summary))", remedy: "mend \"scopes\"")
    case "access_denied":
      return TokenError(.setUp, "the login was refused (\(summary))", remedy: loginAgain)
    case "unsupported_grant_type":
      return TokenError(
        .setUp, "the server has no such way to get a token (\(summary))", remedy: "choose another \"flow\"")
    case "interaction_required", "login_required", "consent_required":
      return TokenError(.dead, "the server wants to see the user again (\(summary))", remedy: loginAgain)
    default:
      return TokenError(
        .setUp, "the token server refuses (\(summary))",
        remedy: "compare the account's endpoints, client and scopes with what the server's documentation says"
      )
    }
  }
}
