internal import Crypto
internal import Glibc
internal import PabalCore
internal import PabalFormats

/// A login with a browser that returns to a listener on this machine (RFC 8252).
struct BrowserLogin {
  let plan: LoginPlan
  let client: OAuthClient
  let account: OAuthAccount
  let options: LoginOptions
  let pkce: PKCE

  // More than a person would paste; reached only if standard input is a file or a device.
  private static let maxInvalidLines = 50

  typealias TokenHandler = (TokenResponse, OAuthAccount.LockedStorage) throws(TokenError) -> LoginResult

  func run(notify: (LoginEvent) -> Void, store: TokenHandler) throws(TokenError) -> LoginResult {
    guard let authorization = client.authorizationEndpoint else {
      throw TokenError(
        .setUp, "no authorization endpoint is configured", remedy: "set one, or use --flow device",
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
    let redirectPage = options.opensBrowser ? RedirectPage(to: url, nextTo: account.file.path) : nil
    defer { withExtendedLifetime(redirectPage) {} }
    if let redirectPage, Browser.open(redirectPage.url, environment: Self.environment) {
      notify(.openedBrowser(url))
    } else {
      notify(.openURL(url, port: listener.port))
    }

    // A continuous clock, because the wall clock may be set meanwhile.
    let end = ContinuousClock.now + options.timeout
    var invalidLines = 0
    while true {
      switch listener.next(within: end - ContinuousClock.now) {
      case .timedOut:
        throw TokenError(
          .transient,
          "the browser didn't return within \(counted(Int(options.timeout.components.seconds / 60), "minute"))",
          remedy: "start the login again; if the browser is on another machine, use --no-browser; "
            + "if the browser ended on an error page, paste the URL of that page")
      case .line(let line):
        guard let query = parsePastedURL(line, notify) else {
          invalidLines += 1
          guard invalidLines == Self.maxInvalidLines else { continue }
          notify(
            .ignoredInput(
              "too many invalid lines, input is ignored from now on; still waiting for the browser"))
          listener.stopReading()
          continue
        }
        return try exchangeCode(query, redirect, notify, store).get()
      case .request(let request):
        guard let query = respond(request, target, listener, notify) else { continue }
        let result = exchangeCode(query, redirect, notify, store)
        let page = LoginPage(page(result), languages: request.languages)
        listener.respond(request, status: "200 OK", html: page.html, language: page.language)
        // Browsers may repeat the request or ask for an icon.
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
          .setUp, "port \(error.port) is in use by another program",
          remedy: RedirectTarget.advice(client, excluding: error.port)
            ?? (options.port == nil ? "stop that program" : "choose another --port, or leave it out"))
      }
      if error.number == EACCES {
        throw TokenError(
          .setUp, "port \(error.port) is reserved for root",
          remedy: RedirectTarget.advice(client, excluding: error.port) ?? "choose a --port above 1023")
      }
      if error.number == EADDRNOTAVAIL {
        throw TokenError(
          .setUp, "this machine has no \(target.host) for the browser to return to",
          remedy: "enable loopback (ip link set lo up), or log in on another machine and copy the token file")
      }
      throw TokenError(
        .setUp, "can't listen on port \(error.port): \(String(cString: strerror(error.number)))")
    }
  }

  /// Returns the query of the request that completes this login. Answers any other request and returns `nil`.
  private func respond(
    _ request: BrowserRequest, _ target: RedirectTarget, _ listener: LoopbackListener,
    _ notify: (LoginEvent) -> Void
  ) -> URLEncodedForm? {
    func respond(with content: LoginPage.Content, _ status: String) {
      let page = LoginPage(content, languages: request.languages)
      listener.respond(request, status: status, html: page.html, language: page.language)
    }
    let path = request.path.isEmpty ? "/" : request.path
    guard request.method == "GET", path == (target.path.isEmpty ? "/" : target.path),
      request.query["code"] != nil || request.query["error"] != nil
    else {
      respond(with: .notFound, request.method == "GET" ? "404 Not Found" : "405 Method Not Allowed")
      return nil
    }
    guard isEqualInConstantTime(request.query["state"] ?? "", pkce.state) else {
      respond(with: .otherLogin, "400 Bad Request")
      notify(.ignoredInput("received a request that doesn't belong to this login; still waiting"))
      return nil
    }
    return request.query
  }

  /// Returns the query of the URL that was pasted; reports a mistake and returns `nil`.
  private func parsePastedURL(_ line: String, _ notify: (LoginEvent) -> Void) -> URLEncodedForm? {
    let line = line.filter { !$0.isWhitespace }
    guard !line.isEmpty else { return nil }
    guard let mark = line.firstIndex(of: "?") else {
      notify(
        .ignoredInput(
          "not a complete URL; paste the URL of the page that failed to load, from http:// to its end"))
      return nil
    }
    let query = URLEncodedForm(query: line[line.index(after: mark)...].prefix { $0 != "#" })
    if let error = query["authError"].flatMap(Self.error(onGooglesPage:)) {
      return URLEncodedForm([("error", error)])
    }
    guard query["code"] != nil || query["error"] != nil else {
      notify(
        .ignoredInput("the URL contains no code; paste the URL of the page that failed to load at the end")
      )
      return nil
    }
    guard isEqualInConstantTime(query["state"] ?? "", pkce.state) else {
      notify(.ignoredInput("the URL belongs to another login; open the URL shown above"))
      return nil
    }
    return query
  }

  /// Returns the error in the URL of Google's error page, which doesn't redirect back.
  ///
  /// The format is undocumented: Base64 of a protocol buffer whose first field is the name of the error.
  private static func error(onGooglesPage text: String) -> String? {
    guard let bytes = base64URLBytes(text), bytes.count > 2, bytes[0] == 0x0A else { return nil }
    let name = bytes.dropFirst(2).prefix(Int(bytes[1]))
    guard name.count == Int(bytes[1]), !name.isEmpty,
      name.allSatisfy({ $0 == UInt8(ascii: "_") || UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 })
    else { return nil }
    return String(decoding: name, as: UTF8.self)
  }

  private func exchangeCode(
    _ query: URLEncodedForm, _ redirect: String, _ notify: (LoginEvent) -> Void, _ store: TokenHandler
  ) -> Result<LoginResult, TokenError> {
    do throws(TokenError) {
      let classifier = OAuthErrorClassifier(
        issuer: account.issuer, operation: .codeExchange, account: account.name,
        now: account.dependencies.now())
      if let error = query["error"] {
        let serverError = OAuthError(
          error: printable(String(error.prefix(100))),
          description: query["error_description"].map {
            printable(String(OAuthError.firstLine($0).prefix(300)))
          })
        var failure = classifier.failure(serverError, clock: nil)
        failure.serverError = serverError
        throw failure
      }
      let fields = [
        ("grant_type", "authorization_code"), ("code", query["code"] ?? ""), ("redirect_uri", redirect),
        ("code_verifier", pkce.verifier),
      ]
      let request = TokenRequest(
        form: URLEncodedForm(fields), endpoint: client.tokenEndpoint,
        client: FormClient(id: client.id, secret: client.secret, authentication: plan.authentication),
        classifier: classifier, dependencies: account.dependencies)
      // The server gives the tokens only once.
      let storage = try account.lockedStorage("the tokens of the login weren't stored", notify)
      return try TerminationDelay.protect { () throws(TokenError) in
        let (root, now) = try request.perform()
        return .success(try store(TokenResponse(root, at: now), storage))
      }
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

/// The URL that the browser is redirected to.
struct RedirectTarget {
  let host: String
  let path: String
  /// `nil` for any free port.
  let port: UInt16?

  /// Creates the target for `port`. A web client can use only its registered redirect URIs.
  init(_ client: OAuthClient, host: String, port: UInt16?) throws(TokenError) {
    guard let registered = client.redirects else {
      (self.host, path, self.port) = (host, "", port)
      return
    }
    let targets = registered.compactMap(RedirectTarget.init(registered:))
    // Ports up to 1023 are reserved for root.
    guard let first = targets.first(where: { $0.port ?? 0 > 1023 }) ?? targets.first else {
      throw TokenError(
        .setUp,
        "the OAuth client is a web client without a redirect URI on this machine",
        remedy: "create a desktop client, or register http://127.0.0.1:8765 and use --port 8765",
        step: .client)
    }
    guard let port else {
      self = first
      return
    }
    guard let match = targets.first(where: { $0.port == port }) else {
      throw TokenError(
        .setUp, "the OAuth client is a web client, and port \(port) isn't registered for it",
        remedy: "use --port \(first.port ?? 80), or create a desktop client", step: .client, errorKind: .usage
      )
    }
    self = match
  }

  /// Returns the remedy if a web client can't use port `excluding`; `nil` for an installed client, which can use any
  /// port.
  static func advice(_ client: OAuthClient, excluding: UInt16) -> String? {
    guard let registered = client.redirects else { return nil }
    let ports = registered.compactMap(RedirectTarget.init(registered:)).compactMap(\.port)
    if let other = ports.first(where: { $0 != excluding && $0 > 1023 }) {
      return "use --port \(other), which is also registered, or create a desktop client"
    }
    let free = excluding == 8765 ? 8766 : 8765
    return (excluding > 1023 ? "stop that program, or " : "")
      + "register http://127.0.0.1:\(free) for the client and use --port \(free), or create a desktop client"
  }

  private init?(registered address: String) {
    guard let endpoint = try? HTTPEndpoint(address), address.hasPrefix("http://") else { return nil }
    (host, path, port) = (endpoint.bracketedHost, endpoint.pathAndQuery, endpoint.port ?? 80)
  }

  func address(port bound: UInt16) -> String {
    // Must equal the registered URI byte for byte, so port 80 is left out.
    bound == 80 ? "http://\(host)\(path)" : "http://\(host):\(bound)\(path)"
  }
}

/// The PKCE verifier and challenge of a login (RFC 7636), and the `state` that ties the browser's answer to it.
struct PKCE: Sendable {
  /// The code verifier, 43 characters.
  let verifier: String
  /// The code challenge: the SHA-256 of the verifier in Base64 for URLs.
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

/// Whether two texts are equal; takes constant time for texts of the same length.
func isEqualInConstantTime(_ a: String, _ b: String) -> Bool {
  let (a, b) = (Array(a.utf8), Array(b.utf8))
  guard a.count == b.count else { return false }
  return zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
}

/// Starts the user's browser.
enum Browser {
  /// Opens `url` and returns whether a browser was started. The URL must contain nothing that other users may not know,
  /// because it is visible in the process list.
  static func open(_ url: String, environment: (String) -> String?) -> Bool {
    let named = environment("BROWSER")?.split(separator: ":").map(String.init) ?? []
    let hasDisplay = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].contains {
      environment($0)?.isEmpty == false
    }
    guard hasDisplay || !named.isEmpty else { return false }
    for command in named + ["xdg-open", "wslview", "sensible-browser"] {
      var arguments = command.split(separator: " ").map(String.init)
      guard !arguments.isEmpty else { continue }
      if let index = arguments.firstIndex(of: "%s") { arguments[index] = url } else { arguments.append(url) }
      if start(arguments) { return true }
    }
    return false
  }

  private static func start(_ arguments: [String]) -> Bool {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // The browser's output must not mix with the prompt on the terminal.
    for descriptor: CInt in 0...2 {
      posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    argv.append(nil)
    defer { for argument in argv { free(argument) } }
    var process: pid_t = 0
    return posix_spawnp(&process, arguments[0], &actions, nil, argv, environ) == 0
  }
}
