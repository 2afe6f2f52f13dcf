internal import PabalCore
internal import PabalCurl
internal import PabalFormats

/// One question to a token endpoint, asked again where that can help.
struct TokenRequest {
  let form: URLEncodedForm
  let endpoint: HTTPEndpoint
  /// Texts besides the form's that must never be shown, should the server repeat them.
  var secrets: [String] = []
  let classifier: OAuthErrorClassifier
  let dependencies: AccountDependencies
  /// Whether status 200 comes with JSON; a revocation's needs none (RFC 7009 section 2.2).
  var expectsJSON = true

  /// As Google's library has it: `_exponential_backoff.py`, 3 attempts, 1 s doubled, give or take 10 %.
  static let attempts = 3
  static let firstWait = Duration.seconds(1)
  /// The longest a server may have somebody who waits for a token wait.
  static let maxRetryAfter = Duration.seconds(5)

  /// Asks, at most three times; blocks. The answer is that of status 200.
  func perform() throws(TokenError) -> (root: JSONValue, at: Timestamp) {
    var wait = Self.firstWait
    var attempt = 1
    while true {
      do throws(TokenError) {
        let now = dependencies.now()
        return (try sendOnce(), now)
      } catch {
        // Who asks to be left alone for longer is.
        guard error.kind == .transient, attempt < Self.attempts,
          error.retryAfter ?? .zero <= Self.maxRetryAfter
        else { throw error }
        dependencies.pause(max(dependencies.jittered(wait), error.retryAfter ?? .zero))
        wait *= 2
        attempt += 1
      }
    }
  }

  private func sendOnce() throws(TokenError) -> JSONValue {
    let response: FormResponse
    do throws(CurlError) {
      response = try FormRequest(form: form, endpoint: endpoint).perform()
    } catch {
      throw TokenError(error, host: endpoint.bracketedHost)
    }
    let root = try? JSONParser().parse(response.body.span)
    if response.status == 200, !expectsJSON { return JSONValue(.null) }
    if response.status == 200 {
      guard let root, case .object = root.content else {
        throw TokenError(
          .transient, "\(endpoint.bracketedHost) answers with something that is no JSON",
          remedy: "see whether a proxy or a portal stands between this machine and the Internet")
      }
      return root
    }
    throw failure(response, root)
  }

  private func failure(_ response: FormResponse, _ root: JSONValue?) -> TokenError {
    // Google's older errors are an object with a message.
    let code = root?["error"]?.text ?? root?["error"]?["status"]?.text
    let serverError = code.map { code in
      OAuthError(
        error: redacted(code),
        description: (root?["error_description"] ?? root?["error"]?["message"])?.text.map(redacted),
        subtype: root?["error_subtype"]?.text.map(redacted))
    }
    let passes =
      [408, 429, 500, 503, 504].contains(response.status)
      || ["internal_failure", "server_error", "temporarily_unavailable"].contains(code)
    if passes {
      let summary = serverError.map { " (\($0.summary))" } ?? ""
      return TokenError(
        .transient, "\(endpoint.bracketedHost) can't give a token now: status \(response.status)\(summary)",
        serverError: serverError, retryAfter: response.retryAfter)
    }
    guard let serverError else {
      return TokenError(
        .transient,
        "\(endpoint.bracketedHost) answers with status \(response.status) and no reason Pabal can read",
        remedy: 300...399 ~= response.status
          ? "see whether a proxy or a portal stands between this machine and the Internet"
          : "see whether \(endpoint) is the right address")
    }
    var failure = classifier.failure(serverError, clock: clockDifference(response))
    if response.status == 404 {
      failure.message =
        "\(endpoint.bracketedHost) has nothing at the address that was asked (status 404, \(serverError.summary))"
      failure.remedy =
        "see whether \(endpoint) is the right address (token_uri in credentials.json, or the configured endpoint)"
    }
    failure.serverError = serverError
    return failure
  }

  /// How far this machine's clock is ahead of the server's; `nil` where they agree within a minute.
  private func clockDifference(_ response: FormResponse) -> Duration? {
    guard let theirs = response.date else { return nil }
    let difference = dependencies.now() - theirs
    return difference.magnitude > .seconds(60) ? difference : nil
  }

  private func redacted(_ text: String) -> String {
    printable(String(SecretRedactor(formSecrets: secrets + form.secrets).redact(text).prefix(300)))
  }
}

extension Duration {
  var magnitude: Duration { self < .zero ? .zero - self : self }
}
