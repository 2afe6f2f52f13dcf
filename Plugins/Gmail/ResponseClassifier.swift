internal import PabalCurl
internal import PabalFormats
internal import PabalPlugin

/// From answer to outcome: the one table, by reason first and by status where no reason is known.
enum ResponseClassifier {
  /// What a refusal comes down to.
  enum Kind {
    /// This mail will never be taken.
    case rejected
    /// Not now; the next attempt may succeed.
    case deferred
    /// The account or the set-up has to be mended.
    case held
    /// This mail is none for this API.
    case unsuited
    /// It may have been sent.
    case unknown
  }

  /// One row: a refusal with this status, reason or both, or words, comes down to `kind`; `advice` for a person.
  struct Row {
    let statuses: ClosedRange<Int>
    let reasons: Set<String>?
    let message: String?
    let kind: Kind
    let advice: String

    init(
      _ statuses: ClosedRange<Int>, reasons: Set<String>? = nil, message: String? = nil, _ kind: Kind,
      _ advice: String = ""
    ) {
      self.statuses = statuses
      self.reasons = reasons
      self.message = message
      self.kind = kind
      self.advice = advice
    }
  }

  private static let anyStatus = 300...599

  /// The row that comes before every reason: Gmail says it with more than one.
  private static let noMailbox = Row(
    400...400, message: "Mail service not enabled", .held,
    "the account has no Gmail mailbox; let the administrator switch Gmail on, or take another account")

  /// The rows in the order in which they are tried, for each of a refusal's reasons in turn.
  static let byReason: [Row] = [
    // status   reason                                              words            kind
    Row(
      anyStatus,
      reasons: ["rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"],
      message: "(Mail sending)", .held,
      "the mailbox has reached its sending limit for a day, which counts for the web and SMTP too"),
    Row(
      anyStatus,
      reasons: ["rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"],
      .deferred),
    Row(
      anyStatus, reasons: ["dailyLimitExceeded", "quotaExceeded"], .held,
      "the Google Cloud project has used its quota up; raise it in the console, or wait until it is renewed"),
    Row(
      anyStatus, reasons: ["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"], .held,
      "the account was not given the scope gmail.send; log it in again and allow sending"),
    Row(
      anyStatus, reasons: ["accessNotConfigured", "SERVICE_DISABLED"], .held,
      "the Gmail API is off in the Google Cloud project; switch it on there (Guides/Google.md#4-gmail-api), and wait a few minutes"
    ),
    Row(
      anyStatus, reasons: ["domainPolicy"], .held,
      "the administrator of the Workspace domain blocks this app; ask for it to be allowed"),
    Row(
      anyStatus, reasons: ["authError", "UNAUTHENTICATED", "invalid_token"], .held,
      "the token is refused, a new one too; log the account in again"),
    Row(anyStatus, reasons: ["uploadTooLarge"], .unsuited),
    Row(
      400...400, reasons: ["failedPrecondition", "FAILED_PRECONDITION"], .held,
      "Gmail can't send for this account: it has no mailbox, is suspended, or is a service account without a user"
    ),
    Row(
      400...400, reasons: ["badRequest", "invalidArgument", "invalid", "required", "INVALID_ARGUMENT"],
      .rejected),
    Row(500...599, reasons: ["backendError"], .unknown),
  ]

  /// The rows where no reason is given, or none that is known.
  static let byStatus: [Row] = [
    Row(300...399, .held, "check \"endpoint\": it answers with a redirection"),
    Row(401...401, .held, "the token is refused, a new one too; log the account in again"),
    Row(403...403, .held, "the account may not use the API"),
    Row(404...405, .held, "check \"endpoint\": the API isn't there"),
    Row(408...408, .deferred),
    Row(413...413, .unsuited),
    Row(429...429, message: "(Mail sending)", .held, "the mailbox has reached its sending limit for a day"),
    Row(429...429, .deferred),
    Row(400...499, .held, "check \"endpoint\": this is no answer of Gmail's"),
    Row(500...599, .unknown),
  ]

  /// The row that decides.
  static func row(for errorResponse: GmailErrorResponse) -> Row? {
    if matches(noMailbox, errorResponse) { return noMailbox }
    for reason in errorResponse.reasons {
      let row = byReason.first { matches($0, errorResponse) && $0.reasons?.contains(reason) == true }
      if let row { return row }
    }
    if errorResponse.status == 400, errorResponse.isGoogle { return Row(400...400, .rejected) }
    return byStatus.first { matches($0, errorResponse) }
  }

  private static func matches(_ row: Row, _ errorResponse: GmailErrorResponse) -> Bool {
    row.statuses.contains(errorResponse.status)
      && row.message.map { errorResponse.message.contains($0) } ?? true
  }

