internal import PabalFormats
internal import PabalPlugin

/// What a client sends to log in by one mechanism (RFC 4954).
struct SASLExchange {
  /// A response to a challenge.
  struct Response {
    /// The response in base64.
    let line: String
    /// What it contains; LOGIN's challenges say which of them they ask for.
    let content: Content

    enum Content { case user, password, credentials }
  }

  let mechanism: SMTPLogin.Mechanism
  /// What confirms an error, or cancels the exchange.
  let confirmation: String
  private let allResponses: [Response]

  /// The exchange by the mechanism of the login among those `offered`, in upper case; `nil` if there is none.
  init?(_ server: SMTPServer, _ accessToken: Token?, offered: [String]) {
    func isOffered(_ mechanism: SMTPLogin.Mechanism) -> Bool { offered.contains(mechanism.name) }
    let content: [(text: String, content: Response.Content)]
    switch server.login {
    case .none: return nil
    case .password(let user, let password, let chosen):
      let choice: [SMTPLogin.Mechanism] = chosen.map { [$0] } ?? [.plain, .login]
      guard let mechanism = choice.first(where: isOffered) else { return nil }
      self.mechanism = mechanism
      content =
        mechanism == .login
        ? [(user, .user), (password, .password)] : [("\0\(user)\0\(password)", .credentials)]
    case .account(let user, let mechanism):
      guard isOffered(mechanism) else { return nil }
      self.mechanism = mechanism
      let bearer = "auth=Bearer \(accessToken?.text ?? "")\u{1}\u{1}"
      let text =
        mechanism == .oauthbearer
        ? "n,a=\(SMTPLogin.escaped(user)),\u{1}host=\(server.host)\u{1}port=\(server.port)\u{1}\(bearer)"
        : "user=\(user)\u{1}\(bearer)"
      content = [(text, .credentials)]
    }
    allResponses = content.map { part in
      let encoded = Base64.encode(Array(part.text.utf8).span)
      return Response(line: String(decoding: encoded, as: UTF8.self), content: part.content)
    }
    // An empty response for XOAUTH2, ^A for OAUTHBEARER.
    confirmation =
      switch mechanism {
      case .xoauth2: ""
      case .oauthbearer: "AQ=="
      case .plain, .login: "*"
      }
  }

  /// Whether the first response is sent with AUTH.
  ///
  /// Not for LOGIN, whose server speaks first: it may reject an initial response, or ignore it and take the password,
  /// sent next, for the user's name. Nor beyond 512 bytes, because servers needn't accept longer lines.
  var sendsInitialResponse: Bool {
    mechanism != .login && mechanism.name.utf8.count + allResponses[0].line.utf8.count <= 504
  }

  /// The command AUTH.
  func command(withInitialResponse isInitial: Bool) -> String {
    isInitial && sendsInitialResponse
      ? "AUTH \(mechanism.name) \(allResponses[0].line)" : "AUTH \(mechanism.name)"
  }

  /// The responses that follow the command.
  func responses(withInitialResponse isInitial: Bool) -> [Response] {
    isInitial && sendsInitialResponse ? [] : allResponses
  }

  /// Whether `response` may answer a challenge, given as the reply's text: a password must not become a user's name.
  func accepts(challenge: String, before response: Response) -> Bool {
    guard mechanism == .login else { return true }
    let encoded = Array(challenge.utf8.dropFirst(4))
    let decoded = try? Base64.decode(encoded.span, .init(padding: .ignored, dropsTrailingBits: true))
    let prompt = String(decoding: decoded ?? [], as: UTF8.self).lowercased()
    return switch response.content {
    case .user: !prompt.hasPrefix("pass")
    case .password: !prompt.hasPrefix("user")
    case .credentials: true
    }
  }
}
