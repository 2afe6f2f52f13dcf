internal import PabalCore

extension OAuthErrorClassifier {
  /// Google's errors for users' logins.
  func google(_ serverError: OAuthError) -> TokenError {
    let summary = serverError.summary
    switch serverError.error {
    case "invalid_grant" where operation == .codeExchange:
      return TokenError(
        .setUp,
        "Google refused the login's code (\(summary)): it was used before, is too old, or is another login's",
        remedy: "start the login again", step: .login)
    case "invalid_grant"
    where serverError.subtype == "invalid_rapt" || serverError.subtype == "rapt_required":
      return TokenError(
        .dead,
        "the Workspace's session policy ended the login (\(serverError.subtype ?? ""))",
        remedy: "\(loginAgain); the administrator can exempt the app: Security, Google Cloud session control",
        step: .login)
    case "invalid_grant" where serverError.description?.lowercased().contains("bad request") == true:
      return TokenError(
        .dead, "Google can't read the refresh token, or another client got it (\(summary))",
        remedy: loginAgain,
        step: .login)
    case "invalid_grant":
      return loginEnded(summary)
    case "invalid_client" where serverError.description?.lowercased().contains("not found") == true:
      return TokenError(
        .setUp,
        "Google knows no such OAuth client (\(summary)): it was deleted, or credentials.json is another's",
        remedy: "make a desktop client, download its credentials.json, and \(loginAgain)", step: .client)
    case "invalid_client":
      return TokenError(
        .setUp, "Google doesn't take the client's secret (\(summary))",
        remedy: "download credentials.json anew", step: .client)
    case "unauthorized_client":
      return TokenError(
        .setUp,
        "the OAuth client may not use this login (\(summary)): another client got it, or its type is wrong",
        remedy: "use a desktop client, and \(loginAgain)", step: .client)
    case "invalid_scope":
      return TokenError(
        .setUp, "Google doesn't know a scope asked for, or the login never had it (\(summary))",
        remedy: "mend \"scopes\", and \(loginAgain)", step: .consent)
    case "deleted_client":
      return TokenError(
        .setUp, "the OAuth client was deleted in the Google Cloud console (\(summary))",
        remedy: "restore it there within 30 days, or make a new one and \(loginAgain)", step: .client)
    case "disabled_client":
      return TokenError(
        .setUp, "Google or the project's owner disabled the OAuth client (\(summary))",
        remedy: "see the client's page in the Google Cloud console", step: .client)
    case "org_internal":
      return TokenError(
        .setUp,
        "the app's audience is Internal, and this user isn't of the project's organisation (\(summary))",
        remedy: "make the audience External, or log in with an account of the organisation", step: .consent)
    case "admin_policy_enforced":
      return TokenError(
        .setUp, "the Workspace's administrator doesn't let this app have the scopes (\(summary))",
        remedy: "have it trusted: Admin console, Security, API controls", step: .consent)
    case "access_denied":
      return TokenError(
        .setUp, "access was refused on Google's page (\(summary))",
        remedy: "\(loginAgain) and choose Continue; while the app is in Testing only its test users may",
        step: .consent)
    case "redirect_uri_mismatch":
      return TokenError(
        .setUp,
        "Google doesn't send this client's users back to this machine (\(summary)): it is no desktop client",
        remedy: "make a desktop client and download its credentials.json", step: .client)
    case "disallowed_useragent":
      return TokenError(
        .setUp, "Google logs nobody in in this browser (\(summary)): it is one inside another app",
        remedy: "open the address in an ordinary browser", step: .login)
    case "invalid_request" where operation == .refresh:
      return TokenError(
        .setUp,
        "Google finds the renewal wrong (\(summary)): the token file or credentials.json is damaged or incomplete",
        remedy: "download credentials.json anew, and \(loginAgain)", step: .login)
    case "invalid_request":
      return TokenError(
        .setUp,
        "Google finds the login's address wrong (\(summary)): it was cut off, or the client is no desktop client",
        remedy: "copy the whole address, or make a desktop client", step: .client)
    default:
      return TokenError(
        .setUp, "Google refuses (\(summary))", remedy: "see the client's page in the Google Cloud console",
        step: .client)
    }
  }

  // Google gives all these one answer, so the likely ones are named, the surest first.
  private func loginEnded(_ summary: String) -> TokenError {
    if let date = refreshTokenExpiry, date < now + .seconds(86_400) {
      let message =
        loginExpiry == .testing
        ? "the login lived its seven days, as every login does while the app is in Testing"
        : "the login's time was to end at \(date)\(loginExpiry.reasonClause)"
      return TokenError(
        .dead, "\(message) (\(summary))", remedy: loginExpiry.remedy(account: account), step: loginExpiry.step
      )
    }
    return TokenError(
      .dead,
      "Google ended the login (\(summary)). Likely causes: the app's publishing status is Testing, where a login lives "
        + "seven days; the password was changed, which ends every login that may send mail; access was withdrawn at "
        + "myaccount.google.com/connections; the login lay unused for six months; the same client logged in more than "
        + "100 times; this machine's clock is wrong",
      remedy: "publish the app if it is in Testing, then \(loginAgain)", step: .publish)
  }

  /// Google's errors for service accounts.
  func workspace(_ serverError: OAuthError) -> TokenError {
    let summary = serverError.summary
    let detail = serverError.description?.lowercased() ?? ""
    switch serverError.error {
    case "invalid_grant" where detail.contains("short-lived") || detail.contains("iat and exp"):
      return TokenError(
        .setUp, "Google finds the assertion's times wrong (\(summary)): this machine's clock isn't right",
        remedy: Self.clockAdvice, step: .clock)
    case "invalid_grant" where detail.contains("signature"):
      return TokenError(
        .setUp, "Google doesn't know the key that signs (\(summary)): it was deleted or is another account's",
        remedy: "make a new key for the service account and name its file in \"key\"",
        step: .serviceAccountKey)
    case "invalid_grant" where detail.contains("user id") || detail.contains("email"):
      return TokenError(
        .setUp, "Google knows no such user to act for (\(summary))",
        remedy: "let \"user\" be a mailbox of the Workspace, not an alias or a group", step: .delegation)
    case "invalid_grant" where detail.contains("account not found"):
      return TokenError(
        .setUp, "the service account was deleted (\(summary))",
        remedy: "make a new one, with a key and its delegation",
        step: .serviceAccountKey)
    case "unauthorized_client":
      return TokenError(
        .setUp,
        "the service account may not act for this user with this scope (\(summary)): it isn't delegated, or not yet",
        remedy:
          "delegate its client id and exactly this scope in the Admin console; it can take minutes, up to a day",
        step: .delegation)
    case "invalid_scope":
      return TokenError(
        .setUp, "Google doesn't know a scope asked for (\(summary))", remedy: "mend \"scopes\"",
        step: .delegation
      )
    case "access_denied":
      return TokenError(
        .setUp, "the Workspace refuses the service account this scope (\(summary))",
        remedy: "delegate exactly this scope in the Admin console", step: .delegation)
    case "invalid_client", "deleted_client", "disabled_client":
      return TokenError(
        .setUp, "the service account was deleted or disabled (\(summary))",
        remedy: "enable it in the Google Cloud console, or make a new one", step: .serviceAccountKey)
    default:
      return TokenError(.setUp, "Google refuses the service account (\(summary))", step: .serviceAccountKey)
    }
  }
}
