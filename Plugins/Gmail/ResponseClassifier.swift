internal import PabalFormats
internal import PabalPlugin
internal import PabalREST

/// The table from responses to outcomes: by Google's reason, or by status if no reason is known.
enum ResponseClassifier {
  /// Tried before all reasons, because Gmail reports it with several of them.
  private static let noMailbox = ErrorRow(
    400...400, message: "Mail service not enabled", .held,
    "the account has no Gmail mailbox; ask the administrator to switch Gmail on, or use another account")

  /// The rows by reason, in the order in which they are tried for each of a refusal's reasons.
  private static let byReason: [ErrorRow] = [
    // status   reason                                              message          kind
    ErrorRow(
      codes: ["rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"],
      message: "(Mail sending)", .held,
      "the mailbox has reached its daily sending limit, which includes the web and SMTP; wait, or use another transport"
    ),
    ErrorRow(
      codes: ["rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"],
      .deferred),
    ErrorRow(
      codes: ["dailyLimitExceeded", "quotaExceeded"], .held,
      "the Google Cloud project has used up its quota; raise it in the console, or wait until it is renewed"),
    ErrorRow(
      codes: ["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"], .held,
      "the account lacks the scope gmail.send; log it in again and allow sending"),
    ErrorRow(
      codes: ["accessNotConfigured", "SERVICE_DISABLED"], .held,
      "the Gmail API is off in the Google Cloud project; switch it on there (Guides/Google.md#4-gmail-api) and wait a few minutes"
    ),
    ErrorRow(
      codes: ["domainPolicy"], .held,
      "the administrator of the Workspace domain blocks this app; ask the administrator to allow it"),
    ErrorRow(
      codes: ["authError", "UNAUTHENTICATED", "invalid_token"], .held,
      "a renewed token was rejected too; log the account in again"),
    ErrorRow(codes: ["uploadTooLarge"], .unsuited),
    ErrorRow(
      400...400, codes: ["failedPrecondition", "FAILED_PRECONDITION"], .held,
      "Gmail can't send for this account: it has no mailbox, is suspended, or is a service account without \"user\"; check it, or use another account"
    ),
    ErrorRow(
      400...400, codes: ["badRequest", "invalidArgument", "invalid", "required", "INVALID_ARGUMENT"],
      .rejected),
    ErrorRow(500...599, codes: ["backendError"], .unknown),
  ]

  /// The rows by status, for refusals without a known reason.
  private static let byStatus: [ErrorRow] = [
    ErrorRow(300...399, .held, "check \"endpoint\", which redirects"),
    ErrorRow(401...401, .held, "a renewed token was rejected too; log the account in again"),
    ErrorRow(
      403...403, .held, "the account may not use the API; check its permissions, or use another account"),
    ErrorRow(404...405, .held, "check \"endpoint\", where the API wasn't found"),
    ErrorRow(408...408, .deferred),
    // The request wasn't processed (RFC 9110, 15.5.20; RFC 8470, 5.2).
    ErrorRow(421...421, .deferred),
    ErrorRow(425...425, .deferred),
    ErrorRow(413...413, .unsuited),
    ErrorRow(
      429...429, message: "(Mail sending)", .held,
      "the mailbox has reached its daily sending limit; wait, or use another transport"),
    ErrorRow(429...429, .deferred),
    ErrorRow(400...499, .held, "check \"endpoint\", because the response isn't from Gmail"),
    ErrorRow(500...599, .unknown),
  ]

  static let table = ErrorTable(byMessage: [noMailbox], byCode: byReason, byStatus: byStatus)

  /// Returns the row that decides.
  static func row(for error: GmailErrorResponse) -> ErrorRow? {
    if let row = table.rowByCode(error.response) { return row }
    if error.response.status == 403, error.response.isForeign {
      return ErrorRow(
        403...403, .held, "check \"endpoint\" and \"proxy\", because the response isn't from Gmail's API")
    }
    if error.response.status == 400, error.isGoogle { return ErrorRow(400...400, .rejected) }
    return table.row(error.response)
  }

  /// Returns the result of an attempt to send.
  static func sendResult(
    of exchange: HTTPExchange, _ mail: RESTMail, _ upload: ReconciledMail, _ server: RESTServer, now: Int
  ) -> SendResult {
    guard let status = exchange.status else { return NetworkErrorClassifier.sendResult(of: exchange, server) }
    if (200...299).contains(status) { return success(exchange, upload, server) }
    let error = GmailErrorResponse(status: status, body: exchange.body)
    return SendResult(
      row(for: error), error.response, of: exchange, wait: error.wait(exchange, now: now),
      mayExceedLimits: mail.mayExceedGmailLimits)
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
}

extension RESTMail {
  /// Whether a refusal may be due to a limit of Gmail, so that another transport may carry the mail.
  ///
  /// It isn't documented whether the API accepts non-ASCII addresses (RFC 6532) or more than 100 recipients.
  fileprivate var mayExceedGmailLimits: Bool { needsSMTPUTF8 || recipients.count > 100 }
}

/// The content of a response other than 2xx, in Google's error format or another.
struct GmailErrorResponse: Equatable {
  /// The status, the reasons (`errors[].reason`, `details[].reason`, `status`) and the message.
  var response: ErrorResponse
  /// The seconds before which Google says that a retry is useless (`google.rpc.RetryInfo`).
  var retryDelay = 0
  /// Whether the body has Google's error format.
  var isGoogle = false

  init(status: Int, body: [UInt8]) {
    response = ErrorResponse(status: status)
    let answer = JSONValue(answer: body)
    guard let error = answer?["error"] else {
      if answer == nil { response = ErrorResponse(status: status, foreign: body) }
      return
    }
    // The front end that refuses a token may use OAuth's error format (RFC 6749, 5.2).
    if let code = error.string {
      response.codes = [code]
      response.message = answer?["error_description"]?.string ?? ""
      return
    }
    response.message = error["message"]?.string ?? ""
    if error["code"]?.number != nil, error["message"]?.string != nil { isGoogle = true }
    response.codes = (error["errors"]?.elements ?? []).compactMap { $0["reason"]?.string }
    response.codes += (error["details"]?.elements ?? []).compactMap { $0["reason"]?.string }
    if let status = error["status"]?.string { response.codes.append(status) }
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
    max(
      RetryTime.seconds(in: response.message, now: now) ?? 0, retryDelay, exchange.retryAfter.wait(from: now))
  }
}

extension JSONValue {
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
    let error = GmailErrorResponse(status: status, body: exchange.body)
    // The scope gmail.send, which is enough for sending, doesn't allow reading the profile.
    let insufficientScope: Set = ["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"]
    if status == 403, !insufficientScope.isDisjoint(with: error.response.codes) {
      return SendResult(
        .ready,
        "reached \(name), the token is accepted; its scope doesn't allow reading the mailbox's address")
    }
    let row = ResponseClassifier.row(for: error)
    let message = error.response.text(advice: row?.advice ?? "")
    let wait = error.wait(exchange, now: now)
    switch row?.kind {
    case .held, .heldMail: return SendResult(.held(.transport, retryAfter: Int64(wait)), message)
    case .rejected, .unsuited:
      return SendResult(.held(.transport), "\(message); check that \"endpoint\" is Gmail's API")
    case .deferred, .unknown, nil: return SendResult(.deferred(retryAfter: Int64(wait)), message)
    }
  }
}