  /// How an attempt to send ended.
  static func sendResult(
    of exchange: HTTPExchange, _ mail: GmailMessage, _ upload: UploadBody, _ api: GmailAPI, now: Int
  ) -> SendResult {
    guard let status = exchange.status else { return NetworkErrorClassifier.sendResult(of: exchange, api) }
    if (200...299).contains(status) { return success(exchange, upload, api) }
    let errorResponse = GmailErrorResponse(status: status, body: exchange.body)
    let wait = [RetryTime.seconds(in: errorResponse.message, now: now) ?? 0, exchange.retryAfter].max() ?? 0
    let row = row(for: errorResponse)
    let message = message(errorResponse, advice: row?.advice ?? "")
    // Its reason has been lost; it was refused all the same.
    if exchange.failure != nil, status < 500, errorResponse.reasons.isEmpty {
      return SendResult(.deferred(retryAfter: Int64(wait)), message)
    }
    switch row?.kind {
    case .rejected where mail.mayExceedGmailLimits:
      return SendResult(.unsuited, message)
    case .rejected: return SendResult(.rejected, message)
    case .deferred: return SendResult(.deferred(retryAfter: Int64(wait)), message)
    case .held: return SendResult(.held(.transport, retryAfter: Int64(wait)), message)
    case .unsuited: return SendResult(.unsuited, message)
    case .unknown, nil:
      return SendResult(exchange.isFullySent ? .unknown : .deferred(retryAfter: Int64(wait)), message)
    }
  }

  private static func success(_ exchange: HTTPExchange, _ upload: UploadBody, _ api: GmailAPI) -> SendResult {
    guard exchange.isFullySent else {
      return SendResult(
        .deferred(),
        "\(api.endpoint.authority) answers \(exchange.status ?? 0) before it can have read the mail; is \"endpoint\" Gmail's?"
      )
    }
    // A text that broke off is no JSON; framing that contradicts itself may have made one up.
    if exchange.failure != .invalidResponse, let id = JSONValue(answer: exchange.body)?["id"]?.string,
      !id.isEmpty
    {
      let note =
        upload.fromDiffersFromSender ? "; bounces go to the account, the API takes no other sender" : ""
      return SendResult(.sent, "200 accepted as \(id)\(note)", id: id)
    }
    if let failure = exchange.failure {
      return SendResult(
        .unknown,
        "\(exchange.status ?? 0), but the answer is not whole: \(NetworkErrorClassifier.message(failure, api))"
      )
    }
    return SendResult(
      .unknown,
      "\(api.endpoint.authority) answers \(exchange.status ?? 0) without an id of the mail; is \"endpoint\" Gmail's?"
    )
  }

  /// Google's words and ours, on one line.
  static func message(_ errorResponse: GmailErrorResponse, advice: String) -> String {
    let reason = errorResponse.reasons.first.map { " \($0)" } ?? ""
    let message = errorResponse.message.isEmpty ? "" : ": \(errorResponse.message)"
    return "\(errorResponse.status)\(reason)\(message)\(advice.isEmpty ? "" : "; \(advice)")"
  }
}

extension GmailMessage {
  /// Whether a refusal may be Gmail's limit, not the mail's fault: then another transport may carry it.
  ///
  /// Nobody says whether the API takes addresses beyond ASCII (RFC 6532), or more than 100 recipients.
  fileprivate var mayExceedGmailLimits: Bool { needsSMTPUTF8 || recipients.count > 100 }
}

/// What an answer that isn't 200 says, in Google's envelope for errors or in none.
struct GmailErrorResponse: Equatable {
  let status: Int
  /// What may tell why, the most exact first: `errors[].reason`, then `details[].reason`, then `status`.
  var reasons: [String] = []
  /// Google's words, or of a body that is no JSON nothing.
  var message = ""
  /// Whether Google's envelope for errors was around it.
  var isGoogle = false

  init(status: Int, body: [UInt8]) {
    self.status = status
    let answer = JSONValue(answer: body)
    guard let error = answer?["error"] else { return }
    // The front end that refuses a token may answer as an OAuth server does (RFC 6749, 5.2).
    if let code = error.string {
      reasons = [code]
      message = answer?["error_description"]?.string ?? ""
      return
    }
    message = error["message"]?.string ?? ""
    if error["code"]?.number != nil, error["message"]?.string != nil { isGoogle = true }
    reasons = (error["errors"]?.elements ?? []).compactMap { $0["reason"]?.string }
    reasons += (error["details"]?.elements ?? []).compactMap { $0["reason"]?.string }
    if let status = error["status"]?.string { reasons.append(status) }
  }
}

extension JSONValue {
  /// Parses an answer of the API; `nil` if it is not JSON or has more than 32 levels.
  fileprivate init?(answer bytes: [UInt8]) {
    guard let value = try? JSONParser(maxDepth: 32, skipsByteOrderMark: false).parse(bytes.span) else {
      return nil
    }
    self = value
  }

  /// The value of a key, the first if it is written more than once.
  fileprivate subscript(key: String) -> JSONValue? { member(key, ifRepeated: .first) }
}

