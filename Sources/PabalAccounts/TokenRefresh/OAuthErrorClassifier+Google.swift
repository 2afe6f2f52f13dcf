internal import PabalCore

extension OAuthErrorClassifier {
  /// Classifies Google's errors for user logins.
  func google(_ serverError: OAuthError) -> TokenError {
    let summary = serverError.summary
    switch serverError.error {
    case "invalid_grant" where operation == .codeExchange:
      return TokenError(
        .setUp,
        "Google rejected the login code (\(summary)): it was already used, has expired, or belongs to another login",
        remedy: "start the login again", step: .login)
    case "invalid_grant"
    where serverError.subtype == "invalid_rapt" || serverError.subtype == "rapt_required":
      return TokenError(
        .dead,
        "the Workspace's session policy ended the login (\(serverError.subtype ?? ""))",
        remedy:
          "\(loginAgain); the administrator can exempt the app under Security, Google Cloud session control",
        step: .login)
    case "invalid_grant" where serverError.description?.lowercased().contains("bad request") == true:
      return TokenError(
        .dead, "Google can't read the refresh token, or it belongs to another client (\(summary))",
        remedy: loginAgain,
        step: .login)
    case "invalid_grant":
      return loginEnded(summary)
    case "invalid_client" where serverError.description?.lowercased().contains("not found") == true:
      return TokenError(
        .setUp,
        "the OAuth client doesn't exist (\(summary)): it was deleted, or credentials.json belongs to another project",
        remedy: "create a desktop client, download its credentials.json, and \(loginAgain)", step: .client)
    case "invalid_client":
      return TokenError(
        .setUp, "Google rejected the client secret (\(summary))",
        remedy: "download credentials.json again", step: .client)
    case "unauthorized_client":
      return TokenError(
        .setUp,
        "the OAuth client can't use this login (\(summary)): it belongs to another client, or the client has the wrong type",
        remedy: "use a desktop client, and \(loginAgain)", step: .client)
    case "invalid_scope":
      return TokenError(
        .setUp, "Google doesn't know a requested scope, or the login doesn't have it (\(summary))",
        remedy: "correct \"scopes\", and \(loginAgain)", step: .consent)
    case "deleted_client":
      return TokenError(
        .setUp, "the OAuth client was deleted in the Google Cloud console (\(summary))",
        remedy: "restore it there within 30 days, or create a new one and \(loginAgain)", step: .client)
    case "disabled_client":
      return TokenError(
        .setUp, "Google or the project's owner disabled the OAuth client (\(summary))",
        remedy: "check the client's page in the Google Cloud console", step: .client)
    case "org_internal":
      return TokenError(
        .setUp,
        "the app's audience is Internal, and the user doesn't belong to the project's organization (\(summary))",
        remedy: "change the audience to External, or log in with an account of the organization",
        step: .consent)
    case "admin_policy_enforced":
      return TokenError(
        .setUp, "the Workspace administrator doesn't allow the scopes for this app (\(summary))",
        remedy: "ask the administrator to trust the app: Admin console, Security, API controls",
        step: .consent)
    case "access_denied":
      return TokenError(
        .setUp, "access was denied on Google's page (\(summary))",
        remedy:
          "\(loginAgain) and choose Continue; while the app is in Testing, only its test users can log in",
        step: .consent)
    case "redirect_uri_mismatch":
      return TokenError(
        .setUp,
        "the client doesn't allow redirects to this machine (\(summary)): it isn't a desktop client",
        remedy: "create a desktop client and download its credentials.json", step: .client)
    case "disallowed_useragent":
      return TokenError(
        .setUp, "Google doesn't allow logins in this browser (\(summary)): it is embedded in another app",
        remedy: "open the URL in a regular browser", step: .login)
    case "invalid_request" where operation == .refresh:
      return TokenError(
        .setUp,
        "Google rejected the renewal as invalid (\(summary)): the token file or credentials.json is damaged or incomplete",
        remedy: "download credentials.json again, and \(loginAgain)", step: .login)
    case "invalid_request":
      return TokenError(
        .setUp,
        "Google rejected the login URL as invalid (\(summary)): it was cut off, or the client isn't a desktop client",
        remedy: "copy the whole URL, or create a desktop client", step: .client)
    default:
      return TokenError(
        .setUp, "Google rejected the request (\(summary))",
        remedy: "check the client's page in the Google Cloud console",
        step: .client)
    }
  }

  // Google answers all of these alike, so the likely causes are listed, the most likely first.
  private func loginEnded(_ summary: String) -> TokenError {
    if let date = refreshTokenExpiry, date < now + .seconds(86_400) {
      let message =
        loginExpiry == .testing
        ? "the login expired after seven days, as every login does while the app is in Testing"
        : "the login was due to expire at \(date)\(loginExpiry.reasonClause)"
      return TokenError(
        .dead, "\(message) (\(summary))", remedy: loginExpiry.remedy(account: account), step: loginExpiry.step
      )
    }
    return TokenError(
      .dead,
      "Google ended the login (\(summary)). Likely causes: the app's publishing status is Testing, where logins expire after "
        + "seven days; the password was changed, which ends every login that may send mail; access was removed at "
        + "myaccount.google.com/connections; the login wasn't used for six months; the same client logged in more than "
        + "100 times; this machine's clock is wrong",
      remedy: "publish the app if it is in Testing, then \(loginAgain)", step: .publish)
  }

  /// Classifies Google's errors for service accounts.
  func workspace(_ serverError: OAuthError) -> TokenError {
    let summary = serverError.summary
    let detail = serverError.description?.lowercased() ?? ""
    switch serverError.error {
    case "invalid_grant" where detail.contains("short-lived") || detail.contains("iat and exp"):
      return TokenError(
        .setUp, "Google rejected the times in the assertion (\(summary)): this machine's clock is wrong",
        remedy: Self.clockAdvice, step: .clock)
    case "invalid_grant" where detail.contains("signature"):
      return TokenError(
        .setUp,
        "Google doesn't know the signing key (\(summary)): it was deleted or belongs to another account",
        remedy: "create a new key for the service account and set \"key\" to its file",
        step: .serviceAccountKey)
    case "invalid_grant" where detail.contains("user id") || detail.contains("email"):
      return TokenError(
        .setUp, "Google doesn't know the user to act for (\(summary))",
        remedy: "set \"user\" to a mailbox of the Workspace, not an alias or a group", step: .delegation)
    case "invalid_grant" where detail.contains("account not found"):
      return TokenError(
        .setUp, "the service account was deleted (\(summary))",
        remedy: "create a new one, with a key and its delegation",
        step: .serviceAccountKey)
    case "unauthorized_client":
      return TokenError(
        .setUp,
        "the service account may not act for this user with this scope (\(summary)): the delegation is missing or not active yet",
        remedy:
          "delegate its client ID and exactly this scope in the Admin console; this can take from minutes to a day",
        step: .delegation)
    case "invalid_scope":
      return TokenError(
        .setUp, "Google doesn't know a requested scope (\(summary))", remedy: "correct \"scopes\"",
        step: .delegation
      )
    case "access_denied":
      return TokenError(
        .setUp, "the Workspace denies the service account this scope (\(summary))",
        remedy: "delegate exactly this scope in the Admin console", step: .delegation)
    case "invalid_client", "deleted_client", "disabled_client":
      return TokenError(
        .setUp, "the service account was deleted or disabled (\(summary))",
        remedy: "enable it in the Google Cloud console, or create a new one", step: .serviceAccountKey)
    default:
      return TokenError(.setUp, "Google rejected the service account (\(summary))", step: .serviceAccountKey)
    }
  }
}
