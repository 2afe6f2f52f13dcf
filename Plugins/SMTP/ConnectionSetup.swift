internal import PabalCurl
internal import PabalFormats
internal import PabalPlugin

/// Opens a connection: connects, greets, adds TLS and logs in. libcurl does TCP, TLS and the proxy; the conversation is
/// here, because libcurl 7.88 misreads EHLO keywords in lower case, sends an initial response with AUTH LOGIN and keeps
/// the server's words to itself.
struct ConnectionSetup {
  private let server: SMTPServer
  private let accessToken: Token?
  private let redactor: SecretRedactor
  private let buffer = CommandBuffer()

  init(_ server: SMTPServer, _ accessToken: Token?, _ redactor: SecretRedactor) {
    self.server = server
    self.accessToken = accessToken
    self.redactor = redactor
  }

  /// Returns a connection that is ready for a mail.
  func open() throws(ConnectionError) -> (SMTPStream, Capabilities) {
    let stream =
      server.security == .starttls ? SMTPStream(try secured(), server.limits) : try greeted()
    // With STARTTLS for the second time, because what was offered before TLS may have been injected (RFC 3207, 4.2).
    let capabilities = try hello(stream)
    try logIn(stream, capabilities)
    return (stream, capabilities)
  }

  /// Returns a connection whose server has sent its greeting.
  private func greeted() throws(ConnectionError) -> SMTPStream {
    let stream = SMTPStream(try connect(), server.limits)
    try refusePublicAddress(stream)
    try greet(stream)
    return stream
  }

  /// Returns a connection with TLS after STARTTLS.
  private func secured() throws(ConnectionError) -> CurlHandle {
    var trust = server.trustRoots
    while true {
      let plain = try greeted()
      try startTLS(plain)
      do throws(CurlError) {
        let handle = try Self.handle(server, isEncrypted: true, trust)
        try handle.adoptConnection(of: plain.handle, toHost: server.host, port: server.port)
        try handle.perform()
        return handle
      } catch {
        // The handshake can't be repeated over the same connection.
        guard error.code == .untrusted, trust == .system, let bundle = TrustRoots.systemBundle else {
          throw ConnectionError(error, server, redactor)
        }
        trust = bundle
      }
    }
  }

  // MARK: Connecting

  private func connect() throws(ConnectionError) -> CurlHandle {
    do throws(CurlError) {
      let handle = try Self.handle(server, isEncrypted: server.security == .tls, server.trustRoots)
      if let proxy = server.curlProxy { try handle.setProxy(proxy) }
      try handle.perform()
      return handle
    } catch {
      throw ConnectionError(error, server, redactor)
    }
  }

  private static func handle(
    _ server: SMTPServer, isEncrypted: Bool, _ trust: TrustRoots
  ) throws(CurlError) -> CurlHandle {
    // With `connectOnly`, nothing of HTTP is sent.
    let handle = try CurlHandle(protocols: "http,https")
    try handle.set(.url, "\(isEncrypted ? "https" : "http")://\(server.name)/")
    try handle.set(.connectOnly, true)
    try handle.set(.applicationProtocols, false)
    try handle.set(.connectTimeout, .milliseconds(server.limits.reply))
    if trust != .system { try handle.setTrustRoots(trust) }
    return handle
  }

  /// A name may lead anywhere, so what counts is the address that it led to. Nothing has been sent yet.
  private func refusePublicAddress(_ stream: SMTPStream) throws(ConnectionError) {
    guard server.security == .none, !LoopbackHost.matches(server.host) else { return }
    let address = stream.handle.peerAddress ?? ""
    guard PrivateAddress.matches(address) else {
      throw ConnectionError(
        .held(.transport),
        "\(server.name) has the address \(address), which isn't private, and \"allow_unencrypted\" doesn't apply to it; set \"security\" to tls or starttls"
      )
    }
  }

  // MARK: The conversation

  private func greet(_ stream: SMTPStream) throws(ConnectionError) {
    let greeting: Reply
    do throws(SMTPStreamError) {
      greeting = try stream.awaitReply()
    } catch {
      switch error {
      case .timedOut:
        throw ConnectionError(
          .deferred,
          "\(server.name) doesn't answer (\(error.message)); check for a firewall, and that \"security\" matches the port"
        )
      case .closed(let detail) where server.security != .tls:
        throw ConnectionError(
          .deferred,
          "\(server.name) closed the connection without a greeting (\(redactor.redact(detail))); check that \"security\" matches the port"
        )
      case .closed(let detail):
        throw ConnectionError(
          .deferred,
          "\(server.name) closed the connection without a greeting (\(redactor.redact(detail)))")
      case .invalidReply, .unexpected, .refused:
        throw ConnectionError(
          .deferred, "\(server.name) doesn't speak SMTP (\(error.message)); check \"host\" and \"port\"")
      }
    }
    let text = redactor.redact(stream.parser.text(greeting))
    guard !greeting.isRefusal else {
      throw ConnectionError(
        ReplyClassifier.outcome(of: greeting, at: .greeting),
        "\(server.name) rejected the connection: \(text)")
    }
    guard greeting.code / 100 == 2 else {
      throw ConnectionError(
        .deferred, "\(server.name) doesn't speak SMTP (\(text)); check \"host\" and \"port\"")
    }
  }

