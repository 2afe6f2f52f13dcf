internal import Crypto
internal import Glibc
internal import PabalCore
internal import PabalFormats

/// The login by a browser that comes back to a listener on this machine (RFC 8252).
struct BrowserLogin {
  let plan: LoginPlan
  let client: OAuthClient
  let account: OAuthAccount
  let options: LoginOptions
  let pkce: PKCE

  // No person pastes so often; a file or a device in the terminal's place does.
  private static let maxInvalidLines = 50

  typealias TokenHandler = (TokenResponse) throws(TokenError) -> LoginResult

  func run(notify: (LoginEvent) -> Void, store: TokenHandler) throws(TokenError) -> LoginResult {
    guard let authorization = client.authorizationEndpoint else {
      throw TokenError(
        .setUp, "there is no authorization endpoint", remedy: "name one, or use --flow device",
        errorKind: .configuration)
    }
    let target = try RedirectTarget(client, host: plan.host, port: options.port)
    let listener = try openListener(target)
    let redirect = target.address(port: listener.port)
    let fields = [
      ("client_id", client.id), ("redirect_uri", redirect), ("response_type", "code"),
      ("scope", plan.scopes.joined(separator: " ")), ("state", pkce.state),
      ("code_challenge", pkce.challenge),
      ("code_challenge_method", "S256"),
    ]
    let url = authorization.with(URLEncodedForm(fields + plan.parameters))
    if options.opensBrowser, Browser.open(url, environment: Self.environment) {
      notify(.openedBrowser(url))
    } else {
      notify(.openURL(url, port: listener.port))
    }

    // Somebody may set the clock meanwhile.
    let end = ContinuousClock.now + options.timeout
    var invalidLines = 0
    while true {
      switch listener.next(within: end - ContinuousClock.now) {
      case .timedOut:
        throw TokenError(
          .transient,
          "nobody came back from the browser within \(options.timeout.components.seconds / 60) minutes",
          remedy: "start the login again; on another machine than the browser's, use --no-browser; "
            + "if the browser ended on an error page, paste that page's address")
      case .line(let line):
        guard let query = parsePastedURL(line, notify) else {
          invalidLines += 1
          guard invalidLines == Self.maxInvalidLines else { continue }
          notify(.ignoredInput("nothing more is read here; the browser may still come back"))
          listener.stopReading()
          continue
        }
        return try exchangeCode(query, redirect, store).get()
      case .request(let request):
        guard let query = respond(request, target, listener, notify) else { continue }
        let result = exchangeCode(query, redirect, store)
        let page = LoginPage(page(result), languages: request.languages)
        listener.respond(request, status: "200 OK", html: page.html, language: page.language)
        // A browser that asks twice, or for its icon, gets an answer too.
        while case .request(let again) = listener.next(within: .milliseconds(20)) {
          listener.respond(again, status: "200 OK", html: page.html, language: page.language)
        }
        return try result.get()
      }
    }
  }

  private func openListener(_ target: RedirectTarget) throws(TokenError) -> LoopbackListener {
    do throws(LoopbackListener.ListenError) {
      return try LoopbackListener(
        port: target.port, alsoIPv6: target.host != "127.0.0.1", input: options.input)
    } catch {
      if error.number == EADDRINUSE {
        throw TokenError(
          .setUp, "port \(error.port) is taken by another program",
          remedy: RedirectTarget.advice(client, excluding: error.port)
            ?? (options.port == nil ? "end that program" : "choose another --port, or leave it out"))
      }
      if error.number == EACCES {
        throw TokenError(
          .setUp, "port \(error.port) is for root alone",
          remedy: RedirectTarget.advice(client, excluding: error.port) ?? "choose a --port above 1023")
      }
      if error.number == EADDRNOTAVAIL {
        throw TokenError(
          .setUp, "this machine has no \(target.host) for the browser to come back to",
          remedy: "bring its loopback up (ip link set lo up), or log in elsewhere and copy the token file")
      }
      throw TokenError(
        .setUp, "nothing can listen on port \(error.port): \(String(cString: strerror(error.number)))")
    }
  }