/// What the answer to a question for the mailbox's profile says of the account.
enum ProfileClassifier {
  static func sendResult(of exchange: HTTPExchange, _ api: GmailAPI, user: String?, now: Int) -> SendResult {
    let name = api.endpoint.authority
    guard let status = exchange.status else {
      // Nothing was to be handed over.
      var exchange = exchange
      exchange.isFullySent = false
      return NetworkErrorClassifier.sendResult(of: exchange, api)
    }
    if status == 200 {
      guard let address = JSONValue(answer: exchange.body)?["emailAddress"]?.string, !address.isEmpty else {
        return SendResult(.held(.transport), "\(name) answers without a mailbox; is \"endpoint\" Gmail's?")
      }
      // An alias is the same mailbox by another name, so it is for a person to judge.
      let others = user.map { $0.lowercased() != address.lowercased() } ?? false
      let note =
        others ? ", though \"user\" of its account is \(user ?? ""): log that one in, or mend \"user\"" : ""
      return SendResult(.ready, "reached \(name), sends as \(address)\(note)")
    }
    let errorResponse = GmailErrorResponse(status: status, body: exchange.body)
    // gmail.send alone opens no question at all, and it is all that sending needs.
    let insufficientScope: Set = ["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"]
    if status == 403, !insufficientScope.isDisjoint(with: errorResponse.reasons) {
      return SendResult(
        .ready, "reached \(name), the token is accepted; its scope does not show whose mailbox it is")
    }
    let row = ResponseClassifier.row(for: errorResponse)
    let message = ResponseClassifier.message(errorResponse, advice: row?.advice ?? "")
    let wait = [RetryTime.seconds(in: errorResponse.message, now: now) ?? 0, exchange.retryAfter].max() ?? 0
    switch row?.kind {
    case .held: return SendResult(.held(.transport, retryAfter: Int64(wait)), message)
    case .rejected, .unsuited:
      return SendResult(.held(.transport), "\(message); is \"endpoint\" Gmail's?")
    case .deferred, .unknown, nil: return SendResult(.deferred(retryAfter: Int64(wait)), message)
    }
  }
}

/// What a request without an answer means, and what to do about it.
enum NetworkErrorClassifier {
  static func sendResult(of exchange: HTTPExchange, _ api: GmailAPI) -> SendResult {
    let name = api.endpoint.authority
    let failure: CurlError
    switch exchange.failure {
    case .notConnected(let reason): failure = reason
    case .some(let reason):
      let cause = message(reason, api)
      return exchange.isFullySent
        ? SendResult(.unknown, "the mail was handed over, and then \(cause)")
        : SendResult(.deferred(), "before the mail was through, \(cause)")
    case nil: return SendResult(exchange.isFullySent ? .unknown : .deferred(), "\(name) gave no answer")
    }
    switch failure.code {
    case .unresolved:
      return SendResult(
        .deferred(),
        "\(name) has no address; does this machine resolve names, and is \"endpoint\" spelt right?")
    case .unreachable:
      return SendResult(
        .deferred(),
        "nothing answers at \(name) (\(failure)); check \"endpoint\", and that no firewall stands between")
    case .timedOut:
      return SendResult(.deferred(), "\(name) is silent (\(failure)); a firewall may stand between")
    case .untrusted:
      return SendResult(.held(.transport), certificateMessage(failure, name))
    case .noTrustStore:
      return SendResult(
        .held(.transport),
        "the certificates to trust can't be read (\(failure)); check \"ca_file\" and \"ca_directory\", or install ca-certificates"
      )
    case .handshake:
      return SendResult(
        .deferred(), "TLS with \(name) failed (\(failure)); is \"endpoint\" a server that speaks https?")
    case .malformed:
      return SendResult(.held(.transport), "\"endpoint\" makes no URL (\(failure))")
    default:
      return SendResult(.deferred(), "there is no connection to \(name) (\(failure))")
    }
  }

  /// What happened to a connection.
  static func message(_ failure: HTTPExchangeError, _ api: GmailAPI) -> String {
    let name = api.endpoint.authority
    return switch failure {
    case .notConnected(let reason): "there was no connection to \(name) (\(reason))"
    case .connectionLost(let detail): "the connection to \(name) broke (\(detail))"
    case .idleTimeout: "\(name) was silent for \(api.timeout) ms"
    case .responseTimeout: "\(name) did not bring its answer to an end within \(api.timeout) ms"
    case .invalidResponse: "\(name) answered with something that is no HTTP"
    }
  }

  static func certificateMessage(_ failure: CurlError, _ name: String) -> String {
    // OpenSSL's X509_V_ERR_…: 62 another name, 10 expired, 9 not yet valid. libcurl compares names itself, and
    // then tells it in words only.
    switch failure.certificate {
    case 62,
      _ where failure.code == .untrusted && failure.detail.contains("subject name"):
      "\(name) shows a certificate for another name (\(failure)); \"endpoint\" must have the name in it"
    case 9, 10:
      "the certificate of \(name) is out of date (\(failure)); it has to be renewed, or this machine's clock is wrong"
    default:
      "the certificate of \(name) is not to be trusted (\(failure)); if it is your own authority, name it in \"ca_file\""
    }
  }
}
