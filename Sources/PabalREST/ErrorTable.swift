package import PabalFormats
internal import PabalPlugin

/// A response other than success, as far as the table of an API reads it.
package struct ErrorResponse: Equatable {
  /// The HTTP status, 300 to 599.
  package let status: Int
  /// The API's codes for what is wrong, the most specific first.
  package var codes: [String]
  /// The API's message, or the text of a body that isn't JSON.
  package var message: String
  /// Whether there is a body that isn't JSON, as front ends and proxies send it.
  package private(set) var isForeign = false

  /// A response from its parts.
  package init(status: Int, codes: [String] = [], message: String = "") {
    self.status = status
    self.codes = codes
    self.message = message
  }

  /// A response whose body isn't JSON.
  package init(status: Int, foreign body: [UInt8]) {
    self.init(status: status, message: ResponseText.excerpt(body))
    isForeign = !body.isEmpty
  }
}

/// One row of a table of errors: a refusal with one of these statuses and, if given, codes and text in its message.
package struct ErrorRow: Sendable {
  /// What a refusal means.
  package enum Kind: Sendable {
    /// The API will never accept this mail.
    case rejected
    /// Another attempt may succeed.
    case deferred
    /// The account or its set-up must be corrected.
    case held
    /// The mail must be corrected by its sender, for example its From.
    case heldMail
    /// The API can't carry this mail.
    case unsuited
    /// The mail may have been sent.
    case unknown
  }

  let statuses: ClosedRange<Int>
  /// The codes; `nil` for any.
  package let codes: Set<String>?
  let message: String?
  /// What it means.
  package let kind: Kind
  /// What to do; may be empty.
  package let advice: String

  /// A row; `statuses` of 300 to 599 if the codes decide alone.
  package init(
    _ statuses: ClosedRange<Int> = 300...599, codes: Set<String>? = nil, message: String? = nil, _ kind: Kind,
    _ advice: String = ""
  ) {
    self.statuses = statuses
    self.codes = codes
    self.message = message
    self.kind = kind
    self.advice = advice
  }

  /// Whether the status and the message fit; doesn't look at the codes.
  package func matches(_ response: ErrorResponse) -> Bool {
    statuses.contains(response.status) && message.map { response.message.contains($0) } ?? true
  }
}

/// The table from an API's refusals to outcomes: by code, or by status if no code is known.
package struct ErrorTable: Sendable {
  /// Tried before all codes, because the API reports them with several codes.
  package let byMessage: [ErrorRow]
  /// Tried in order for each of a refusal's codes.
  package let byCode: [ErrorRow]
  /// For refusals without a known code.
  package let byStatus: [ErrorRow]

  /// A table.
  package init(byMessage: [ErrorRow] = [], byCode: [ErrorRow], byStatus: [ErrorRow]) {
    self.byMessage = byMessage
    self.byCode = byCode
    self.byStatus = byStatus
  }

  /// Returns the row for one of the codes; `nil` if none is known.
  package func rowByCode(_ response: ErrorResponse) -> ErrorRow? {
    if let row = byMessage.first(where: { $0.matches(response) }) { return row }
    for code in response.codes {
      if let row = byCode.first(where: { $0.matches(response) && $0.codes?.contains(code) == true }) {
        return row
      }
    }
    return nil
  }

  /// Returns the row that decides.
  package func row(_ response: ErrorResponse) -> ErrorRow? {
    rowByCode(response) ?? byStatus.first { $0.matches(response) }
  }
}

extension SendResult {
  /// The result of a refused attempt; `wait` in seconds.
  ///
  /// A mail that `mayExceedLimits` of the API is unsuited rather than rejected, so that another transport can try.
  package init(
    _ row: ErrorRow?, _ response: ErrorResponse, of exchange: HTTPExchange, wait: Int, mayExceedLimits: Bool
  ) {
    let message = response.text(advice: row?.advice ?? "")
    let verdict: Verdict
    if exchange.failure != nil, response.status < 500, response.codes.isEmpty {
      // The code is missing because the response is incomplete, but the mail was refused.
      verdict = .deferred(retryAfter: Int64(wait))
    } else {
      verdict =
        switch row?.kind {
        case .rejected where mayExceedLimits: .unsuited
        case .rejected: .rejected
        case .deferred: .deferred(retryAfter: Int64(wait))
        case .held: .held(.transport, retryAfter: Int64(wait))
        case .heldMail: .held(.mail, retryAfter: Int64(wait))
        case .unsuited: .unsuited
        case .unknown, nil: exchange.isFullySent ? .unknown : .deferred(retryAfter: Int64(wait))
        }
    }
    self.init(verdict, message)
  }
}

extension ErrorResponse {
  /// Status, code and message of the API, and our advice, on one line.
  package func text(advice: String) -> String {
    let code = codes.first.map { " \($0)" } ?? ""
    let message = message.isEmpty ? "" : ": \(message)"
    return "\(status)\(code)\(message)\(advice.isEmpty ? "" : "; \(advice)")"
  }
}

extension JSONValue {
  /// Parses an answer of an API; `nil` if it is not JSON or has more than 32 levels.
  package init?(answer bytes: [UInt8]) {
    guard let value = try? JSONParser(maxDepth: 32, skipsByteOrderMark: false).parse(bytes.span) else {
      return nil
    }
    self = value
  }
}
