internal import PabalCurl

/// Why no connection, or no login, came about: what it means for a mail, and what to do about it.
struct ConnectFailure: Error, Equatable {
  let outcome: Outcome
  /// What, why, what to do; for a person.
  let words: String
  /// The server refused the token itself.
  var isTokenRefused = false

  init(_ outcome: Outcome, _ words: String, isTokenRefused: Bool = false) {
    self.outcome = outcome
    self.words = words
    self.isTokenRefused = isTokenRefused
  }

  /// Reads libcurl's failure together with what the server had said by then.
  init(
    _ failure: CurlFailure, _ reader: borrowing ReplyReader, _ server: Server, _ redaction: Redaction
  ) {
    let last = reader.replies.last
    let raw = last.map { reader.text($0) } ?? ""
    let said = redaction.hide(raw)
    let detail = redaction.hide(failure.description)
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
    case .timedOut where reader.replies.isEmpty:
      self.init(
        .deferred,
        "\(name) does not answer (\(detail)); a firewall may swallow it, or \"security\" doesn't fit the port"
      )
    case .untrusted where server.missingTrust != nil, .noTrustStore where server.missingTrust != nil:
      self.init(
        .held(.transport),
        "the certificates to trust can't be read: \(server.missingTrust ?? "") is missing; correct it, or leave it out for the system's"
      )
    case .untrusted:
      self.init(.held(.transport), Self.distrust(failure, server))
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
    case .noTLS where last?.isRefusal == true:
      self.init(
        last.map { Judgement.outcome(of: $0, at: .tls) } ?? .deferred,
        "\(name) refuses STARTTLS: \(said)")
    case .noTLS:
      self.init(
        .held(.transport),
        "\(name) offers no STARTTLS, and nothing is sent in the clear; for port 465 set \"security\" to \"tls\""
      )
    case .loginDenied:
      self = Self.refusedLogin(last, said, server) { Self.challenge(raw, redaction) }
    case .strangeReply where last?.isRefusal == true:
      self.init(
        last.map { Judgement.outcome(of: $0, at: .greeting) } ?? .deferred, "\(name) turns us away: \(said)")
    case .stopped where reader.replies.isEmpty, .strangeReply where reader.replies.count <= 1:
      self.init(
        .deferred,
        "\(name) does not speak SMTP; check \"host\" and \"port\"\(said.isEmpty ? "" : " (\(said))")")
    case .malformed:
      self.init(.held(.transport), "\"host\", \"port\" or \"ehlo\" make no address (\(detail))")
    default:
      let words = said.isEmpty ? "" : "; its last words: \(said)"
      let outcome =
        last.flatMap { $0.isRefusal ? Judgement.outcome(of: $0, at: .greeting) : nil } ?? .deferred
      self.init(outcome, "the connection to \(name) broke off (\(detail))\(words)")
    }
  }

  private static func distrust(_ failure: CurlFailure, _ server: Server) -> String {
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

  private static func refusedLogin(
    _ reply: Reply?, _ said: String, _ server: Server, challenge: () -> String
  ) -> ConnectFailure {
    guard let reply, reply.code == 334 || reply.isRefusal else {
      return ConnectFailure(
        .held(.transport),
        "\(server.name) offers no login by \(server.login.mechanisms); choose another \"mechanism\" or check the port"
      )
    }
    let outcome = Judgement.outcome(of: reply, at: .login)
    let who = server.login.user ?? ""
    if outcome == .deferred {
      return ConnectFailure(outcome, "\(server.name) puts the login of \(who) off: \(said)")
    }
    // Microsoft 365: XOAUTH2 and passwords alike.
    if reply.enhanced == EnhancedCode("5.7.139".utf8) {
      return ConnectFailure(
        outcome,
        "SMTP login is switched off for \(who)'s mailbox or tenant; an administrator has to allow \"Authenticated SMTP\" (Guides/Microsoft365.md#3-authenticated-smtp; \(said))"
      )
    }
    guard case .account = server.login else {
      let advice =
        reply.code == 534
        ? "the provider wants an app password, or a login by account" : "check user and password"
      return ConnectFailure(outcome, "\(server.name) refuses the password of \(who): \(said); \(advice)")
    }
    return ConnectFailure(
      outcome,
      "\(server.name) refuses the access token of \(who): \(reply.code == 334 ? challenge() : said); log the account in again, as that mailbox and with the scope for SMTP",
      isTokenRefused: reply.code == 334 || reply.code == 535)
  }

  /// XOAUTH2's refusal is JSON in base64; its `status` is all that tells something.
  private static func challenge(_ raw: String, _ redaction: Redaction) -> String {
    let text = Base64.decode(raw.utf8.dropFirst(4)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    // What base64 had covered shows only now.
    let words = redaction.hide(text).split(separator: "\"")
    guard let key = words.firstIndex(of: "status"), key + 2 < words.count else { return "334" }
    let status = words[key + 2].filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    return "status \(redaction.hide(status).prefix(40))"
  }
}
