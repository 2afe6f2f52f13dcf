internal import PabalCore
internal import PabalCurl
internal import PabalFormats

/// A request to a token endpoint, with retries after transient failures.
struct TokenRequest {
  let form: URLEncodedForm
  let endpoint: HTTPEndpoint
  /// The client, if it has to prove its identity.
  var client: FormClient?
  /// Secrets besides those of the form that must not be shown if the server repeats them.
  var secrets: [String] = []
  let classifier: OAuthErrorClassifier
  let dependencies: AccountDependencies
  /// Whether a success has to come with JSON; for a revocation it doesn't (RFC 7009 section 2.2).
  var expectsJSON = true

  /// As in Google's library (`_exponential_backoff.py`): 3 attempts, 1 s doubled, ± 10 %.
  static let attempts = 3
  static let firstWait = Duration.seconds(1)
  /// The longest `Retry-After` that is waited for.
  static let maxRetryAfter = Duration.seconds(5)
  /// The time without an answer after which a person is shown what is waited for.
  static let patience = Duration.seconds(3)

  /// Sends the request, at most three times; blocks. Returns the body of a success and the time of the request.
  func perform() throws(TokenError) -> (root: JSONValue, at: Timestamp) {
    var wait = Self.firstWait
    var attempt = 1
    let notice = WaitNotice(self)
    while true {
      do throws(TokenError) {
        let now = dependencies.now()
        return (try sendOnce(notice), now)
      } catch {
        // A longer Retry-After is left to the caller.
        guard error.kind == .transient, attempt < Self.attempts, !TerminationDelay.isEnding,
          error.retryAfter ?? .zero <= Self.maxRetryAfter
        else { throw error }
        TerminationDelay.suspend {
          dependencies.pause(max(dependencies.jittered(wait), error.retryAfter ?? .zero))
        }
        wait *= 2
        attempt += 1
      }
    }
  }

  /// Sends the request with the first kind of client authentication that the server accepts.
  private func sendOnce(_ notice: WaitNotice) throws(TokenError) -> JSONValue {
    guard let client else { return try send(.post, notice) }
    let methods = client.methods
    do throws(TokenError) {
      return try send(methods[0], notice)
    } catch {
      guard methods.count > 1, error.isClientRefused else { throw error }
      do throws(TokenError) {
        let root = try send(methods[1], notice)
        client.authentication?.remember(methods[1])
        return root
      } catch let second {
        guard !second.isClientRefused else { throw error }
        // Another error of the server shows that it accepted the client; no answer shows nothing.
        if second.serverError != nil, second.kind != .transient {
          client.authentication?.remember(methods[1])
        }
        throw second
      }
    }
  }

  private func send(_ method: ClientAuthentication.Method, _ notice: WaitNotice) throws(TokenError)
    -> JSONValue
  {
    let response: FormResponse
    let proxy = try dependencies.proxy?.proxy(for: endpoint)
    do throws(CurlError) {
      response = try FormRequest(
        form: URLEncodedForm(form.fields + (client?.fields(method) ?? [])), endpoint: endpoint,
        proxy: proxy, authorization: client?.authorization(method), onWait: notice.check
      ).perform()
    } catch {
      throw TokenError(error, endpoint: endpoint, proxy: proxy)
    }
    let root = try? JSONParser().parse(response.body.span)
    // RFC 6749 section 5.2 wants status 400, but some servers send errors with 200.
    guard 200...299 ~= response.status, root?.namesError != true else { throw failure(response, root) }
    guard expectsJSON else { return JSONValue(.null) }
    guard let root, case .object = root.content else {
      throw TokenError(
        .transient, "the response of \(endpoint.bracketedHost) isn't JSON",
        remedy: "check for a proxy or login portal between this machine and the Internet")
    }
    return root
  }