  private func hello(_ stream: SMTPStream) throws(ConnectionError) -> Capabilities {
    let (reply, text) = try ask(stream, "EHLO \(server.ehlo)")
    if reply.code / 100 == 2 { return Capabilities(lines: stream.parser.lines(reply)) }
    // A server without extensions can take a mail only from a client that needs none (RFC 5321, 3.2).
    if reply.code >= 500, server.security != .starttls, server.login.user == nil {
      let (plainReply, plainText) = try ask(stream, "HELO \(server.ehlo)")
      if plainReply.code / 100 == 2 { return Capabilities() }
      throw refusal(plainReply, .greeting, "\(server.name) rejected HELO: \(plainText)")
    }
    throw refusal(reply, .greeting, "\(server.name) rejected EHLO: \(text)")
  }

  private func startTLS(_ stream: SMTPStream) throws(ConnectionError) {
    guard try hello(stream).startTLS else {
      throw ConnectionError(
        .held(.transport),
        "\(server.name) offers no STARTTLS, and mail isn't sent unencrypted; for port 465 set \"security\" to \"tls\""
      )
    }
    let (reply, text) = try ask(stream, "STARTTLS")
    guard reply.code / 100 == 2 else {
      throw refusal(reply, .tls, "\(server.name) rejected STARTTLS: \(text)")
    }
  }

  private func refusal(_ reply: Reply, _ stage: SMTPStage, _ message: String) -> ConnectionError {
    ConnectionError(reply.isRefusal ? ReplyClassifier.outcome(of: reply, at: stage) : .deferred, message)
  }

  /// Sends a command and returns its reply, and the reply's text without secrets.
  private func ask(_ stream: SMTPStream, _ line: String) throws(ConnectionError) -> (Reply, String) {
    let before = stream.parser.replies.last.map { redactor.redact(stream.parser.text($0)) }
    do throws(SMTPStreamError) {
      stream.parser.reset()
      buffer.removeAll()
      buffer.append(line)
      buffer.append("\r\n")
      try stream.send(buffer.bytes) { _ in false }
      let reply = try stream.awaitReply()
      return (reply, redactor.redact(stream.parser.text(reply)))
    } catch {
      let last = stream.parser.replies.first.map { redactor.redact(stream.parser.text($0)) } ?? before
      throw ConnectionError(
        .deferred,
        "the connection to \(server.name) was lost (\(redactor.redact(error.message)))\(last.map { "; its last reply: \($0)" } ?? "")"
      )
    }
  }

  // MARK: Login

  private func logIn(_ stream: SMTPStream, _ capabilities: Capabilities) throws(ConnectionError) {
    guard server.login.user != nil else { return }
    guard !capabilities.mechanisms.isEmpty else {
      throw ConnectionError(
        .held(.transport),
        "\(server.name) offers no login; check \"host\", \"port\" and \"security\", or remove \"account\", \"user\" and \"password\""
      )
    }
    guard let exchange = SASLExchange(server, accessToken, offered: capabilities.mechanisms) else {
      throw ConnectionError(
        .held(.transport),
        "\(server.name) doesn't offer \(server.login.mechanisms); choose another \"mechanism\", or check the port"
      )
    }
    var (reply, text) = try ask(stream, exchange.command(withInitialResponse: true))
    var responses = exchange.responses(withInitialResponse: true)[...]
    if reply.code == 501, exchange.sendsInitialResponse {
      // A server that can't read an initial response refuses the syntax, not the login.
      (reply, text) = try ask(stream, exchange.command(withInitialResponse: false))
      responses = exchange.responses(withInitialResponse: false)[...]
    }
    if reply.code == 334, responses.isEmpty, isBlank(stream.parser.text(reply)) {
      // The server ignored the initial response. An error would have a text.
      responses = exchange.responses(withInitialResponse: false)[...]
    }
    while reply.code == 334, let response = responses.popFirst() {
      guard exchange.accepts(challenge: stream.parser.text(reply), before: response) else {
        _ = try askToEnd(stream, exchange, reply, text)
        throw ConnectionError(
          .held(.transport),
          "\(server.name) asks for something else than \(exchange.mechanism.name) has, and got no credentials (\(text)); choose another \"mechanism\""
        )
      }
      (reply, text) = try ask(stream, response.line)
    }
    var challenge: String?
    if reply.code == 334 {
      // The error of XOAUTH2 and OAUTHBEARER, which the client confirms to get the final reply (RFC 7628, 3.2.3).
      challenge = ConnectionError.challengeStatus(stream.parser.text(reply), redactor)
      (reply, text) = try askToEnd(stream, exchange, reply, text)
    }
    guard reply.code == 235 else {
      throw ConnectionError.login(reply, text, challenge, server)
    }
  }

  private func isBlank(_ challenge: String) -> Bool {
    challenge.utf8.dropFirst(3).allSatisfy { $0 == UInt8(ascii: " ") }
  }

  /// Confirms an error, or cancels an exchange that never ends. The error counts if no reply to that comes.
  private func askToEnd(
    _ stream: SMTPStream, _ exchange: SASLExchange, _ reply: Reply, _ text: String
  ) throws(ConnectionError) -> (Reply, String) {
    do throws(ConnectionError) {
      return try ask(stream, exchange.confirmation)
    } catch {
      return (reply, text)
    }
  }
}
