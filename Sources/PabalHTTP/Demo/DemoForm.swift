internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// What a form of the page sends.
struct DemoForm: Decodable, Sendable {
  var verification: String?
  var address: String?
  var code: String?
  var language: String?
  var once: String?

  enum CodingKeys: String, CodingKey {
    case verification = "verification"
    case address = "address"
    case code = "code"
    case language = "language"
    case once = "once"
  }

  /// Nothing.
  init() {}

  /// Reads the form of a request that the page itself sent.
  init(_ request: Request) async throws(ProblemDetails) {
    try DemoForm.rejectCrossSite(request)
    let type = (request.headers[.contentType] ?? "").prefix { $0 != ";" }
    guard String(type).trimmed.lowercased() == "application/x-www-form-urlencoded" else {
      throw ProblemDetails("unsupported-media-type", .unsupportedMediaType, "The body is no form")
    }
    let octets = try await request.octets()
    let form = String(validating: octets, as: UTF8.self).flatMap {
      try? URLEncodedFormDecoder().decode(DemoForm.self, from: $0)
    }
    guard let form else { throw .invalid("", "the body is no form") }
    self = form
  }

  /// Another site's page may not post in its visitor's name.
  ///
  /// Browsers say by `Sec-Fetch-Site`, older ones and those on plain HTTP by `Origin`, where a post comes from; what is
  /// no browser says neither, and acts in nobody's name.
  private static func rejectCrossSite(_ request: Request) throws(ProblemDetails) {
    let isSameSite =
      if let site = request.headers[.secFetchSite] {
        site == "same-origin" || site == "none"
      } else if let origin = request.headers[.origin] {
        origin.firstRange(of: "://").map { String(origin[$0.upperBound...]) } == request.head.authority
      } else {
        true
      }
    guard isSameSite else {
      throw ProblemDetails("foreign-form", .forbidden, "The form was sent by another site's page")
    }
  }
}

extension HTTPField.Name {
  fileprivate static let secFetchSite: HTTPField.Name = {
    guard let name = HTTPField.Name("Sec-Fetch-Site") else { preconditionFailure("it is a token") }
    return name
  }()
}
