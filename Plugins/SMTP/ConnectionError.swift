internal import PabalCurl
internal import PabalFormats

/// Why no connection, or no login, came about: what it means for a mail, and what to do about it.
struct ConnectionError: Error, Equatable {
  let outcome: SMTPOutcome
  /// What, why, what to do; for a person.
  let message: String
  /// The server refused the token itself.
  var isTokenRejected = false

  init(_ outcome: SMTPOutcome, _ message: String, isTokenRejected: Bool = false) {
    self.outcome = outcome
    self.message = message
    self.isTokenRejected = isTokenRejected
  }

  /// Reads libcurl's failure together with what the server had said by then.
  init(
    _ failure: CurlError, _ parser: borrowing ReplyParser, _ server: SMTPServer,
    _ redactor: SecretRedactor
  ) {
    let last = parser.replies.last
    let raw = last.map { parser.text($0) } ?? ""
    let replyText = redactor.redact(raw)
    let detail = redactor.redact(failure.description)
    let name = server.name
    switch failure.code {
    case .unresolved:
      self.init(
        .deferred,
        "\(server.host) has no address; is \"host\" spelt right, and does this machine resolve names?")
    case .unreachable:
      self.init(
        .deferred,
        "nothing answers at \(name) (\(detail)); check \"host\" and \"port\", and that no firewall stands between"
      )
    case .timedOut where parser.replies.isEmpty:
      self.init(
        .deferred,
        "\(name) does not answer (\(detail)); a firewall may swallow it, or \"security\" doesn't fit the port"
      )
    case .untrusted where server.missingTrustFile != nil, .noTrustStore where server.missingTrustFile != nil:
      self.init(
        .held(.transport),
        "the certificates to trust can't be read: \(server.missingTrustFile ?? "") is missing; correct it, or leave it out for the system's"
      )
    case .untrusted:
      self.init(.held(.transport), Self.certificateMessage(failure, server))
    case .noTrustStore:
      self.init(
        .held(.transport),
        "the certificates to trust can't be read (\(detail)); check \"ca_file\" and \"ca_directory\", or install ca-certificates"
      )
    case .handshake where server.security == .tls:
      self.init(
        .deferred,
        "\(name) does not speak TLS from the start (\(detail)); for port 587 set \"security\" to \"starttls\""
      )
    case .handshake:
      self.init(.deferred, "TLS with \(name) failed (\(detail))")
    case .tlsUnavailable where last?.isRefusal == true:
      self.init(
        last.map { ReplyClassifier.outcome(of: $0, at: .tls) } ?? .deferred,
        "\(name) refuses STARTTLS: \(replyText)")
    case .tlsUnavailable:
      self.init(
        .held(.transport),
        "\(name) offers no STARTTLS, and nothing is sent in the clear; for port 465 set \"security\" to \"tls\""
      )
    case .loginDenied:
      self = Self.loginError(last, replyText, server) { Self.challenge(raw, redactor) }
    case .unexpectedReply where last?.isRefusal == true:
      self.init(
        last.map { ReplyClassifier.outcome(of: $0, at: .greeting) } ?? .deferred,
        "\(name) turns us away: \(replyText)")
    case .abortedByCallback where parser.replies.isEmpty, .unexpectedReply where parser.replies.count <= 1:
      self.init(
        .deferred,
        "\(name) does not speak SMTP; check \"host\" and \"port\"\(replyText.isEmpty ? "" : " (\(replyText))")"
      )
    case .malformed:
      self.init(.held(.transport), "\"host\", \"port\" or \"ehlo\" make no address (\(detail))")
    default:
      let message = replyText.isEmpty ? "" : "; its last words: \(replyText)"
      let outcome =
        last.flatMap { $0.isRefusal ? ReplyClassifier.outcome(of: $0, at: .greeting) : nil } ?? .deferred
      self.init(outcome, "the connection to \(name) broke off (\(detail))\(message)")
    }
  }

  private static func certificateMessage(_ failure: CurlError, _ server: SMTPServer) -> String {
    // OpenSSL's X509_V_ERR_…: 9 not yet valid, 10 expired, 62 and 64 another name or address; the rest is no way
    // to a known authority.
    switch failure.certificate {
    case _ where failure.detail.contains("target host name"), 62, 64:
      return
        "\(server.name) shows a certificate for another name (\(failure.detail)); \"host\" must be the name in it"
    case 9, 10:
      return
        "the certificate of \(server.name) is out of date (\(failure.detail)); the server has to renew it, or this machine's clock is wrong"
    default:
      return
        "the certificate of \(server.name) is not to be trusted (\(failure.detail)); if it is your own authority, name it in \"ca_file\""
    }
  }

  private static func loginError(
    _ reply: Reply?, _ replyText: String, _ server: SMTPServer, challenge: () -> String
  ) -> ConnectionError {
    guard let reply, reply.code == 334 || reply.isRefusal else {
      return ConnectionError(
        .held(.transport),
        "\(server.name) offers no login by \(server.login.mechanisms); choose another \"mechanism\" or check the port"
      )
    }
    let outcome = ReplyClassifier.outcome(of: reply, at: .login)
    let user = server.login.user ?? ""
    if outcome == .deferred {
      return ConnectionError(outcome, "\(server.name) puts the login of \(user) off: \(replyText)")
    }
    // Microsoft 365: XOAUTH2 and passwords alike.
    if reply.enhanced == EnhancedCode("5.7.139".utf8) {
      return ConnectionError(
        outcome,
        "SMTP login is switched off for \(user)'s mailbox or tenant; an administrator has to allow \"Authenticated SMTP\" (Guides/Microsoft365.md#3-authenticated-smtp; \(replyText))"
      )
    }
    guard case .account = server.login else {
      let advice =
        reply.code == 534
        ? "the provider wants an app password, or a login by account" : "check user and password"
      return ConnectionError(
        outcome, "\(server.name) refuses the password of \(user): \(replyText); \(advice)")
    }
    return ConnectionError(
      outcome,
      "\(server.name) refuses the access token of \(user): \(reply.code == 334 ? challenge() : replyText); log the account in again, as that mailbox and with the scope for SMTP",
      isTokenRejected: reply.code == 334 || reply.code == 535)
  }

  /// XOAUTH2's refusal is JSON in base64; its `status` is all that tells something.
  private static func challenge(_ raw: String, _ redactor: SecretRedactor) -> String {
    let encoded = Array(raw.utf8.dropFirst(4))
    let decoded = try? Base64.decode(encoded.span, .init(padding: .ignored, dropsTrailingBits: true))
    let text = String(decoding: decoded ?? [], as: UTF8.self)
    // What base64 had covered shows only now.
    let message = redactor.redact(text).split(separator: "\"")
    guard let key = message.firstIndex(of: "status"), key + 2 < message.count else { return "334" }
    let status = message[key + 2].filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    return "status \(redactor.redact(status).prefix(40))"
  }
}
