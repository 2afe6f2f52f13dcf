internal import PabalFormats
internal import PabalPlugin
internal import PabalREST

/// The table from Graph's responses to outcomes: by code, or by status if no code is known.
///
/// Codes of learn.microsoft.com/graph/errors and of sendMail's page; those that begin with "Error" are Exchange's
/// (learn.microsoft.com/exchange/client-developer/web-service-reference/responsecode).
enum GraphResponseClassifier {
  /// Tried before all codes, because the code is only `BadRequest`.
  private static let byMessage: [ErrorRow] = [
    ErrorRow(
      400...403, message: "only valid with delegated authentication", .held,
      "the account is an app, which has no mailbox of its own; set \"mailbox\" to the one that sends"),
    // "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings."
    ErrorRow(
      400...403, message: "AccessPolicy", .held,
      "a policy of Exchange keeps the app from this mailbox; ask an Exchange administrator to add the mailbox to the policy's scope (Guides/Microsoft365.md#6-an-app-without-a-user)"
    ),
  ]

  private static let unavailable: Set<String> = [
    "MailboxStoreUnavailable", "ErrorMailboxStoreUnavailable", "ErrorMailboxMoveInProgress",
    "serviceNotAvailable", "ServiceUnavailable", "ErrorConnectionFailed", "resourceBeingProvisioned",
    "serviceReadOnly", "ErrorIrresolvableConflict",
  ]

  private static let byCode: [ErrorRow] = [
    // codes, kind, advice
    ErrorRow(
      codes: [
        "ApplicationThrottled", "TooManyRequests", "throttledRequest", "activityLimitReached",
        "ErrorServerBusy",
        "ErrorTooManyRequests", "CommandConcurrencyLimitReached", "MailboxConcurrency",
      ], .deferred),
    ErrorRow(
      codes: [
        "ErrorExceededMessageLimit", "ErrorExceededHourlyMessageLimit", "ErrorSubmissionQuotaExceeded",
        "ErrorExceededMaxRecipientLimit", "ErrorExceededMaxRecipientLimitBlock",
        "ErrorExceededMessageLimitShowTierUpgrade", "ErrorExceededMaxRecipientLimitShowTierUpgrade",
      ], .held,
      "the mailbox has reached its sending limit (10,000 recipients a day, 30 mails a minute); wait, or use another transport"
    ),
    ErrorRow(
      codes: ["ErrorQuotaExceeded", "quotaLimitReached", "ErrorMailboxFull"], .held,
      "the mailbox is full, and Graph stores a copy of each mail in it; empty its Sent Items"),
    ErrorRow(
      codes: [
        "ErrorMessageSubmissionBlocked", "ErrorAccountSuspend", "ErrorAccountSuspendShowTierUpgrade",
        "ErrorAccountSuspended",
      ], .held,
      "Microsoft has blocked sending from this mailbox; look for its restriction at security.microsoft.com/restrictedentities"
    ),
    ErrorRow(
      codes: ["ErrorSendAsDenied", "ErrorSendOnBehalfOfDenied"], .heldMail,
      "the account may not send as the address in From; grant Send As in the Exchange admin center, or correct \"from\""
    ),
    ErrorRow(
      codes: [
        "MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI", "ErrorNonExistentMailbox",
        "ErrorMissingEmailAddress", "extensionError",
      ], .held,
      "the account, or \"mailbox\" if it is set, has no mailbox in Exchange Online; assign a license with Exchange, or correct \"mailbox\""
    ),
    ErrorRow(
      codes: ["ErrorInvalidUser", "ResourceNotFound", "Request_ResourceNotFound", "itemNotFound"], .held,
      "the mailbox wasn't found; check \"mailbox\" and \"user\" of the account"),
    ErrorRow(
      codes: [
        "ErrorAccessDenied", "accessDenied", "Authorization_RequestDenied", "ErrorItemNotFoundOrAccessDenied",
        "accessRestricted",
      ], .held,
      "consent to Mail.Send (Mail.Send.Shared for \"mailbox\") is missing: add the permission and log the account in again; an app needs an administrator's consent, or a policy whose scope contains the mailbox (Guides/Microsoft365.md#2-permission)"
    ),
    ErrorRow(
      codes: ["insufficient_claims", "InteractionRequired"], .held,
      "a Conditional Access policy asks for another login; log the account in again"),
    ErrorRow(
      codes: [
        "InvalidAuthenticationToken", "unauthenticated", "AuthenticationError",
        "Authentication_MissingOrMalformed",
        "TokenNotFound", "CompactToken",
      ], .held, "a renewed token was rejected too; log the account in again"),
    ErrorRow(
      codes: [
        "ErrorMessageSizeExceeded", "RequestEntityTooLarge", "ErrorItemSizeExceeded", "maxFileSizeExceeded",
        "ErrorAttachmentSizeLimitExceeded",
      ], .unsuited),
    ErrorRow(
      codes: [
        "ErrorMimeContentInvalid", "ErrorMimeContentConversionFailed", "ErrorMimeContentInvalidBase64String",
      ],
      .unsuited),
    ErrorRow(
      codes: [
        "ErrorInvalidRecipients", "ErrorRecipientNotFound", "ErrorInvalidSmtpAddress",
        "ErrorMissingRecipients",
      ],
      .rejected),
    ErrorRow(
      codes: ["ErrorMessageBlocked", "malwareDetected", "virusSuspicious", "ErrorVirusDetected"], .rejected),
    // Of the 5xx, only 503 says that the request wasn't processed.
    ErrorRow(300...499, codes: unavailable, .deferred),
    ErrorRow(503...503, codes: unavailable, .deferred),
    ErrorRow(
      codes: ["notAllowed", "notSupported", "provisioningNotAllowed"], .held,
      "Graph doesn't allow this app to send; check the app's permissions"),
  ]

