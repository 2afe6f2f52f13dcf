internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// An error response in the format of RFC 9457.
///
/// `kind` is the last part of its type. Clients branch on it, so it never changes.
struct ProblemDetails: Error {
  /// An error in one field of a request.
  struct FieldError: Encodable {
    /// The path of the field in the body, such as `to` or `variables.name`, or the name of a header field.
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

  /// The response that reports it.
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
  static let pathNotFound = ProblemDetails(
    "not-found", .notFound, "Path not found", detail: "/openapi.json lists the paths")

  /// The body is longer than `limit` bytes. Its rest isn't read.
  static func bodyTooLarge(_ limit: Int) -> ProblemDetails {
    var problem = ProblemDetails(
      "too-large", .contentTooLarge, "The body is longer than \(limit) bytes",
      detail: limit == bodyLimit ? nil : "the limit is serve.mails.size")
    problem.headers[.connection] = "close"
    return problem
  }

  /// The client closed the connection, or its time was up.
  static let incomplete = ProblemDetails(
    "incomplete", .badRequest, "The request ended before its body was complete")

  /// The body is of another type than JSON, or of a type that isn't declared.
  static func notJSON(_ type: String?, remedy: String = "send Content-Type: application/json")
    -> ProblemDetails
  {
    ProblemDetails(
      "unsupported-media-type", .unsupportedMediaType, "The body is not declared as JSON",
      detail: "the request has \(type == nil ? "no" : "another") Content-Type; \(remedy)")
  }

  /// A body with attachments whose rest is longer than other bodies.
  static let tooMuchBesidesAttachments = ProblemDetails(
    "too-large", .contentTooLarge, "Without its attachments, the body is longer than \(bodyLimit) bytes",
    detail: "pass files as attachments; only their content may be longer")

  /// The mail that was composed is longer than `limit` bytes.
  static func mailTooLarge(_ size: Int, limit: Int) -> ProblemDetails {
    ProblemDetails(
      "too-large", .contentTooLarge, "The mail is longer than \(limit) bytes",
      detail:
        "it would have \(size) bytes, in which attachments take a third more than their own size;"
        + " nothing was stored. The limit is serve.mails.size")
  }

  /// The memory for large mails is in use. The rest of the body is discarded.
  static let mailMemoryFull: ProblemDetails = {
    var problem = ProblemDetails(
      "mail-memory-full", .serviceUnavailable, "Too many large mails are arriving at once",
      detail: "nothing was changed; try again. The limit is serve.mails.memory, and half of it for one client"
    )
    problem.retryAfter = 5
    return problem
  }()

  static let inFlight = ProblemDetails(
    "idempotency-key-in-flight", .conflict, "A request with this Idempotency-Key is still being handled",
    detail: "repeat the request once the first one has been answered")

  static func scopeMissing(_ scope: APIScope) -> ProblemDetails {
    ProblemDetails(
      "scope-missing", .forbidden, "The key doesn't permit this request",
      detail: "add \"\(scope.rawValue)\" to the scopes of the client in serve.clients, or use another key")
  }

  /// The request needs a key, because it came through a proxy.
  static let keyNeeded = ProblemDetails(
    "scope-missing", .forbidden, "The request needs a key",
    detail: "through a proxy, callers without a key may only verify an address by its id;"
      + " create a key with `pabal keys client NAME`")

  /// The client may not use a sender of the envelope or the header.
  static func senderNotAllowed(_ detail: String) -> ProblemDetails {
    ProblemDetails("sender-not-allowed", .forbidden, "The sender isn't allowed", detail: detail)
  }

  /// The file system of the database has too little room.
  static let diskFull: ProblemDetails = {
    var problem = ProblemDetails(
      "insufficient-storage", HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage"),
      "Not enough disk space",
      detail: "nothing was stored; try again later")
    problem.retryAfter = 60
    return problem
  }()

  static func methodNotAllowed(_ allowed: [HTTPRequest.Method]) -> ProblemDetails {
    var problem = ProblemDetails(
      "method-not-allowed", .methodNotAllowed, "Method not allowed")
    problem.headers[.allow] = allowed.map(\.rawValue).joined(separator: ", ")
    return problem
  }

  /// The most errors that one response names, because a body may have thousands.
  private static let maxFieldErrors = 20

  static func invalid(_ fieldErrors: [FieldError]) -> ProblemDetails {
    let shown = fieldErrors.prefix(maxFieldErrors)
    var details = shown.map { $0.field.isEmpty ? $0.detail : "\($0.field): \($0.detail)" }
    if fieldErrors.count > shown.count { details.append("and \(fieldErrors.count - shown.count) more") }
    var problem = ProblemDetails(
      "invalid-request", .badRequest, "Invalid request", detail: details.joined(separator: "; "))
    problem.fieldErrors = Array(shown)
    return problem
  }