  /// The fields of a request that is the answer to this login; others are answered here.
  private func respond(
    _ request: BrowserRequest, _ target: RedirectTarget, _ listener: LoopbackListener,
    _ notify: (LoginEvent) -> Void
  ) -> URLEncodedForm? {
    func say(_ end: LoginPage.Content, _ status: String) {
      let page = LoginPage(end, languages: request.languages)
      listener.respond(request, status: status, html: page.html, language: page.language)
    }
    let path = request.path.isEmpty ? "/" : request.path
    guard request.method == "GET", path == (target.path.isEmpty ? "/" : target.path),
      request.query["code"] != nil || request.query["error"] != nil
    else {
      say(.notFound, request.method == "GET" ? "404 Not Found" : "405 Method Not Allowed")
      return nil
    }
    guard isSame(request.query["state"] ?? "", pkce.state) else {
      say(.otherLogin, "400 Bad Request")
      notify(.ignoredInput("something came to the login's port that is no answer to it; waiting on"))
      return nil
    }
    return request.query
  }

  /// The fields of the address that somebody pasted.
  private func parsePastedURL(_ line: String, _ notify: (LoginEvent) -> Void) -> URLEncodedForm? {
    let line = line.filter { !$0.isWhitespace }
    guard !line.isEmpty else { return nil }
    guard let mark = line.firstIndex(of: "?") else {
      notify(.ignoredInput("paste the whole address of the page that failed, from http:// to its end"))
      return nil
    }
    let query = URLEncodedForm(query: line[line.index(after: mark)...].prefix { $0 != "#" })
    if let error = query["authError"].flatMap(Self.error(onGooglesPage:)) {
      return URLEncodedForm([("error", error)])
    }
    guard query["code"] != nil || query["error"] != nil else {
      notify(
        .ignoredInput("that address has no code in it; paste the one of the page that failed at the very end")
      )
      return nil
    }
    guard isSame(query["state"] ?? "", pkce.state) else {
      notify(.ignoredInput("that address is of another login; use the one that was shown just now"))
      return nil
    }
    return query
  }

  /// The error in the address of Google's own error page, from which no browser comes back.
  ///
  /// Undocumented: Base64 of a protocol buffer whose first field is the error's name.
  private static func error(onGooglesPage text: String) -> String? {
    guard let bytes = base64URLBytes(text), bytes.count > 2, bytes[0] == 0x0A else { return nil }
    let name = bytes.dropFirst(2).prefix(Int(bytes[1]))
    guard name.count == Int(bytes[1]), !name.isEmpty,
      name.allSatisfy({ $0 == UInt8(ascii: "_") || UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 })
    else { return nil }
    return String(decoding: name, as: UTF8.self)
  }

  private func exchangeCode(_ query: URLEncodedForm, _ redirect: String, _ store: TokenHandler) -> Result<
    LoginResult, TokenError
  > {
    do throws(TokenError) {
      let classifier = OAuthErrorClassifier(
        issuer: account.issuer, operation: .codeExchange, account: account.name,
        now: account.dependencies.now())
      if let error = query["error"] {
        let serverError = OAuthError(
          error: printable(String(error.prefix(100))),
          description: query["error_description"].map { printable(String($0.prefix(300))) })
        var failure = classifier.failure(serverError, clock: nil)
        failure.serverError = serverError
        throw failure
      }
      var fields = [
        ("grant_type", "authorization_code"), ("code", query["code"] ?? ""), ("redirect_uri", redirect),
        ("client_id", client.id), ("code_verifier", pkce.verifier),
      ]
      if let secret = client.secret { fields.append(("client_secret", secret)) }
      let request = TokenRequest(
        form: URLEncodedForm(fields), endpoint: client.tokenEndpoint, classifier: classifier,
        dependencies: account.dependencies)
      let (root, now) = try request.perform()
      return .success(try store(TokenResponse(root, at: now)))
    } catch {
      return .failure(error)
    }
  }

  private func page(_ result: Result<LoginResult, TokenError>) -> LoginPage.Content {
    switch result {
    case .success(let result):
      .success(user: account.user, expiry: result.refreshTokenExpiry, isTesting: result.isTesting)
    case .failure(let failure) where failure.serverError?.error == "access_denied": .refused
    case .failure(let failure) where !failure.missingScopes.isEmpty: .missingConsent(failure.missingScopes)
    case .failure(let failure): .failed(failure.message, korean: KoreanErrorText(failure)?.text)
    }
  }

  private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// The address that the browser comes back to.
struct RedirectTarget {
  let host: String
  let path: String
  /// `nil`: any free one.
  let port: UInt16?

