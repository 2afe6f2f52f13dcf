internal import PabalCore
internal import PabalCurl

/// One question to a token endpoint, asked again where that can help.
struct TokenRequest {
  let form: Form
  let endpoint: Endpoint
  /// Texts besides the form's that must never be shown, should the server repeat them.
  var secrets: [String] = []
  let refusals: Refusals
  let surroundings: Surroundings
  /// Whether status 200 comes with JSON; a revocation's needs none (RFC 7009 section 2.2).
  var readsAnswer = true

  /// As Google's library has it: `_exponential_backoff.py`, 3 attempts, 1 s doubled, give or take 10 %.
  static let attempts = 3
  static let firstWait = Duration.seconds(1)
  /// The longest a server may have somebody who waits for a token wait.
  static let longestPause = Duration.seconds(5)

  /// Asks, at most three times; blocks. The answer is that of status 200.
  func perform() throws(TokenFailure) -> (root: JSONNode, at: UTCTime) {
    var wait = Self.firstWait
    var attempt = 1
    while true {
      do throws(TokenFailure) {
        let now = surroundings.now()
        return (try ask(), now)
      } catch {
        // Who asks to be left alone for longer is.
        guard error.kind == .passing, attempt < Self.attempts, error.retryAfter ?? .zero <= Self.longestPause
        else { throw error }
        surroundings.pause(max(surroundings.around(wait), error.retryAfter ?? .zero))
        wait *= 2
        attempt += 1
      }
    }
  }

  private func ask() throws(TokenFailure) -> JSONNode {
    let answer: HTTPAnswer
    do throws(CurlFailure) {
      answer = try FormPost(form: form, endpoint: endpoint).perform()
    } catch {
      throw TokenFailure(error, host: endpoint.host)
    }
    let root = try? JSONReader.read(answer.body, file: "")
    if answer.status == 200, !readsAnswer { return JSONNode(.null) }
    if answer.status == 200 {
      guard let root, case .object = root.value else {
        throw TokenFailure(
          .passing, "\(endpoint.host) answers with something that is no JSON",
          cure: "see whether a proxy or a portal stands between this machine and the Internet")
      }
      return root
    }
    throw failure(answer, root)
  }

  private func failure(_ answer: HTTPAnswer, _ root: JSONNode?) -> TokenFailure {
    // Google's older errors are an object with a message.
    let code = root?["error"]?.text ?? root?["error"]?["status"]?.text
    let refusal = code.map { code in
      Refusal(
        error: shown(code),
        description: (root?["error_description"] ?? root?["error"]?["message"])?.text.map(shown),
        subtype: root?["error_subtype"]?.text.map(shown))
    }
    let passes =
      [408, 429, 500, 503, 504].contains(answer.status)
      || ["internal_failure", "server_error", "temporarily_unavailable"].contains(code)
    if passes {
      let words = refusal.map { " (\($0.words))" } ?? ""
      return TokenFailure(
        .passing, "\(endpoint.host) can't give a token now: status \(answer.status)\(words)",
        refusal: refusal, retryAfter: answer.retryAfter)
    }
    guard let refusal else {
      return TokenFailure(
        .passing, "\(endpoint.host) answers with status \(answer.status) and no reason Pabal can read",
        cure: 300...399 ~= answer.status
          ? "see whether a proxy or a portal stands between this machine and the Internet"
          : "see whether \(endpoint) is the right address")
    }
    var failure = refusals.failure(refusal, clock: clockDifference(answer))
    if answer.status == 404 {
      failure.what =
        "\(endpoint.host) has nothing at the address that was asked (status 404, \(refusal.words))"
      failure.cure =
        "see whether \(endpoint) is the right address (token_uri in credentials.json, or the configured endpoint)"
    }
    failure.refusal = refusal
    return failure
  }

  /// How far this machine's clock is ahead of the server's; `nil` where they agree within a minute.
  private func clockDifference(_ answer: HTTPAnswer) -> Duration? {
    guard let theirs = answer.date else { return nil }
    let difference = surroundings.now() - theirs
    return difference.magnitude > .seconds(60) ? difference : nil
  }

  private func shown(_ text: String) -> String {
    printable(String(Mask(secrets + form.secrets).hiding(in: text).prefix(300)))
  }
}

extension Duration {
  var magnitude: Duration { self < .zero ? .zero - self : self }
}