  static func invalid(_ errors: [InputError]) -> ProblemDetails {
    invalid(errors.map { FieldError(field: $0.field, detail: $0.message) })
  }

  static func invalid(_ field: String, _ detail: String) -> ProblemDetails {
    invalid([FieldError(field: field, detail: detail)])
  }
}

extension HTTPField.Name {
  private static func known(_ name: String) -> HTTPField.Name {
    guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) isn't a token") }
    return name
  }

  static let idempotencyKey = known("Idempotency-Key")
  static let prefer = known("Prefer")
  static let preferenceApplied = known("Preference-Applied")
  static let rateLimit = known("RateLimit")
  static let forwardedFor = known("X-Forwarded-For")
  static let keepAlive = known("Keep-Alive")
}

extension ProblemDetails {
  /// The response to an error of the verification service. Causes that concern only the operator are in the log, not here.
  init(_ error: VerificationError) {
    switch error {
    case .unknown:
      self.init(
        "no-such-verification", .notFound, "Verification not found",
        detail: "a verification is deleted a day after it has ended")
    case .limited(let limit, let wait):
      // 503 for the overall limit, because no caller has exceeded it and only the operator can raise it.
      self.init(
        "limit-reached", limit == .overall ? .serviceUnavailable : .tooManyRequests, "Limit reached",
        detail: error.description)
      self.limit = limit.rawValue
      retryAfter = wait?.wholeSecondsUp
    case .ended(let state):
      self.init("ended", .conflict, "The verification has ended", detail: "its status is \(state.rawValue)")
    case .input(let field, let message):
      self = .invalid(field, message)
    case .inputs(let errors): self = .invalid(errors)
    case .proof(let proof):
      switch proof {
      case .unknown: self.init("no-such-proof", .notFound, "Proof not found")
      case .redeemed: self.init("proof-redeemed", .conflict, "The proof has already been redeemed")
      case .expired: self.init("proof-expired", .gone, "The proof has expired")
      case .otherPurpose:
        self.init(
          "proof-purpose", .conflict, "The proof is for another purpose",
          detail: "it has not been redeemed; pass the purpose that the verification was started with")
      }
    case .reused: self = .reused
    case .brokenMessage(let diagnostics): self = .brokenMessage(diagnostics)
    case .keys:
      self.init(
        "keys-missing", .serviceUnavailable, "A key of the service is missing",
        detail: "the log of the service says which")
      retryAfter = 60
    case .storage(let error): self = .storageUnavailable(error)
    }
  }

  /// The response to an error of the mail submission.
  init(_ error: MailSubmissionError) {
    switch error {
    case .reused: self = .reused
    case .mailDeleted:
      self.init(
        "no-such-mail", .notFound, "Mail not found",
        detail: "the mail that this Idempotency-Key created is no longer kept")
    case .storage(let error): self = .storageUnavailable(error)
    }
  }

  /// The response to an error of the message composer. `field` is the field of the body that names the message; `nil` if
  /// the path names it.
  init(_ error: MessageComposerError, named field: String?) {
    switch error {
    case .unknown(let message):
      self =
        field.map { .invalid($0, message) }
        ?? ProblemDetails("no-such-message", .notFound, "Message not found", detail: message)
    case .input(let field, let message): self = .invalid(field, message)
    case .inputs(let errors): self = .invalid(errors)
    case .broken(let diagnostics): self = .brokenMessage(diagnostics)
    }
  }

  static let mailNotFound = ProblemDetails("no-such-mail", .notFound, "Mail not found")
  static let reused = ProblemDetails(
    "idempotency-key-reused", .unprocessableContent, "This Idempotency-Key was used with a different request")
  private static func brokenMessage(_ diagnostics: Diagnostics) -> ProblemDetails {
    // What is quoted from the file is left out; the log has the path of the file.
    let cause = diagnostics.all.first { $0.severity == .error } ?? diagnostics.all.first
    var problem = ProblemDetails(
      "message-broken", .serviceUnavailable, "The message can't be rendered",
      detail: cause?.located ?? "the log of the service says why")
    problem.retryAfter = 60
    return problem
  }

  private static func storageUnavailable(_ error: StorageError) -> ProblemDetails {
    var problem = ProblemDetails(
      "storage-unavailable", .serviceUnavailable, "The store failed",
      detail: error.kind == .unresolved
        ? "\(error.reason); ask for its state before you try again"
        : "\(error.reason); nothing was changed; try again")
    problem.retryAfter = 5
    return problem
  }
}
