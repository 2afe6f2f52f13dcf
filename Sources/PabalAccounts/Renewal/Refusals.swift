/// What the error answers of a token endpoint mean, and what to do about each.
struct Refusals: Sendable {
  /// Whose errors they are.
  enum Issuer: Sendable {
    case google, workspace, microsoft, other
  }

  /// What was asked.
  enum Question: Sendable {
    /// A new access token for a refresh token.
    case renewal
    /// The first tokens for a browser's code.
    case exchange
    /// An access token for an assertion or a client's own secret.
    case grant
    /// Whether somebody has typed the device's code in.
    case device
  }

  let issuer: Issuer
  let question: Question
  let account: String
  /// When the refresh token was to die, where that was said.
  var refreshTokenExpiry: UTCTime?
  /// Why it was to die.
  var end = LoginEnd.unsaid
  /// When it was asked.
  var now = UTCTime.now

  /// The failure that a refusal is; `clock` is how far this machine's clock is ahead of the server's.
  func failure(_ refusal: Refusal, clock: Duration?) -> TokenFailure {
    var failure =
      switch issuer {
      case .google: google(refusal)
      case .workspace: workspace(refusal)
      case .microsoft: microsoft(refusal)
      case .other: other(refusal)
      }
    if failure.kind == .setUp, failure.retryAfter == nil { failure.retryAfter = .seconds(60) }
    if let clock {
      let minutes = max(1, clock.magnitude.components.seconds / 60)
      failure.what +=
        "; this machine's clock is \(minutes) min \(clock < .zero ? "behind" : "ahead of") the server's"
      let advice = Self.clockAdvice
      // Some refusals are about nothing else.
      if failure.cure?.contains(advice) != true {
        failure.cure = advice + (failure.cure.map { ", then \($0)" } ?? "")
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
  func other(_ refusal: Refusal) -> TokenFailure {
    let words = refusal.words
    switch refusal.error {
    case "invalid_grant" where question == .exchange:
      return TokenFailure(
        .setUp,
        "the login's code was refused (\(words)): it was used before, is too old, or belongs to another client",
        cure: "start the login again")
    case "invalid_grant" where question == .renewal:
      return TokenFailure(.dead, "the login is over (\(words))", cure: loginAgain)
    case "invalid_client":
      return TokenFailure(
        .setUp, "the server doesn't take this client's id and secret (\(words))",
        cure: "compare both with what the server's console shows")
    case "unauthorized_client":
      return TokenFailure(
        .setUp, "this client may not ask for tokens this way (\(words))",
        cure: "allow it in the server's console")
    case "invalid_scope":
      return TokenFailure(
        .setUp, "the server doesn't know a scope asked for (\(words))", cure: "mend \"scopes\"")
    case "access_denied":
      return TokenFailure(.setUp, "the login was refused (\(words))", cure: loginAgain)
    case "unsupported_grant_type":
      return TokenFailure(
        .setUp, "the server has no such way to get a token (\(words))", cure: "choose another \"flow\"")
    case "interaction_required", "login_required", "consent_required":
      return TokenFailure(.dead, "the server wants to see the user again (\(words))", cure: loginAgain)
    default:
      return TokenFailure(
        .setUp, "the token server refuses (\(words))",
        cure: "compare the account's endpoints, client and scopes with what the server's documentation says")
    }
  }
}
