internal import PabalCore

/// The login by a code that is typed in on any device (RFC 8628).
struct DeviceLogin {
  let plan: LoginPlan
  let client: OAuthClient
  let account: OAuthAccount

  func run(
    tell: (LoginNotice) -> Void, store: BrowserLogin.Store
  ) throws(TokenFailure) -> LoginResult {
    guard let endpoint = client.deviceEndpoint else {
      throw TokenFailure(
        .setUp,
        account.issuer == .google
          ? "Google lets no device code send mail" : "there is no device authorization endpoint",
        cure: "use --flow browser, with --no-browser on a server", fault: .usage)
    }
    var fields = [("client_id", client.id), ("scope", plan.scopes.joined(separator: " "))]
    if let secret = client.secret { fields.append(("client_secret", secret)) }
    let (offer, began) = try request(fields, endpoint).perform()
    guard let deviceCode = offer["device_code"]?.text, let userCode = offer["user_code"]?.text,
      let address = (offer["verification_uri"] ?? offer["verification_url"])?.text
    else {
      throw TokenFailure(
        .passing, "\(endpoint.host) answers without a code",
        cure: "see whether \(endpoint) is the server's device authorization endpoint")
    }
    let end = began + .seconds(min(max(offer["expires_in"]?.wholeNumber ?? 900, 1), 86_400))
    tell(.type(code: printable(userCode), at: printable(address), until: end))

    // RFC 8628 section 3.5: five seconds unless it says otherwise, and five more at each slow_down.
    var interval = Duration.seconds(min(max(offer["interval"]?.wholeNumber ?? 5, 1), 300))
    var question = [
      ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", deviceCode),
      ("client_id", client.id),
    ]
    if let secret = client.secret { question.append(("client_secret", secret)) }
    while account.surroundings.now() < end {
      account.surroundings.pause(interval)
      do throws(TokenFailure) {
        let (root, now) = try request(question, client.tokenEndpoint).perform()
        return try store(TokenAnswer(root, at: now))
      } catch {
        switch error.refusal?.error {
        case "authorization_pending": continue
        case "slow_down": interval += .seconds(5)
        // The network may be back before the code has expired.
        default: guard error.kind == .passing, error.refusal == nil else { throw error }
        }
      }
    }
    throw TokenFailure(
      .setUp, "the code was not typed in in time", cure: "log in again: pabal account login \(account.name)")
  }

  private func request(_ fields: [(String, String)], _ endpoint: Endpoint) -> TokenRequest {
    TokenRequest(
      form: Form(fields), endpoint: endpoint,
      refusals: Refusals(
        issuer: account.issuer, question: .device, account: account.name, now: account.surroundings.now()),
      surroundings: account.surroundings)
  }
}
