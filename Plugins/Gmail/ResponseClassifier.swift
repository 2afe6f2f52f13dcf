internal import PabalFormats
internal import PabalPlugin
internal import PabalREST

/// The table from responses to outcomes: by Google's reason, or by status if no reason is known.
enum ResponseClassifier {
  /// What a refusal means.
  enum Kind {
    /// Gmail will never accept this mail.
    case rejected
    /// Another attempt may succeed.
    case deferred
    /// The account or its set-up must be corrected.
    case held
    /// The API can't carry this mail.
    case unsuited
    /// The mail may have been sent.
    case unknown
  }

  /// One row: a refusal with one of these statuses and, if given, reasons and text in its message.
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

  /// Tried before all reasons, because Gmail reports it with several of them.
  private static let noMailbox = Row(
    400...400, message: "Mail service not enabled", .held,
    "the account has no Gmail mailbox; ask the administrator to switch Gmail on, or use another account")

  /// The rows by reason, in the order in which they are tried for each of a refusal's reasons.
  static let byReason: [Row] = [
    // status   reason                                              message          kind
    Row(
      anyStatus,
      reasons: ["rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"],
      message: "(Mail sending)", .held,
      "the mailbox has reached its daily sending limit, which includes the web and SMTP; wait, or use another transport"
    ),
    Row(
      anyStatus,
      reasons: ["rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"],
      .deferred),
    Row(
      anyStatus, reasons: ["dailyLimitExceeded", "quotaExceeded"], .held,
      "the Google Cloud project has used up its quota; raise it in the console, or wait until it is renewed"),
    Row(
      anyStatus, reasons: ["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"], .held,
      "the account lacks the scope gmail.send; log it in again and allow sending"),
    Row(
      anyStatus, reasons: ["accessNotConfigured", "SERVICE_DISABLED"], .held,
      "the Gmail API is off in the Google Cloud project; switch it on there (Guides/Google.md#4-gmail-api) and wait a few minutes"
    ),
    Row(
      anyStatus, reasons: ["domainPolicy"], .held,
      "the administrator of the Workspace domain blocks this app; ask the administrator to allow it"),
    Row(
      anyStatus, reasons: ["authError", "UNAUTHENTICATED", "invalid_token"], .held,
      "a renewed token was rejected too; log the account in again"),
    Row(anyStatus, reasons: ["uploadTooLarge"], .unsuited),
    Row(
      400...400, reasons: ["failedPrecondition", "FAILED_PRECONDITION"], .held,
      "Gmail can't send for this account: it has no mailbox, is suspended, or is a service account without \"user\"; check it, or use another account"
    ),
    Row(
      400...400, reasons: ["badRequest", "invalidArgument", "invalid", "required", "INVALID_ARGUMENT"],
      .rejected),
    Row(500...599, reasons: ["backendError"], .unknown),
  ]

  /// The rows by status, for refusals without a known reason.
  static let byStatus: [Row] = [
    Row(300...399, .held, "check \"endpoint\", which redirects"),
    Row(401...401, .held, "a renewed token was rejected too; log the account in again"),
    Row(403...403, .held, "the account may not use the API; check its permissions, or use another account"),
    Row(404...405, .held, "check \"endpoint\", where the API wasn't found"),
    Row(408...408, .deferred),
    // The request wasn't processed (RFC 9110, 15.5.20; RFC 8470, 5.2).
    Row(421...421, .deferred),
    Row(425...425, .deferred),
    Row(413...413, .unsuited),
    Row(
      429...429, message: "(Mail sending)", .held,
      "the mailbox has reached its daily sending limit; wait, or use another transport"),
    Row(429...429, .deferred),
    Row(400...499, .held, "check \"endpoint\", because the response isn't from Gmail"),
    Row(500...599, .unknown),
  ]

  /// Returns the row that decides.
  static func row(for errorResponse: GmailErrorResponse) -> Row? {
    if matches(noMailbox, errorResponse) { return noMailbox }
    for reason in errorResponse.reasons {
      let row = byReason.first { matches($0, errorResponse) && $0.reasons?.contains(reason) == true }
      if let row { return row }
    }
    if errorResponse.status == 403, errorResponse.isForeign {
      return Row(
        403...403, .held, "check \"endpoint\" and \"proxy\", because the response isn't from Gmail's API")
    }
    if errorResponse.status == 400, errorResponse.isGoogle { return Row(400...400, .rejected) }
    return byStatus.first { matches($0, errorResponse) }
  }

  private static func matches(_ row: Row, _ errorResponse: GmailErrorResponse) -> Bool {
    row.statuses.contains(errorResponse.status)
      && row.message.map { errorResponse.message.contains($0) } ?? true
  }

