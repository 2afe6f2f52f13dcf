internal import Glibc
internal import PabalCore

/// The login by a browser that comes back to a listener on this machine (RFC 8252).
struct BrowserLogin {
  let plan: LoginPlan
  let client: OAuthClient
  let account: OAuthAccount
  let manner: LoginManner
  let proof: ProofKey

  // No person pastes so often; a file or a device in the terminal's place does.
  private static let mostNonsense = 50

  typealias Store = (TokenAnswer) throws(TokenFailure) -> LoginResult

  func run(tell: (LoginNotice) -> Void, store: Store) throws(TokenFailure) -> LoginResult {
    guard let authorization = client.authorizationEndpoint else {
      throw TokenFailure(
        .setUp, "there is no authorization endpoint", cure: "name one, or use --flow device",
        fault: .configuration)
    }
    let target = try RedirectTarget(client, host: plan.host, port: manner.port)
    let listener = try listen(target)
    let redirect = target.address(port: listener.port)
    let fields = [
      ("client_id", client.id), ("redirect_uri", redirect), ("response_type", "code"),
      ("scope", plan.scopes.joined(separator: " ")), ("state", proof.state),
      ("code_challenge", proof.challenge),
      ("code_challenge_method", "S256"),
    ]
    let url = authorization.with(Form(fields + plan.parameters))
    if manner.opensBrowser, Browser.open(url, environment: Self.environment) {
      tell(.opened(url))
    } else {
      tell(.visit(url, port: listener.port))
    }

    // Somebody may set the clock meanwhile.
    let end = ContinuousClock.now + manner.patience
    var nonsense = 0
    while true {
      switch listener.next(within: end - ContinuousClock.now) {
      case .timedOut:
        throw TokenFailure(
          .passing,
          "nobody came back from the browser within \(manner.patience.components.seconds / 60) minutes",
          cure: "start the login again; on another machine than the browser's, use --no-browser; "
            + "if the browser ended on an error page, paste that page's address")
      case .line(let line):
        guard let query = pasted(line, tell) else {
          nonsense += 1
          guard nonsense == Self.mostNonsense else { continue }
          tell(.ignored("nothing more is read here; the browser may still come back"))
          listener.stopReading()
          continue
        }
        return try finish(query, redirect, store).get()
      case .request(let request):
        guard let query = answer(request, target, listener, tell) else { continue }
        let result = finish(query, redirect, store)
        let page = LoginPage(page(result), languages: request.languages)
        listener.answer(request, status: "200 OK", html: page.html, language: page.language)
        // A browser that asks twice, or for its icon, gets an answer too.
        while case .request(let again) = listener.next(within: .milliseconds(20)) {
          listener.answer(again, status: "200 OK", html: page.html, language: page.language)
        }
        return try result.get()
      }
    }
  }

  private func listen(_ target: RedirectTarget) throws(TokenFailure) -> LoopbackListener {
    do throws(LoopbackListener.Problem) {
      return try LoopbackListener(
        port: target.port, alsoIPv6: target.host != "127.0.0.1", input: manner.input)
    } catch {
      if error.number == EADDRINUSE {
        throw TokenFailure(
          .setUp, "port \(error.port) is taken by another program",
          cure: RedirectTarget.advice(client, besides: error.port)
            ?? (manner.port == nil ? "end that program" : "choose another --port, or leave it out"))
      }
      if error.number == EACCES {
        throw TokenFailure(
          .setUp, "port \(error.port) is for root alone",
          cure: RedirectTarget.advice(client, besides: error.port) ?? "choose a --port above 1023")
      }
      if error.number == EADDRNOTAVAIL {
        throw TokenFailure(
          .setUp, "this machine has no \(target.host) for the browser to come back to",
          cure: "bring its loopback up (ip link set lo up), or log in elsewhere and copy the token file")
      }
      throw TokenFailure(
        .setUp, "nothing can listen on port \(error.port): \(String(cString: strerror(error.number)))")
    }
  }

