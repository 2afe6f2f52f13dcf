extension Refusals {
  /// Google's errors for users' logins.
  func google(_ refusal: Refusal) -> TokenFailure {
    let words = refusal.words
    switch refusal.error {
    case "invalid_grant" where question == .exchange:
      return TokenFailure(
        .setUp,
        "Google refused the login's code (\(words)): it was used before, is too old, or is another login's",
        cure: "start the login again", step: .login)
    case "invalid_grant" where refusal.subtype == "invalid_rapt" || refusal.subtype == "rapt_required":
      return TokenFailure(
        .dead,
        "the Workspace's session policy ended the login (\(refusal.subtype ?? ""))",
        cure: "\(loginAgain); the administrator can exempt the app: Security, Google Cloud session control",
        step: .login)
    case "invalid_grant" where refusal.description?.lowercased().contains("bad request") == true:
      return TokenFailure(
        .dead, "Google can't read the refresh token, or another client got it (\(words))", cure: loginAgain,
        step: .login)
    case "invalid_grant":
      return ended(words)
    case "invalid_client" where refusal.description?.lowercased().contains("not found") == true:
      return TokenFailure(
        .setUp,
        "Google knows no such OAuth client (\(words)): it was deleted, or credentials.json is another's",
        cure: "make a desktop client, download its credentials.json, and \(loginAgain)", step: .client)
    case "invalid_client":
      return TokenFailure(
        .setUp, "Google doesn't take the client's secret (\(words))",
        cure: "download credentials.json anew", step: .client)
    case "unauthorized_client":
      return TokenFailure(
        .setUp,
        "the OAuth client may not use this login (\(words)): another client got it, or its type is wrong",
        cure: "use a desktop client, and \(loginAgain)", step: .client)
    case "invalid_scope":
      return TokenFailure(
        .setUp, "Google doesn't know a scope asked for, or the login never had it (\(words))",
        cure: "mend \"scopes\", and \(loginAgain)", step: .consent)
    case "deleted_client":
      return TokenFailure(
        .setUp, "the OAuth client was deleted in the Google Cloud console (\(words))",
        cure: "restore it there within 30 days, or make a new one and \(loginAgain)", step: .client)
    case "disabled_client":
      return TokenFailure(
        .setUp, "Google or the project's owner disabled the OAuth client (\(words))",
        cure: "see the client's page in the Google Cloud console", step: .client)
    case "org_internal":
      return TokenFailure(
        .setUp,
        "the app's audience is Internal, and this user isn't of the project's organisation (\(words))",
        cure: "make the audience External, or log in with an account of the organisation", step: .consent)
    case "admin_policy_enforced":
      return TokenFailure(
        .setUp, "the Workspace's administrator doesn't let this app have the scopes (\(words))",
        cure: "have it trusted: Admin console, Security, API controls", step: .consent)
    case "access_denied":
      return TokenFailure(
        .setUp, "access was refused on Google's page (\(words))",
        cure: "\(loginAgain) and choose Continue; while the app is in Testing only its test users may",
        step: .consent)
    case "redirect_uri_mismatch":
      return TokenFailure(
        .setUp,
        "Google doesn't send this client's users back to this machine (\(words)): it is no desktop client",
        cure: "make a desktop client and download its credentials.json", step: .client)
    case "disallowed_useragent":
      return TokenFailure(
        .setUp, "Google logs nobody in in this browser (\(words)): it is one inside another app",
        cure: "open the address in an ordinary browser", step: .login)
    case "invalid_request" where question == .renewal:
      return TokenFailure(
        .setUp,
        "Google finds the renewal wrong (\(words)): the token file or credentials.json is damaged or incomplete",
        cure: "download credentials.json anew, and \(loginAgain)", step: .login)
    case "invalid_request":
      return TokenFailure(
        .setUp,
        "Google finds the login's address wrong (\(words)): it was cut off, or the client is no desktop client",
        cure: "copy the whole address, or make a desktop client", step: .client)
    default:
      return TokenFailure(
        .setUp, "Google refuses (\(words))", cure: "see the client's page in the Google Cloud console",
        step: .client)
    }
  }

  // Google gives all these one answer, so the likely ones are named, the surest first.
  private func ended(_ words: String) -> TokenFailure {
    if let date = refreshTokenExpiry, date < now + .seconds(86_400) {
      let what =
        end == .testing
        ? "the login lived its seven days, as every login does while the app is in Testing"
        : "the login's time was to end at \(date)\(end.because)"
      return TokenFailure(.dead, "\(what) (\(words))", cure: end.cure(account: account), step: end.step)
    }
    return TokenFailure(
      .dead,
      "Google ended the login (\(words)). Likely causes: the app's publishing status is Testing, where a login lives "
        + "seven days; the password was changed, which ends every login that may send mail; access was withdrawn at "
        + "myaccount.google.com/connections; the login lay unused for six months; the same client logged in more than "
        + "100 times; this machine's clock is wrong",
      cure: "publish the app if it is in Testing, then \(loginAgain)", step: .publish)
  }

  /// Google's errors for service accounts.
  func workspace(_ refusal: Refusal) -> TokenFailure {
    let words = refusal.words
    let said = refusal.description?.lowercased() ?? ""
    switch refusal.error {
    case "invalid_grant" where said.contains("short-lived") || said.contains("iat and exp"):
      return TokenFailure(
        .setUp, "Google finds the assertion's times wrong (\(words)): this machine's clock isn't right",
        cure: Self.clockAdvice, step: .clock)
    case "invalid_grant" where said.contains("signature"):
      return TokenFailure(
        .setUp, "Google doesn't know the key that signs (\(words)): it was deleted or is another account's",
        cure: "make a new key for the service account and name its file in \"key\"", step: .serviceAccountKey)
    case "invalid_grant" where said.contains("user id") || said.contains("email"):
      return TokenFailure(
        .setUp, "Google knows no such user to act for (\(words))",
        cure: "let \"user\" be a mailbox of the Workspace, not an alias or a group", step: .delegation)
    case "invalid_grant" where said.contains("account not found"):
      return TokenFailure(
        .setUp, "the service account was deleted (\(words))",
        cure: "make a new one, with a key and its delegation",
        step: .serviceAccountKey)
    case "unauthorized_client":
      return TokenFailure(
        .setUp,
        "the service account may not act for this user with this scope (\(words)): it isn't delegated, or not yet",
        cure:
          "delegate its client id and exactly this scope in the Admin console; it can take minutes, up to a day",
        step: .delegation)
    case "invalid_scope":
      return TokenFailure(
        .setUp, "Google doesn't know a scope asked for (\(words))", cure: "mend \"scopes\"", step: .delegation
      )
    case "access_denied":
      return TokenFailure(
        .setUp, "the Workspace refuses the service account this scope (\(words))",
        cure: "delegate exactly this scope in the Admin console", step: .delegation)
    case "invalid_client", "deleted_client", "disabled_client":
      return TokenFailure(
        .setUp, "the service account was deleted or disabled (\(words))",
        cure: "enable it in the Google Cloud console, or make a new one", step: .serviceAccountKey)
    default:
      return TokenFailure(.setUp, "Google refuses the service account (\(words))", step: .serviceAccountKey)
    }
  }
}
