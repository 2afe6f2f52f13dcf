internal import PabalCore

/// What an account says when its tokens can't be stored.
extension OAuthAccount {
  /// Why renewed tokens can't be stored; `nil` if they can, or needn't be.
  ///
  /// Judged by the last renewal of this process, before that by the permissions of the file and its folder.
  var storageProblem: FileWriteError? {
    if let problem = storage.problem { return problem }
    guard case .some(.some(let stored)) = try? storage.read(), !stored.isGcloud else { return nil }
    return file.permissionProblem
  }

  /// Whether a login ends if its renewed tokens aren't stored.
  ///
  /// Google doesn't replace refresh tokens, and a service account has none. A server that has replaced one may do so
  /// again.
  var losesLoginUnstored: Bool {
    tokenGrant.usesRefreshToken && (issuer != .google || storage.lostRotation)
  }

  /// Returns what a person should know about tokens that can't be stored, in one sentence.
  func unstoredText(_ problem: FileWriteError) -> String {
    let consequence =
      if storage.lostRotation {
        "the server replaced the refresh token, but the new one can't be stored and is lost when this process ends"
      } else if losesLoginUnstored {
        "renewed tokens can't be stored, and a server that replaces refresh tokens then ends the login"
      } else {
        "renewed tokens can't be stored, so each process renews them again"
      }
    return "\(consequence): \(problem.message); \(problem.remedy)"
  }

  /// Returns the stored token if it is still valid, for a command that must not renew it; otherwise throws.
  func unrenewed(
    _ stored: StoredToken?, excluding rejected: String?, _ problem: FileWriteError
  ) throws(TokenError) -> StoredToken {
    if let stored, let text = stored.accessToken, text != rejected, let expiry = stored.expiry,
      expiry - dependencies.now() > TokenFreshness.use.minimumRemaining(of: stored.lifetime)
    {
      return stored
    }
    throw TokenError(
      .setUp, "the token isn't renewed, because the answer couldn't be stored: \(problem.message)",
      remedy: problem.remedy)
  }

  /// Returns the failure with the cause that tokens can't be stored, if that has probably ended the login.
  ///
  /// A server that replaces refresh tokens refuses the old one, and with it the login, so the next process after one that
  /// couldn't store its tokens gets this answer.
  func explained(
    _ failure: TokenError, storageProblem now: FileWriteError?, earlier: String?
  ) -> TokenError {
    guard failure.kind == .dead, tokenGrant.usesRefreshToken, failure.serverError?.error == "invalid_grant",
      let problem = earlier ?? now?.message
    else { return failure }
    var failure = failure
    let answer = failure.serverError.map { " (\($0.summary))" } ?? ""
    failure.message =
      earlier == nil
      ? "the login has ended\(answer), most likely because a renewed refresh token can't be stored: \(problem)"
      : "the login has ended\(answer), because a renewed refresh token couldn't be stored: \(problem)"
    let remedy = now.map { "\($0.remedy), then " } ?? ""
    failure.remedy = "\(remedy)log in again: pabal account login \(name)"
    failure.step = issuer == .google ? .login : issuer == .microsoft ? .microsoftLogin : nil
    return failure
  }
}
