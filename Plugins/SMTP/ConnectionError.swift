internal import PabalCurl
internal import PabalFormats

/// Why connecting or logging in failed: the outcome for a mail, and a message with the remedy.
struct ConnectionError: Error, Equatable {
  let outcome: SMTPOutcome
  /// What is wrong and what to do.
  let message: String
  /// The server's words if it refused the access token itself, so that a renewed one may help.
  var tokenRejection: String?

  init(_ outcome: SMTPOutcome, _ message: String, tokenRejection: String? = nil) {
    self.outcome = outcome
    self.message = message
    self.tokenRejection = tokenRejection
  }

  /// The meaning of libcurl's error while connecting or adding TLS.
  init(_ failure: CurlError, _ server: SMTPServer, _ redactor: SecretRedactor) {
    if let proxyFailure = server.curlProxy?.failure(failure, connectingTo: server.name) {
      self.init(
        proxyFailure.needsChange ? .held(.transport) : .deferred, redactor.redact(proxyFailure.message))
      return
    }
    self = Self.directError(failure, server, redactor.redact(failure.description))
    if server.curlProxy == nil, [.unresolved, .unreachable, .timedOut].contains(failure.code),
      let hint = ProxyEnvironment.hint(connectingTo: server.host, setting: "\"proxy\"")
    {
      self.init(outcome, "\(message); \(hint)")
    }
  }

  private static func directError(
    _ failure: CurlError, _ server: SMTPServer, _ detail: String
  ) -> ConnectionError {
    let name = server.name
    switch failure.code {
    case .unresolved:
      return ConnectionError(
        .deferred,
        "\(server.host) has no address; check the spelling of \"host\", and that this machine can resolve names"
      )
    case .unreachable:
      return ConnectionError(
        .deferred,
        "\(name) doesn't accept connections (\(detail)); check \"host\" and \"port\", and that no firewall is in between"
      )
    case .timedOut:
      return ConnectionError(
        .deferred,
        "\(name) doesn't answer (\(detail)); check for a firewall, and that \"security\" matches the port"
      )
    case .untrusted where server.missingTrustFile != nil, .noTrustStore where server.missingTrustFile != nil:
      return ConnectionError(
        .held(.transport),
        "the trusted certificates can't be read: \(server.missingTrustFile ?? "") is missing; correct it, or remove it to use the system's"
      )
    case .untrusted:
      return ConnectionError(.held(.transport), Self.certificateMessage(failure, server))
    case .noTrustStore:
      return ConnectionError(
        .held(.transport),
        "the trusted certificates can't be read (\(detail)); check \"ca_file\" and \"ca_directory\", or install ca-certificates"
      )
    case .handshake where Self.isOutdated(failure.detail):
      return ConnectionError(
        .held(.transport),
        "the TLS of \(name) is too old (\(detail)); TLS 1.2 with keys of today's length is needed: update the server or its settings"
      )
    case .handshake where server.security == .tls:
      return ConnectionError(
        .deferred,
        "\(name) doesn't start with TLS (\(detail)); for port 587 set \"security\" to \"starttls\""
      )
    case .handshake:
      return ConnectionError(.deferred, "TLS with \(name) failed (\(detail))")
    case .malformed:
      return ConnectionError(
        .held(.transport), "\"host\" and \"port\" don't make a valid URL (\(detail)); correct them")
    case .initialization, .unsupportedProtocol, .unknownOption:
      return ConnectionError(
        .held(.transport),
        "libcurl can't be set up: \(detail); check that the installed libcurl supports HTTPS")
    default:
      return ConnectionError(.deferred, "the connection to \(name) was lost (\(detail))")
    }
  }

  /// Whether OpenSSL's error says that the server has only versions, keys or renegotiation of the past.
  private static func isOutdated(_ detail: String) -> Bool {
    let reasons = [
      "unsupported protocol", "protocol version", "version too low", "dh key too small", "ee key too small",
      "unsafe legacy renegotiation",
    ]
    return reasons.contains { detail.contains($0) }
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

  /// The meaning of the reply to a login. `challenge` is the status of the error that preceded it, if any.
  static func login(_ reply: Reply, _ text: String, _ challenge: String?, _ server: SMTPServer)
    -> ConnectionError
  {
    let outcome = ReplyClassifier.outcome(of: reply, at: .login)
    let user = server.login.user ?? ""
    if outcome == .deferred {
      return ConnectionError(outcome, "\(server.name) can't log \(user) in now: \(text)")
    }
    // Microsoft 365, for XOAUTH2 and for passwords.
    if reply.enhanced == EnhancedCode("5.7.139".utf8) {
      return ConnectionError(
        .held(.transport),
        "SMTP login is switched off for the mailbox or the tenant of \(user) (\(text)); ask an administrator to allow \"Authenticated SMTP\" (Guides/Microsoft365.md#3-authenticated-smtp)"
      )
    }
    guard case .account = server.login else {
      let advice =
        reply.code == 534
        ? "use an app password, or log in with \"account\"" : "check \"user\" and \"password\""
      return ConnectionError(
        .held(.transport), "\(server.name) rejected the password of \(user): \(text); \(advice)")
    }
    let answer = challenge.map { reply.code == 334 ? $0 : "\(text) (\($0))" } ?? text
    return ConnectionError(
      .held(.transport),
      "\(server.name) rejected the access token of \(user): \(answer); log the account in again, as that mailbox and with the scope for SMTP",
      tokenRejection: challenge != nil || reply.code == 535 ? "\(server.name) replied \(answer)" : nil)
  }

  /// Returns the `status` of XOAUTH2's error, which is JSON in base64; `schemes` and `scope` don't say what is wrong.
  static func challengeStatus(_ raw: String, _ redactor: SecretRedactor) -> String {
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
