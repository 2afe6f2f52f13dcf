internal import HTTPTypes
internal import Hummingbird

/// Why a request was not done, as RFC 9457 has it; `kind` is the last part of its type and never changes.
struct HTTPProblem: Error {
  /// One thing that is wrong with a request's body.
  struct Fault: Encodable {
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
  var faults: [Fault] = []
  var limit: String?
  var retryAfter: Int64?
  var fields = HTTPFields()

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
    let errors: [Fault]?
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
      errors: faults.isEmpty ? nil : faults, limit: limit)
    var response = Response.json(body, status: status)
    response.headers[.contentType] = "application/problem+json"
    response.headers.append(contentsOf: fields)
    if let retryAfter { response.headers[.retryAfter] = "\(retryAfter)" }
    if let limit, let retryAfter { response.headers[.rateLimit] = "\"\(limit)\";r=0;t=\(retryAfter)" }
    return response
  }
}

extension HTTPProblem {
  static let noSuchPath = HTTPProblem("not-found", .notFound, "There is nothing at this path")
  static let tooLarge: HTTPProblem = {
    var problem = HTTPProblem("too-large", .contentTooLarge, "The body is longer than 65536 octets")
    problem.fields[.connection] = "close"
    return problem
  }()
  static let inFlight = HTTPProblem(
    "idempotency-key-in-flight", .conflict, "A request with this Idempotency-Key is not answered yet",
    detail: "send it again once the first has been answered")

  static func noSuchMethod(_ allowed: [HTTPRequest.Method]) -> HTTPProblem {
    var problem = HTTPProblem(
      "method-not-allowed", .methodNotAllowed, "The path doesn't take this method")
    problem.fields[.allow] = allowed.map(\.rawValue).joined(separator: ", ")
    return problem
  }

  static func invalid(_ faults: [Fault]) -> HTTPProblem {
    var problem = HTTPProblem(
      "invalid-request", .badRequest, "The request is wrong",
      detail: faults.map { $0.field.isEmpty ? $0.detail : "\($0.field): \($0.detail)" }.joined(
        separator: "; "))
    problem.faults = faults
    return problem
  }

  static func invalid(_ field: String, _ detail: String) -> HTTPProblem {
    invalid([Fault(field: field, detail: detail)])
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
  static let rateLimitPolicy = known("RateLimit-Policy")
  static let forwardedFor = known("X-Forwarded-For")
}
