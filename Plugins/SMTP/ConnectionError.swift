internal import PabalCurl
internal import PabalFormats

/// Why connecting or logging in failed: the outcome for a mail, and a message with the remedy.
struct ConnectionError: Error, Equatable {
  let outcome: SMTPOutcome
  /// What is wrong and what to do.
  let message: String
  /// Whether the server refused the access token itself, so that a renewed one may help.
  var isTokenRejected = false

  init(_ outcome: SMTPOutcome, _ message: String, isTokenRejected: Bool = false) {
    self.outcome = outcome
    self.message = message
    self.isTokenRejected = isTokenRejected
  }

  /// The meaning of libcurl's error, together with the replies of the server until then.
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
        "\(server.host) has no address; check the spelling of \"host\", and that this machine can resolve names"
      )
    case .unreachable:
      self.init(
        .deferred,
        "\(name) doesn't accept connections (\(detail)); check \"host\" and \"port\", and that no firewall is in between"
      )
    case .timedOut where parser.replies.isEmpty:
      self.init(
        .deferred,
        "\(name) doesn't answer (\(detail)); check for a firewall, and that \"security\" matches the port"
      )
    case .untrusted where server.missingTrustFile != nil, .noTrustStore where server.missingTrustFile != nil:
      self.init(
        .held(.transport),
        "the trusted certificates can't be read: \(server.missingTrustFile ?? "") is missing; correct it, or remove it to use the system's"
      )
    case .untrusted:
      self.init(.held(.transport), Self.certificateMessage(failure, server))
    case .noTrustStore:
      self.init(
        .held(.transport),
        "the trusted certificates can't be read (\(detail)); check \"ca_file\" and \"ca_directory\", or install ca-certificates"
      )
    case .handshake where server.security == .tls:
      self.init(
        .deferred,
        "\(name) doesn't start with TLS (\(detail)); for port 587 set \"security\" to \"starttls\""
      )
    case .handshake:
      self.init(.deferred, "TLS with \(name) failed (\(detail))")
    case .tlsUnavailable where last?.isRefusal == true:
      self.init(
        last.map { ReplyClassifier.outcome(of: $0, at: .tls) } ?? .deferred,
        "\(name) rejected STARTTLS: \(replyText)")
    case .tlsUnavailable:
      self.init(
        .held(.transport),
        "\(name) offers no STARTTLS, and mail isn't sent unencrypted; for port 465 set \"security\" to \"tls\""
      )
    case .loginDenied:
      self = Self.loginError(last, replyText, server) { Self.challenge(raw, redactor) }
    case .unexpectedReply where last?.isRefusal == true:
      self.init(
        last.map { ReplyClassifier.outcome(of: $0, at: .greeting) } ?? .deferred,
        "\(name) rejected the connection: \(replyText)")
    case .abortedByCallback where parser.replies.isEmpty, .unexpectedReply where parser.replies.count <= 1:
      self.init(
        .deferred,
        "\(name) doesn't speak SMTP\(replyText.isEmpty ? "" : " (\(replyText))"); check \"host\" and \"port\""
      )
    case .malformed:
      self.init(
        .held(.transport), "\"host\", \"port\" and \"ehlo\" don't make a valid URL (\(detail)); correct them")
    default:
      let message = replyText.isEmpty ? "" : "; its last reply: \(replyText)"
      let outcome =
        last.flatMap { $0.isRefusal ? ReplyClassifier.outcome(of: $0, at: .greeting) : nil } ?? .deferred
      self.init(outcome, "the connection to \(name) was lost (\(detail))\(message)")
    }
  }

  private static func certificateMessage(_ failure: CurlError, _ server: SMTPServer) -> String {
    // OpenSSL's X509_V_ERR_…: 9 not yet valid, 10 expired, 62 and 64 another name or address; most others mean that
    // the certificate doesn't lead to a trusted authority.
    switch failure.certificate {
    case _ where failure.detail.contains("target host name"), 62, 64:
      return
        "\(server.name) has a certificate for another name (\(failure.detail)); set \"host\" to the name in it"
    case 9, 10:
      return
        "the certificate of \(server.name) has expired or isn't valid yet (\(failure.detail)); renew it on the server, or correct this machine's clock"
    default:
      return
        "the certificate of \(server.name) isn't trusted (\(failure.detail)); if the authority is your own, set \"ca_file\" to its certificate"
    }
  }

  private static func loginError(
    _ reply: Reply?, _ replyText: String, _ server: SMTPServer, challenge: () -> String
  ) -> ConnectionError {
    guard let reply, reply.code == 334 || reply.isRefusal else {
      return ConnectionError(
        .held(.transport),
        "\(server.name) doesn't offer \(server.login.mechanisms); choose another \"mechanism\", or check the port"
      )
    }
    let outcome = ReplyClassifier.outcome(of: reply, at: .login)
    let user = server.login.user ?? ""
    if outcome == .deferred {
      return ConnectionError(outcome, "\(server.name) can't log \(user) in now: \(replyText)")
    }
    // Microsoft 365, for XOAUTH2 and for passwords.
    if reply.enhanced == EnhancedCode("5.7.139".utf8) {
      return ConnectionError(
        outcome,
        "SMTP login is switched off for the mailbox or the tenant of \(user) (\(replyText)); ask an administrator to allow \"Authenticated SMTP\" (Guides/Microsoft365.md#3-authenticated-smtp)"
      )
    }
    guard case .account = server.login else {
      let advice =
        reply.code == 534
        ? "use an app password, or log in with \"account\"" : "check \"user\" and \"password\""
      return ConnectionError(
        outcome, "\(server.name) rejected the password of \(user): \(replyText); \(advice)")
    }
    return ConnectionError(
      outcome,
      "\(server.name) rejected the access token of \(user): \(reply.code == 334 ? challenge() : replyText); log the account in again, as that mailbox and with the scope for SMTP",
      isTokenRejected: reply.code == 334 || reply.code == 535)
  }

  /// Returns the `status` of XOAUTH2's error, which is JSON in base64; `schemes` and `scope` don't say what is wrong.
  private static func challenge(_ raw: String, _ redactor: SecretRedactor) -> String {
    let encoded = Array(raw.utf8.dropFirst(4))
    let decoded = try? Base64.decode(encoded.span, .init(padding: .ignored, dropsTrailingBits: true))
    let text = String(decoding: decoded ?? [], as: UTF8.self)
    // A token inside the base64 becomes visible only now.
    let pieces = redactor.redact(text).split(separator: "\"")
    guard let key = pieces.firstIndex(of: "status"), key + 2 < pieces.count else { return "334" }
    let status = pieces[key + 2].filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    return "status \(redactor.redact(status).prefix(40))"
  }
}