  private static let byStatus: [ErrorRow] = [
    ErrorRow(300...399, .held, "check \"endpoint\", which redirects"),
    ErrorRow(401...401, .held, "a renewed token was rejected too; log the account in again"),
    ErrorRow(402...402, .held, "the tenant lacks a license for this request"),
    ErrorRow(403...403, .held, "the account may not send; check its permissions, or use another account"),
    ErrorRow(404...405, .held, "check \"endpoint\", where Graph wasn't found, and \"mailbox\""),
    ErrorRow(408...408, .deferred),
    ErrorRow(409...409, .deferred),
    ErrorRow(413...413, .unsuited),
    // The request wasn't processed (RFC 9110, 15.5.20; RFC 8470, 5.2).
    ErrorRow(421...421, .deferred),
    ErrorRow(425...425, .deferred),
    ErrorRow(423...423, .deferred),
    ErrorRow(429...429, .deferred),
    ErrorRow(400...499, .held, "check \"endpoint\", because the response isn't one that Graph documents"),
    // Documented as "may repeat the request"; the other 5xx don't say whether the mail was sent.
    ErrorRow(503...503, .deferred),
    ErrorRow(507...507, .held, "the mailbox is full, and Graph stores a copy of each mail in it; empty it"),
    ErrorRow(509...509, .deferred),
    ErrorRow(500...599, .unknown),
  ]

  static let table = ErrorTable(byMessage: byMessage, byCode: byCode, byStatus: byStatus)

  /// Returns the result of an attempt to send.
  static func sendResult(
    of exchange: HTTPExchange, _ mail: RESTMail, _ reconciled: ReconciledMail, _ server: RESTServer,
    now: Int
  ) -> SendResult {
    guard let status = exchange.status else { return NetworkErrorClassifier.sendResult(of: exchange, server) }
    if (200...299).contains(status) { return success(exchange, reconciled, server) }
    let response = ErrorResponse(graph: exchange)
    return SendResult(
      row(response), response, of: exchange, wait: exchange.retryAfter.wait(from: now),
      // It isn't documented whether Graph accepts non-ASCII addresses (RFC 6532).
      mayExceedLimits: mail.needsSMTPUTF8)
  }