  private func failure(_ response: FormResponse, _ root: JSONValue?) -> TokenError {
    let serverError = root.flatMap(serverError)
    // 5xx, whatever the body says: proxies and load balancers answer in the server's place.
    let passes =
      response.status >= 500 || [408, 425, 429].contains(response.status)
      || serverError.map { OAuthErrorClassifier.isTransient($0.error) } ?? false
    if passes {
      let summary = serverError.map { " (\($0.summary))" } ?? ""
      return TokenError(
        .transient,
        "\(endpoint.bracketedHost) can't issue a token at the moment: status \(response.status)\(summary)",
        serverError: serverError, retryAfter: response.retryAfter)
    }
    guard let serverError else {
      var failure = TokenError(
        .transient,
        "\(endpoint.bracketedHost) answered with status \(response.status) without a readable reason",
        remedy: 300...399 ~= response.status
          ? "check for a proxy or login portal between this machine and the Internet"
          : "check that \(endpoint) is the right URL")
      failure.isClientRefused = response.status == 401
      return failure
    }
    var failure = classifier.failure(serverError, clock: clockDifference(response))
    if response.status == 404, !OAuthErrorClassifier.standardErrors.contains(serverError.error) {
      failure.message =
        "\(endpoint.bracketedHost) has no token endpoint at this URL (status 404, \(serverError.summary))"
      failure.remedy =
        "check that \(endpoint) is the right URL (token_uri in credentials.json, or the configured endpoint)"
    }
    failure.serverError = serverError
    failure.isClientRefused =
      serverError.error == "invalid_client"
      || response.status == 401 && serverError.error == "unauthorized_client"
    return failure
  }

  /// Returns the error in a response; `nil` if there is none that can be read.
  private func serverError(_ root: JSONValue) -> OAuthError? {
    let error = root["error"]
    // Google's older errors are an object with a message; others name the type.
    let code =
      error?.text ?? ["status", "type", "code"].lazy.compactMap { error?[$0]?.text }.first
      ?? (root["error_description"] ?? error?["message"])?.text.map { _ in "error" }
    return code.map { code in
      OAuthError(
        error: redacted(code),
        description: (root["error_description"] ?? error?["message"])?.text.map {
          redacted(OAuthError.firstLine($0))
        },
        subtype: root["error_subtype"]?.text.map(redacted))
    }
  }

  /// Returns how far this machine's clock is ahead of the server's; `nil` if they agree within a minute.
  private func clockDifference(_ response: FormResponse) -> Duration? {
    guard let serverTime = response.date else { return nil }
    let difference = dependencies.now() - serverTime
    return difference.magnitude > .seconds(60) ? difference : nil
  }

  private func redacted(_ text: String) -> String {
    let basic = client?.authorization(.basic)
    // A server may repeat the credentials without the name of the scheme.
    let credentials = basic.map { String($0.dropFirst("Basic ".count)) }
    let secrets = secrets + form.secrets + [client?.secret, basic, credentials].compactMap(\.self)
    return printable(String(SecretRedactor(formSecrets: secrets).redact(text).prefix(300)))
  }
}

/// Reports once what is waited for, if a request takes long, and once that the process ends after it.
private final class WaitNotice {
  private let request: TokenRequest
  private let start: Timestamp
  private var isReported = false
  private var isEndReported = false

  init(_ request: TokenRequest) {
    self.request = request
    start = request.dependencies.now()
  }

  func check() {
    let host = request.endpoint.bracketedHost
    if !isReported, request.dependencies.now() - start >= TokenRequest.patience {
      isReported = true
      report("waiting for an answer of \(host)")
    }
    if !isEndReported, TerminationDelay.isEnding {
      isEndReported = true
      report("stopping once \(host) has answered, because its answer has to be stored; at most 30 s")
    }
  }

  private func report(_ text: String) {
    request.dependencies.report(.waiting(account: request.classifier.account, text))
  }
}

extension JSONValue {
  /// Whether the object has an error; some servers send `false` or an empty text without one.
  fileprivate var namesError: Bool {
    switch self["error"]?.content {
    case nil, .null, .boolean(false), .number("0"): false
    case .string(let text): !text.isEmpty
    case .array(let elements): !elements.isEmpty
    case .boolean, .number, .object: true
    }
  }
}

extension Duration {
  var magnitude: Duration { self < .zero ? .zero - self : self }
}
