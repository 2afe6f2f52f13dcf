internal import PabalPlugin

/// From answer to outcome: the one table, by reason first and by status where no reason is known.
enum Judgement {
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
    let words: String?
    let kind: Kind
    let advice: String

    init(
      _ statuses: ClosedRange<Int>, reasons: Set<String>? = nil, words: String? = nil, _ kind: Kind,
      _ advice: String = ""
    ) {
      self.statuses = statuses
      self.reasons = reasons
      self.words = words
      self.kind = kind
      self.advice = advice
    }
  }

  private static let any = 300...599

  /// The row that comes before every reason: Gmail says it with more than one.
  private static let noMailbox = Row(
    400...400, words: "Mail service not enabled", .held,
    "the account has no Gmail mailbox; let the administrator switch Gmail on, or take another account")

  /// The rows in the order in which they are tried, for each of a refusal's reasons in turn.
  static let byReason: [Row] = [
    // status   reason                                              words            kind
    Row(
      any,
      reasons: ["rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"],
      words: "(Mail sending)", .held,
      "the mailbox has reached its sending limit for a day, which counts for the web and SMTP too"),
    Row(
      any,
      reasons: ["rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"],
      .deferred),
    Row(
      any, reasons: ["dailyLimitExceeded", "quotaExceeded"], .held,
      "the Google Cloud project has used its quota up; raise it in the console, or wait until it is renewed"),
    Row(
      any, reasons: ["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"], .held,
      "the account was not given the scope gmail.send; log it in again and allow sending"),
    Row(
      any, reasons: ["accessNotConfigured", "SERVICE_DISABLED"], .held,
      "the Gmail API is off in the Google Cloud project; switch it on there (Guides/Google.md#4-gmail-api), and wait a few minutes"
    ),
    Row(
      any, reasons: ["domainPolicy"], .held,
      "the administrator of the Workspace domain blocks this app; ask for it to be allowed"),
    Row(
      any, reasons: ["authError", "UNAUTHENTICATED", "invalid_token"], .held,
      "the token is refused, a new one too; log the account in again"),
    Row(any, reasons: ["uploadTooLarge"], .unsuited),
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
    Row(429...429, words: "(Mail sending)", .held, "the mailbox has reached its sending limit for a day"),
    Row(429...429, .deferred),
    Row(400...499, .held, "check \"endpoint\": this is no answer of Gmail's"),
    Row(500...599, .unknown),
  ]

  /// The row that decides.
  static func row(for refusal: Refusal) -> Row? {
    if fits(noMailbox, refusal) { return noMailbox }
    for reason in refusal.reasons {
      let row = byReason.first { fits($0, refusal) && $0.reasons?.contains(reason) == true }
      if let row { return row }
    }
    if refusal.status == 400, refusal.isGoogle { return Row(400...400, .rejected) }
    return byStatus.first { fits($0, refusal) }
  }

  private static func fits(_ row: Row, _ refusal: Refusal) -> Bool {
    row.statuses.contains(refusal.status) && row.words.map { refusal.message.contains($0) } ?? true
  }

  /// How an attempt to send ended.
  static func ending(
    of exchange: Exchange, _ submission: Submission, _ upload: Upload, _ service: Service, now: Int
  ) -> Ending {
    guard let status = exchange.status else { return NetworkFailure.ending(of: exchange, service) }
    if (200...299).contains(status) { return success(exchange, upload, service) }
    let refusal = Refusal(status: status, body: exchange.body)
    let wait = [RetryTime.seconds(in: refusal.message, now: now) ?? 0, exchange.retryAfter].max() ?? 0
    let row = row(for: refusal)
    let words = words(refusal, advice: row?.advice ?? "")
    // Its reason has been lost; it was refused all the same.
    if exchange.failure != nil, status < 500, refusal.reasons.isEmpty {
      return Ending(.deferred(retryAfter: Int64(wait)), words)
    }
    switch row?.kind {
    case .rejected where submission.mayBeBeyondGmail:
      return Ending(.unsuited, words)
    case .rejected: return Ending(.rejected, words)
    case .deferred: return Ending(.deferred(retryAfter: Int64(wait)), words)
    case .held: return Ending(.held(.transport, retryAfter: Int64(wait)), words)
    case .unsuited: return Ending(.unsuited, words)
    case .unknown, nil:
      return Ending(exchange.isHandedOver ? .unknown : .deferred(retryAfter: Int64(wait)), words)
    }
  }

  private static func success(_ exchange: Exchange, _ upload: Upload, _ service: Service) -> Ending {
    guard exchange.isHandedOver else {
      return Ending(
        .deferred(),
        "\(service.endpoint.name) answers \(exchange.status ?? 0) before it can have read the mail; is \"endpoint\" Gmail's?"
      )
    }
    // A text that broke off is no JSON; framing that contradicts itself may have made one up.
    if exchange.failure != .garbled, let id = JSONText(exchange.body)?["id"]?.string, !id.isEmpty {
      let note = upload.hasOtherSender ? "; bounces go to the account, the API takes no other sender" : ""
      return Ending(.sent, "200 accepted as \(id)\(note)", id: id)
    }
    if let failure = exchange.failure {
      return Ending(
        .unknown,
        "\(exchange.status ?? 0), but the answer is not whole: \(NetworkFailure.words(failure, service))")
    }
    return Ending(
      .unknown,
      "\(service.endpoint.name) answers \(exchange.status ?? 0) without an id of the mail; is \"endpoint\" Gmail's?"
    )
  }

  /// Google's words and ours, on one line.
  static func words(_ refusal: Refusal, advice: String) -> String {
    let reason = refusal.reasons.first.map { " \($0)" } ?? ""
    let message = refusal.message.isEmpty ? "" : ": \(refusal.message)"
    return "\(refusal.status)\(reason)\(message)\(advice.isEmpty ? "" : "; \(advice)")"
  }
}

extension Submission {
  /// Whether a refusal may be Gmail's limit, not the mail's fault: then another transport may carry it.
  ///
  /// Nobody says whether the API takes addresses beyond ASCII (RFC 6532), or more than 100 recipients.
  fileprivate var mayBeBeyondGmail: Bool { needsSMTPUTF8 || recipients.count > 100 }
}