  /// Returns the result of an attempt to send.
  static func sendResult(
    of exchange: HTTPExchange, _ mail: RESTMail, _ upload: ReconciledMail, _ server: RESTServer, now: Int
  ) -> SendResult {
    guard let status = exchange.status else { return NetworkErrorClassifier.sendResult(of: exchange, server) }
    if (200...299).contains(status) { return success(exchange, upload, server) }
    let errorResponse = GmailErrorResponse(status: status, body: exchange.body)
    let wait = errorResponse.wait(exchange, now: now)
    let row = row(for: errorResponse)
    let message = message(errorResponse, advice: row?.advice ?? "")
    // The reason is missing because the response is incomplete, but the mail was refused.
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

  private static func success(_ exchange: HTTPExchange, _ upload: ReconciledMail, _ server: RESTServer)
    -> SendResult
  {
    guard exchange.isFullySent else {
      return SendResult(
        .deferred(),
        "\(server.endpoint.authority) answered \(exchange.status ?? 0) before the mail was sent completely; check that \"endpoint\" is Gmail's API"
      )
    }
    // An incomplete body isn't valid JSON, but one with contradictory framing may be valid by accident.
    if exchange.failure != .invalidResponse, let id = JSONValue(answer: exchange.body)?["id"]?.string,
      !id.isEmpty
    {
      let note =
        upload.fromDiffersFromSender ? "; bounces go to the account, because the API has no other sender" : ""
      return SendResult(.sent, "200 accepted as \(id)\(note)", id: id)
    }
    if let failure = exchange.failure {
      return SendResult(
        .unknown,
        "\(exchange.status ?? 0), but the response is incomplete: \(NetworkErrorClassifier.message(failure, server))"
      )
    }
    return SendResult(
      .unknown,
      "\(server.endpoint.authority) answered \(exchange.status ?? 0) without the mail's id; check that \"endpoint\" is Gmail's API"
    )
  }

  /// Returns Google's status, reason and message, and our advice, on one line.
  static func message(_ errorResponse: GmailErrorResponse, advice: String) -> String {
    let reason = errorResponse.reasons.first.map { " \($0)" } ?? ""
    let message = errorResponse.message.isEmpty ? "" : ": \(errorResponse.message)"
    return "\(errorResponse.status)\(reason)\(message)\(advice.isEmpty ? "" : "; \(advice)")"
  }
}

extension RESTMail {
  /// Whether a refusal may be due to a limit of Gmail, so that another transport may carry the mail.
  ///
  /// It isn't documented whether the API accepts non-ASCII addresses (RFC 6532) or more than 100 recipients.
  fileprivate var mayExceedGmailLimits: Bool { needsSMTPUTF8 || recipients.count > 100 }
}

/// The content of a response other than 2xx, in Google's error format or another.
struct GmailErrorResponse: Equatable {
  let status: Int
  /// The possible reasons, the most specific first: `errors[].reason`, `details[].reason`, `status`.
  var reasons: [String] = []
  /// Google's message, or the text of a body that isn't JSON.
  var message = ""
  /// Whether there is a body that isn't JSON, as front ends and proxies send it.
  var isForeign = false
  /// The seconds before which Google says that a retry is useless (`google.rpc.RetryInfo`).
  var retryDelay = 0
  /// Whether the body has Google's error format.
  var isGoogle = false

  init(status: Int, body: [UInt8]) {
    self.status = status
    let answer = JSONValue(answer: body)
    guard let error = answer?["error"] else {
      if answer == nil {
        message = ResponseText.excerpt(body)
        isForeign = !body.isEmpty
      }
      return
    }
    // The front end that refuses a token may use OAuth's error format (RFC 6749, 5.2).
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
    for detail in error["details"]?.elements ?? [] {
      guard let delay = detail["retryDelay"]?.string, delay.hasSuffix("s"),
        let seconds = Double(delay.dropLast()),
        seconds > 0, seconds < Double(RetryTime.maxWait)
      else { continue }
      retryDelay = max(retryDelay, Int(seconds.rounded(.up)))
    }
  }

  /// Returns the longest wait in seconds that the response asks for, in its text, its details or its header.
  func wait(_ exchange: HTTPExchange, now: Int) -> Int {
    max(RetryTime.seconds(in: message, now: now) ?? 0, retryDelay, exchange.retryAfter.wait(from: now))
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

/// The table for responses to a request for the mailbox's profile.
enum ProfileClassifier {
  static func sendResult(of exchange: HTTPExchange, _ server: RESTServer, user: String?, now: Int)
    -> SendResult
  {
    let name = server.endpoint.authority
    guard let status = exchange.status else {
      // Without a mail, nothing can be unknown.
      var exchange = exchange
      exchange.isFullySent = false
      return NetworkErrorClassifier.sendResult(of: exchange, server)
    }
    if status == 200 {
      guard let address = JSONValue(answer: exchange.body)?["emailAddress"]?.string, !address.isEmpty else {
        return SendResult(
          .held(.transport), "\(name) answered without a mailbox; check that \"endpoint\" is Gmail's API")
      }
      // Only a note, because the other address may be an alias of the mailbox.
      let others = user.map { $0.lowercased() != address.lowercased() } ?? false
      let note =
        others
        ? ", although \"user\" of its account is \(user ?? ""); log in that one, or correct \"user\"" : ""
      return SendResult(.ready, "reached \(name), sends as \(address)\(note)")
    }
    let errorResponse = GmailErrorResponse(status: status, body: exchange.body)
    // The scope gmail.send, which is enough for sending, doesn't allow reading the profile.
    let insufficientScope: Set = ["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"]
    if status == 403, !insufficientScope.isDisjoint(with: errorResponse.reasons) {
      return SendResult(
        .ready,
        "reached \(name), the token is accepted; its scope doesn't allow reading the mailbox's address")
    }
    let row = ResponseClassifier.row(for: errorResponse)
    let message = ResponseClassifier.message(errorResponse, advice: row?.advice ?? "")
    let wait = errorResponse.wait(exchange, now: now)
    switch row?.kind {
    case .held: return SendResult(.held(.transport, retryAfter: Int64(wait)), message)
    case .rejected, .unsuited:
      return SendResult(.held(.transport), "\(message); check that \"endpoint\" is Gmail's API")
    case .deferred, .unknown, nil: return SendResult(.deferred(retryAfter: Int64(wait)), message)
    }
  }
}