  /// For an installed client the one wanted; for a web client one of those that it has registered.
  init(_ client: OAuthClient, host: String, port: UInt16?) throws(TokenError) {
    guard let registered = client.redirects else {
      (self.host, path, self.port) = (host, "", port)
      return
    }
    let targets = registered.compactMap(RedirectTarget.init(registered:))
    // Ports below are root's.
    guard let first = targets.first(where: { $0.port ?? 0 > 1023 }) ?? targets.first else {
      throw TokenError(
        .setUp,
        "the OAuth client is one for web servers, and no address of this machine is registered for it",
        remedy: "make a desktop client, or register http://127.0.0.1:8765 and name it with --port",
        step: .client)
    }
    guard let port else {
      self = first
      return
    }
    guard let match = targets.first(where: { $0.port == port }) else {
      throw TokenError(
        .setUp, "the OAuth client is one for web servers, and port \(port) isn't registered for it",
        remedy: "use --port \(first.port ?? 80), or make a desktop client", step: .client, errorKind: .usage)
    }
    self = match
  }

  /// What to do where a web client's users can't come back to port `excluding`; `nil` for an installed client, which
  /// may choose any.
  static func advice(_ client: OAuthClient, excluding: UInt16) -> String? {
    guard let registered = client.redirects else { return nil }
    let ports = registered.compactMap(RedirectTarget.init(registered:)).compactMap(\.port)
    if let other = ports.first(where: { $0 != excluding && $0 > 1023 }) {
      return "use --port \(other), which is registered too, or make a desktop client"
    }
    let free = excluding == 8765 ? 8766 : 8765
    return (excluding > 1023 ? "end that program, or " : "")
      + "register http://127.0.0.1:\(free) for the client and name it with --port \(free), or make a desktop client"
  }

  private init?(registered address: String) {
    guard let endpoint = try? HTTPEndpoint(address), address.hasPrefix("http://") else { return nil }
    (host, path, port) = (endpoint.bracketedHost, endpoint.pathAndQuery, endpoint.port ?? 80)
  }

  func address(port bound: UInt16) -> String {
    // Byte for byte what is registered: port 80 goes without saying.
    bound == 80 ? "http://\(host)\(path)" : "http://\(host):\(bound)\(path)"
  }
}

/// The proof that whoever brings the code is who asked for it (RFC 7636), and the state that ties the
/// browser's answer to this login.
struct PKCE: Sendable {
  /// 43 characters.
  let verifier: String
  /// The verifier's SHA-256, as the browser's URL has it.
  let challenge: String
  let state: String

  init(_ dependencies: AccountDependencies) {
    verifier = base64URL(dependencies.random(32))
    challenge = base64URL(Array(SHA256.hash(data: Array(verifier.utf8))))
    state = base64URL(dependencies.random(24))
  }
}

/// Base64 for URLs, without padding (RFC 4648, section 5).
func base64URL(_ bytes: [UInt8]) -> String {
  Base64.string(bytes.span, alphabet: .urlSafe, isPadded: false)
}

/// The bytes that Base64 encodes, for URLs or not, with or without padding; `nil` if it has another character.
func base64URLBytes(_ text: String) -> [UInt8]? {
  try? Base64.decode(
    text.utf8Span.span, .init(digits: .either, padding: .ignored, dropsTrailingBits: true))
}

/// Whether two texts are the same, in a time that depends on their lengths alone.
func isSame(_ a: String, _ b: String) -> Bool {
  let (a, b) = (Array(a.utf8), Array(b.utf8))
  guard a.count == b.count else { return false }
  return zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
}

/// The user's browser.
enum Browser {
  /// Opens `url`; whether a browser could be started. The URL has no secret in it.
  static func open(_ url: String, environment: (String) -> String?) -> Bool {
    let named = environment("BROWSER")?.split(separator: ":").map(String.init) ?? []
    let hasScreen = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].contains {
      environment($0)?.isEmpty == false
    }
    guard hasScreen || !named.isEmpty else { return false }
    for command in named + ["xdg-open", "wslview", "sensible-browser"] {
      var words = command.split(separator: " ").map(String.init)
      guard !words.isEmpty else { continue }
      if let place = words.firstIndex(of: "%s") { words[place] = url } else { words.append(url) }
      if start(words) { return true }
    }
    return false
  }

  private static func start(_ words: [String]) -> Bool {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // What a browser says belongs on no terminal that asks for something.
    for descriptor: CInt in 0...2 {
      posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var process: pid_t = 0
    return posix_spawnp(&process, words[0], &actions, nil, arguments, environ) == 0
  }
}