  /// The row that decides; a 400 in Graph's format refuses the mail, and another transport may carry it.
  private static func row(_ response: ErrorResponse) -> ErrorRow? {
    if let row = table.rowByCode(response) { return row }
    if response.status == 403, response.isForeign {
      return ErrorRow(
        403...403, .held, "check \"endpoint\" and \"proxy\", because the response isn't from Microsoft Graph")
    }
    if response.status == 400, !response.codes.isEmpty { return ErrorRow(400...400, .unsuited) }
    return table.row(response)
  }

  private static func success(
    _ exchange: HTTPExchange, _ mail: ReconciledMail, _ server: RESTServer
  ) -> SendResult {
    let name = server.endpoint.authority
    let status = exchange.status ?? 0
    guard exchange.isFullySent else {
      return SendResult(
        .deferred(),
        "\(name) answered \(status) before the mail was sent completely; check that \"endpoint\" is Microsoft Graph"
      )
    }
    // Graph has answered 200 to mails that it didn't send (microsoft-graph-docs #13979).
    guard status == 202, exchange.failure != .invalidResponse else {
      return SendResult(
        .unknown,
        "\(name) answered \(status) instead of 202; check that \"endpoint\" is Microsoft Graph, and look in Sent Items"
      )
    }
    let note =
      mail.fromDiffersFromSender ? "; bounces go to the mailbox, because the API has no other sender" : ""
    let request = exchange.requestID.map { ", request \($0)" } ?? ""
    return SendResult(.sent, "202 accepted\(request)\(note)", id: exchange.requestID)
  }

  /// Returns the result of the request that has no mail.
  static func checkResult(
    of exchange: HTTPExchange, _ server: RESTServer, _ api: GraphAPI, user: String, now: Int
  ) -> SendResult {
    let name = server.endpoint.authority
    guard let status = exchange.status else {
      // Without a mail, nothing can be unknown.
      var exchange = exchange
      exchange.isFullySent = false
      return NetworkErrorClassifier.sendResult(of: exchange, server)
    }
    let response = ErrorResponse(graph: exchange)
    if status == 400, response.codes.contains(where: { $0.hasPrefix("ErrorMimeContent") }) {
      let mailbox = api.mailbox ?? user
      return SendResult(.ready, "reached \(name), may send as \(mailbox)")
    }
    guard status >= 300 else {
      return SendResult(
        .held(.transport),
        "\(name) answered \(status) to a request without a mail; check that \"endpoint\" is Microsoft Graph")
    }
    let row = row(response)
    let message = response.text(advice: row?.advice ?? "")
    let wait = exchange.retryAfter.wait(from: now)
    switch row?.kind {
    case .held, .heldMail: return SendResult(.held(.transport, retryAfter: Int64(wait)), message)
    case .rejected, .unsuited:
      return SendResult(.held(.transport), "\(message); check that \"endpoint\" is Microsoft Graph")
    case .deferred, .unknown, nil:
      return SendResult(.deferred(retryAfter: Int64(wait)), message)
    }
  }
}

extension ErrorResponse {
  /// Reads Graph's error object, whose nested `innererror` objects are more specific (learn.microsoft.com/graph/errors).
  init(graph exchange: HTTPExchange) {
    let status = exchange.status ?? 0
    guard let answer = JSONValue(answer: exchange.body) else {
      self.init(status: status, foreign: exchange.body)
      return
    }
    self.init(status: status)
    guard let error = answer.member("error", ifRepeated: .first) else { return }
    // A front end may use OAuth's error format (RFC 6749, 5.2).
    if let code = error.string {
      codes = [code]
      return
    }
    message = error.member("message", ifRepeated: .first)?.string ?? ""
    var next: JSONValue? = error
    while let object = next {
      if let code = object.member("code", ifRepeated: .first)?.string, !code.isEmpty {
        codes.insert(code, at: 0)
      }
      next =
        object.member("innerError", ifRepeated: .first) ?? object.member("innererror", ifRepeated: .first)
    }
  }
}
