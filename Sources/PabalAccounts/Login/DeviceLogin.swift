internal import PabalCore
internal import PabalFormats

/// A login with a code that is entered on another device (RFC 8628).
struct DeviceLogin {
  let plan: LoginPlan
  let client: OAuthClient
  let account: OAuthAccount

  func run(
    notify: (LoginEvent) -> Void, store: BrowserLogin.TokenHandler
  ) throws(TokenError) -> LoginResult {
    guard let endpoint = client.deviceEndpoint else {
      throw TokenError(
        .setUp,
        account.issuer == .google
          ? "Google doesn't allow device logins to send mail"
          : "no device authorization endpoint is configured",
        remedy: "use --flow browser, with --no-browser on a server", errorKind: .usage)
    }
    let fields = [("scope", plan.scopes.joined(separator: " "))]
    let (offer, began) = try TerminationDelay.protect { () throws(TokenError) in
      try request(fields, endpoint).perform()
    }
    guard let deviceCode = offer["device_code"]?.text, let userCode = offer["user_code"]?.text,
      let address = (offer["verification_uri"] ?? offer["verification_url"])?.text
    else {
      throw TokenError(
        .transient, "the answer of \(endpoint.bracketedHost) contains no code",
        remedy: "check that \(endpoint) is the server's device authorization endpoint")
    }
    let end = began + .seconds(min(max(offer["expires_in"]?.wholeNumber ?? 900, 1), 86_400))
    notify(.enterCode(code: printable(userCode), at: printable(address), until: end))

    // RFC 8628 section 3.5: five seconds unless the server says otherwise, and five more after each slow_down.
    var interval = Duration.seconds(min(max(offer["interval"]?.wholeNumber ?? 5, 1), 300))
    let operation = [
      ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", deviceCode),
    ]
    while account.dependencies.now() < end {
      account.dependencies.pause(interval)
      do throws(TokenError) {
        // Any poll may be the one that the server answers with tokens.
        let storage = try account.lockedStorage("the tokens of the login weren't stored", notify)
        return try TerminationDelay.protect { () throws(TokenError) in
          let (root, now) = try request(operation, client.tokenEndpoint).perform()
          return try store(TokenResponse(root, at: now), storage)
        }
      } catch {
        switch error.serverError?.error {
        case "authorization_pending": continue
        case "slow_down": interval += .seconds(5)
        // The network may be back before the code has expired.
        default: guard error.kind == .transient, error.serverError == nil else { throw error }
        }
      }
    }
    throw TokenError(
      .setUp, "the code expired before it was entered",
      remedy: "log in again: pabal account login \(account.name)"
    )
  }

  private func request(_ fields: [(String, String)], _ endpoint: HTTPEndpoint) -> TokenRequest {
    TokenRequest(
      form: URLEncodedForm(fields), endpoint: endpoint,
      // RFC 8628 section 3.1: a client without a secret is named in the form.
      client: FormClient(id: client.id, secret: client.secret, authentication: plan.authentication),
      classifier: OAuthErrorClassifier(
        issuer: account.issuer, operation: .devicePoll, account: account.name, now: account.dependencies.now()
      ),
      dependencies: account.dependencies)
  }
}