  /// The fields of a request that is the answer to this login; others are answered here.
  private func answer(
    _ request: BrowserRequest, _ target: RedirectTarget, _ listener: LoopbackListener,
    _ tell: (LoginNotice) -> Void
  ) -> Form? {
    func say(_ end: LoginPage.End, _ status: String) {
      let page = LoginPage(end, languages: request.languages)
      listener.answer(request, status: status, html: page.html, language: page.language)
    }
    let path = request.path.isEmpty ? "/" : request.path
    guard request.method == "GET", path == (target.path.isEmpty ? "/" : target.path),
      request.query["code"] != nil || request.query["error"] != nil
    else {
      say(.nothing, request.method == "GET" ? "404 Not Found" : "405 Method Not Allowed")
      return nil
    }
    guard isSame(request.query["state"] ?? "", proof.state) else {
      say(.foreign, "400 Bad Request")
      tell(.ignored("something came to the login's port that is no answer to it; waiting on"))
      return nil
    }
    return request.query
  }

  /// The fields of the address that somebody pasted.
  private func pasted(_ line: String, _ tell: (LoginNotice) -> Void) -> Form? {
    let line = line.filter { !$0.isWhitespace }
    guard !line.isEmpty else { return nil }
    guard let mark = line.firstIndex(of: "?") else {
      tell(.ignored("paste the whole address of the page that failed, from http:// to its end"))
      return nil
    }
    let query = Form(query: line[line.index(after: mark)...].prefix { $0 != "#" })
    if let error = query["authError"].flatMap(Self.error(onGooglesPage:)) { return Form([("error", error)]) }
    guard query["code"] != nil || query["error"] != nil else {
      tell(.ignored("that address has no code in it; paste the one of the page that failed at the very end"))
      return nil
    }
    guard isSame(query["state"] ?? "", proof.state) else {
      tell(.ignored("that address is of another login; use the one that was shown just now"))
      return nil
    }
    return query
  }

  /// The error in the address of Google's own error page, from which no browser comes back.
  ///
  /// Undocumented: Base64 of a protocol buffer whose first field is the error's name.
  private static func error(onGooglesPage text: String) -> String? {
    guard let octets = octets(ofBase64URL: text[...]), octets.count > 2, octets[0] == 0x0A else { return nil }
    let name = octets.dropFirst(2).prefix(Int(octets[1]))
    guard name.count == Int(octets[1]), !name.isEmpty,
      name.allSatisfy({ $0 == UInt8(ascii: "_") || UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 })
    else { return nil }
    return String(decoding: name, as: UTF8.self)
  }

  private func finish(_ query: Form, _ redirect: String, _ store: Store) -> Result<LoginResult, TokenFailure>
  {
    do throws(TokenFailure) {
      let refusals = Refusals(
        issuer: account.issuer, question: .exchange, account: account.name, now: account.surroundings.now())
      if let error = query["error"] {
        let refusal = Refusal(
          error: printable(String(error.prefix(100))),
          description: query["error_description"].map { printable(String($0.prefix(300))) })
        var failure = refusals.failure(refusal, clock: nil)
        failure.refusal = refusal
        throw failure
      }
      var fields = [
        ("grant_type", "authorization_code"), ("code", query["code"] ?? ""), ("redirect_uri", redirect),
        ("client_id", client.id), ("code_verifier", proof.verifier),
      ]
      if let secret = client.secret { fields.append(("client_secret", secret)) }
      let request = TokenRequest(
        form: Form(fields), endpoint: client.tokenEndpoint, refusals: refusals,
        surroundings: account.surroundings)
      let (root, now) = try request.perform()
      return .success(try store(TokenAnswer(root, at: now)))
    } catch {
      return .failure(error)
    }
  }

  private func page(_ result: Result<LoginResult, TokenFailure>) -> LoginPage.End {
    switch result {
    case .success(let result):
      .done(user: account.user, lastsUntil: result.refreshTokenExpiry, isTesting: result.isTesting)
    case .failure(let failure) where failure.refusal?.error == "access_denied": .refused
    case .failure(let failure) where !failure.missingScopes.isEmpty: .unticked(failure.missingScopes)
    case .failure(let failure): .failed(failure.what, korean: KoreanReason(failure)?.text)
    }
  }

  private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
