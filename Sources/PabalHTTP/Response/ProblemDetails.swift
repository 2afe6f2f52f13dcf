internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// Why a request was not done, as RFC 9457 has it; `kind` is the last part of its type and never changes.
struct ProblemDetails: Error {
  /// One thing that is wrong with a request's body.
  struct FieldError: Encodable {
    /// Where: `to`, `variables.name`, or a header's name.
    let field: String
    let detail: String

    enum CodingKeys: String, CodingKey {
      case field = "field"
      case detail = "detail"
    }
  }

  let kind: String
  let status: HTTPResponse.Status
  let title: String
  var detail: String?
  var fieldErrors: [FieldError] = []
  var limit: String?
  var retryAfter: Int64?
  var headers = HTTPFields()

  init(_ kind: String, _ status: HTTPResponse.Status, _ title: String, detail: String? = nil) {
    self.kind = kind
    self.status = status
    self.title = title
    self.detail = detail
  }

  private struct Body: Encodable {
    let type: String
    let title: String
    let status: Int
    let detail: String?
    let errors: [FieldError]?
    let limit: String?

    enum CodingKeys: String, CodingKey {
      case type = "type"
      case title = "title"
      case status = "status"
      case detail = "detail"
      case errors = "errors"
      case limit = "limit"
    }
  }

  /// The answer that tells it.
  var response: Response {
    let body = Body(
      type: "/problems/\(kind)", title: title, status: status.code, detail: detail,
      errors: fieldErrors.isEmpty ? nil : fieldErrors, limit: limit)
    var response = Response.json(body, status: status)
    response.headers[.contentType] = "application/problem+json"
    response.headers.append(contentsOf: headers)
    if let retryAfter { response.headers[.retryAfter] = "\(retryAfter)" }
    if let limit, let retryAfter { response.headers[.rateLimit] = "\"\(limit)\";r=0;t=\(retryAfter)" }
    return response
  }
}

extension ProblemDetails {
  static let pathNotFound = ProblemDetails("not-found", .notFound, "There is nothing at this path")
  static let bodyTooLarge: ProblemDetails = {
    var problem = ProblemDetails("too-large", .contentTooLarge, "The body is longer than 65536 octets")
    problem.headers[.connection] = "close"
    return problem
  }()
  static let inFlight = ProblemDetails(
    "idempotency-key-in-flight", .conflict, "A request with this Idempotency-Key is not answered yet",
    detail: "send it again once the first has been answered")

  static func methodNotAllowed(_ allowed: [HTTPRequest.Method]) -> ProblemDetails {
    var problem = ProblemDetails(
      "method-not-allowed", .methodNotAllowed, "The path doesn't take this method")
    problem.headers[.allow] = allowed.map(\.rawValue).joined(separator: ", ")
    return problem
  }

  static func invalid(_ fieldErrors: [FieldError]) -> ProblemDetails {
    var problem = ProblemDetails(
      "invalid-request", .badRequest, "The request is wrong",
      detail: fieldErrors.map { $0.field.isEmpty ? $0.detail : "\($0.field): \($0.detail)" }.joined(
        separator: "; "))
    problem.fieldErrors = fieldErrors
    return problem
  }

  static func invalid(_ field: String, _ detail: String) -> ProblemDetails {
    invalid([FieldError(field: field, detail: detail)])
  }
}

extension HTTPField.Name {
  private static func known(_ name: String) -> HTTPField.Name {
    guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is a token") }
    return name
  }

  static let idempotencyKey = known("Idempotency-Key")
  static let prefer = known("Prefer")
  static let preferenceApplied = known("Preference-Applied")
  static let rateLimit = known("RateLimit")
  static let forwardedFor = known("X-Forwarded-For")
}

extension ProblemDetails {
  /// What a caller is told of a refusal, and nothing more: what is wrong with the site is for its log.
  init(_ problem: VerificationError) {
    switch problem {
    case .unknown:
      self.init(
        "no-such-verification", .notFound, "There is no such verification",
        detail: "an ended one is kept for a day")
    case .limited(let limit, let wait):
      // Nobody but the operator can make room, so it is the service that is not available.
      self.init(
        "limit-reached", limit == .overall ? .serviceUnavailable : .tooManyRequests, "A limit is reached",
        detail: problem.description)
      self.limit = limit.rawValue
      retryAfter = wait?.wholeSecondsUp
    case .ended(let state):
      self.init("ended", .conflict, "The verification has ended", detail: "it is \(state.rawValue)")
    case .input(let field, let message):
      self = .invalid(field, message)
    case .proof(let proof):
      switch proof {
      case .unknown: self.init("no-such-proof", .notFound, "There is no such proof")
      case .redeemed: self.init("proof-redeemed", .conflict, "The proof was redeemed before")
      case .expired: self.init("proof-expired", .gone, "The proof's time is over")
      }
    case .reused: self = .reused
    case .brokenMessage: self = .brokenMessage
    case .keys:
      self.init("keys-missing", .serviceUnavailable, "A key is missing here", detail: "see the log")
      retryAfter = 60
    case .storage: self = .storageUnavailable
    }
  }

  init(_ problem: MailSubmissionError) {
    switch problem {
    case .reused: self = .reused
    case .mailDeleted:
      self.init(
        "no-such-mail", .notFound, "There is no such mail",
        detail: "the one that this Idempotency-Key made is no longer kept")
    case .storage: self = .storageUnavailable
    }
  }

  /// `field` is where the request names the message; `nil`: its path does.
  init(_ problem: MessageComposerError, named field: String?) {
    switch problem {
    case .unknown(let message):
      self =
        field.map { .invalid($0, message) }
        ?? ProblemDetails("no-such-message", .notFound, "There is no such message", detail: message)
    case .input(let field, let message): self = .invalid(field, message)
    case .broken: self = .brokenMessage
    }
  }

  static let mailNotFound = ProblemDetails("no-such-mail", .notFound, "There is no such mail")
  static let reused = ProblemDetails(
    "idempotency-key-reused", .unprocessableContent, "The Idempotency-Key came before with another request")
  private static let brokenMessage: ProblemDetails = {
    var problem = ProblemDetails(
      "message-broken", .serviceUnavailable, "The message can't be rendered", detail: "see the log")
    problem.retryAfter = 60
    return problem
  }()
  private static let storageUnavailable: ProblemDetails = {
    var problem = ProblemDetails(
      "storage-unavailable", .serviceUnavailable, "The store could not do it", detail: "nothing was done")
    problem.retryAfter = 5
    return problem
  }()
}
