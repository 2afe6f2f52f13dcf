internal import PabalCore
internal import PabalCurl
internal import PabalFormats

/// A request to a token endpoint, with retries after transient failures.
struct TokenRequest {
  let form: URLEncodedForm
  let endpoint: HTTPEndpoint
  /// Secrets besides those of the form that must not be shown if the server repeats them.
  var secrets: [String] = []
  let classifier: OAuthErrorClassifier
  let dependencies: AccountDependencies
  /// Whether status 200 has to come with JSON; for a revocation it doesn't (RFC 7009 section 2.2).
  var expectsJSON = true

  /// As in Google's library (`_exponential_backoff.py`): 3 attempts, 1 s doubled, ± 10 %.
  static let attempts = 3
  static let firstWait = Duration.seconds(1)
  /// The longest `Retry-After` that is waited for.
  static let maxRetryAfter = Duration.seconds(5)

  /// Sends the request, at most three times; blocks. Returns the body of status 200 and the time of the request.
  func perform() throws(TokenError) -> (root: JSONValue, at: Timestamp) {
    var wait = Self.firstWait
    var attempt = 1
    while true {
      do throws(TokenError) {
        let now = dependencies.now()
        return (try sendOnce(), now)
      } catch {
        // A longer Retry-After is left to the caller.
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
    let proxy = try dependencies.proxy?.proxy(for: endpoint)
    do throws(CurlError) {
      response = try FormRequest(form: form, endpoint: endpoint, proxy: proxy).perform()
    } catch {
      throw TokenError(error, endpoint: endpoint, proxy: proxy)
    }
    let root = try? JSONParser().parse(response.body.span)
    if response.status == 200, !expectsJSON { return JSONValue(.null) }
    if response.status == 200 {
      guard let root, case .object = root.content else {
        throw TokenError(
          .transient, "the response of \(endpoint.bracketedHost) isn't JSON",
          remedy: "check for a proxy or login portal between this machine and the Internet")
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
        .transient,
        "\(endpoint.bracketedHost) can't issue a token at the moment: status \(response.status)\(summary)",
        serverError: serverError, retryAfter: response.retryAfter)
    }
    guard let serverError else {
      return TokenError(
        .transient,
        "\(endpoint.bracketedHost) answered with status \(response.status) without a readable reason",
        remedy: 300...399 ~= response.status
          ? "check for a proxy or login portal between this machine and the Internet"
          : "check that \(endpoint) is the right URL")
    }
    var failure = classifier.failure(serverError, clock: clockDifference(response))
    if response.status == 404 {
      failure.message =
        "\(endpoint.bracketedHost) has no token endpoint at this URL (status 404, \(serverError.summary))"
      failure.remedy =
        "check that \(endpoint) is the right URL (token_uri in credentials.json, or the configured endpoint)"
    }
    failure.serverError = serverError
    return failure
  }

  /// Returns how far this machine's clock is ahead of the server's; `nil` if they agree within a minute.
  private func clockDifference(_ response: FormResponse) -> Duration? {
    guard let serverTime = response.date else { return nil }
    let difference = dependencies.now() - serverTime
    return difference.magnitude > .seconds(60) ? difference : nil
  }

  private func redacted(_ text: String) -> String {
    printable(String(SecretRedactor(formSecrets: secrets + form.secrets).redact(text).prefix(300)))
  }
}

extension Duration {
  var magnitude: Duration { self < .zero ? .zero - self : self }
}
