internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// The demo page in one of its states, as the values of its template.
struct DemoView {
  let strings: PageStrings
  /// The address as it was entered.
  let address: String
  private let code: String
  private(set) var status = HTTPResponse.Status.ok
  private(set) var retryAfter: Int64?
  private var values: [String: String]

  /// The number of digits in a form's random number, enough that it can't be guessed.
  static let onceLength = 40

  private static let template = PageTemplate(String(decoding: PackageResources.verify_html, as: UTF8.self))

  private init(_ strings: PageStrings, _ form: DemoForm, heading: String) {
    self.strings = strings
    address = form.address ?? ""
    code = form.code ?? ""
    values = [
      "heading": strings[heading], "language": strings.language, "other_language": strings.other.language,
      "other_name": strings.other["name"], "address": address,
    ]
    for (name, text) in strings.texts { values["words.\(name)"] = text }
  }

  /// Returns the page that asks for an address.
  static func address(_ strings: PageStrings, _ form: DemoForm) -> DemoView {
    var view = DemoView(strings, form, heading: "heading_address")
    view.values["asks_address"] = "yes"
    view.values["once"] = newOnce()
    return view
  }

  /// Returns the random number of a form that sends mail.
  private static func newOnce() -> String {
    (0..<onceLength).map { _ in "\(Int.random(in: 0...9))" }.joined()
  }

  /// Returns the page that asks for the code of a pending verification, or that says how the verification ended.
  static func verification(
    _ verification: Verification, _ strings: PageStrings, _ form: DemoForm, at now: Timestamp
  ) -> DemoView {
    switch verification.state {
    case .approved, .consumed: return ended("already_approved", strings, form, of: verification)
    case .exhausted, .expired, .cancelled, .superseded:
      return ended(verification.state.rawValue, strings, form, of: verification)
    case .undeliverable:
      let isAddressWrong = rejectsAddress(verification.delivery?.status)
      return address(strings, form).withError(
        isAddressWrong ? "delivery.rejected" : "delivery.refused", .unprocessableContent)
    case .pending: break
    }
    var view = DemoView(strings, form, heading: "heading_code")
    let left = max(verification.expires - now, .zero).wholeSecondsUp
    view.values.merge([
      "asks_code": "yes", "verification": verification.id,
      "shown_address": view.address.isEmpty ? verification.masked : view.address,
      "code_hint": strings.count("code_hint", verification.digits), "expires": "\(left)",
      "expires_text": strings.duration(left),
    ]) { $1 }
    if let resend = verification.resendAt {
      view.values["resend"] = "yes"
      let wait = max(resend - now, .zero).wholeSecondsUp
      if wait > 0 {
        let aroundTime = strings.aroundTime("resend_wait")
        view.values.merge([
          "resend_before": aroundTime.before, "resend_after": aroundTime.after, "resend_wait": "\(wait)",
          "resend_text": strings.duration(wait),
        ]) { $1 }
      }
    }
    view.setDelivery(verification.delivery)
    return view
  }

  /// Whether a reply such as `550 5.1.1` says that the address is wrong, and not that its server refuses this mail.
  ///
  /// The enhanced status decides if there is one (RFC 3463: 5.1.x is about addresses, 5.2.1 a disabled mailbox),
  /// otherwise the code (RFC 5321, 4.2.3). Without a reply, no transport could carry mail to the address.
  static func rejectsAddress(_ reply: String?) -> Bool {
    guard let words = reply?.split(separator: " "), let code = words.first else { return true }
    if words.count > 1 { return words[1].hasPrefix("5.1.") || words[1] == "5.2.1" }
    return ["550", "551", "553"].contains(code)
  }

  /// Returns the page that says how a verification ended; `end` is `approved`, `already_approved` or a state's name.
  static func ended(
    _ end: String, _ strings: PageStrings, _ form: DemoForm, of verification: Verification,
    proven: String? = nil
  ) -> DemoView {
    var view = DemoView(strings, form, heading: "heading_\(end)")
    view.values["ended"] = end
    view.values["verification"] = verification.id
    view.values["story"] = strings(end, "address", proven ?? verification.masked)
    if end.hasSuffix("approved") {
      view.values["again"] = "yes"
    } else if view.address.isEmpty {
      view.values["asks_again"] = "yes"
    } else {
      view.values["sends_again"] = "yes"
      view.values["once"] = newOnce()
    }
    return view
  }

  /// Returns the page with an error message.
  func withError(_ name: String, _ status: HTTPResponse.Status, count: Int? = nil) -> DemoView {
    var view = self
    view.status = status
    // Keeps the code in its field so that it can be corrected.
    view.values["code"] = code
    view.values["error"] = count.map { strings.count(name, $0) } ?? strings[name]
    return view
  }

  /// Returns the page with a notice of success.
  func withNotice(_ name: String) -> DemoView {
    var view = self
    view.values["notice"] = strings[name]
    return view
  }

  /// Returns the page with the reason for an error and, for a limit, the time until it is lifted.
  func withError(_ error: VerificationError) -> DemoView {
    switch error {
    case .limited(let limit, let wait):
      var view = withError(
        "limit.\(limit.rawValue)", limit == .overall ? .serviceUnavailable : .tooManyRequests)
      guard let wait = wait?.wholeSecondsUp else { return view }
      let aroundTime = strings.aroundTime("retry")
      view.retryAfter = wait
      view.values.merge([
        "wait_before": aroundTime.before, "wait_after": aroundTime.after, "wait_text": strings.duration(wait),
      ]) { $1 }
      // A countdown of more than an hour isn't useful.
      if wait < 3_600 { view.values["wait"] = "\(wait)" }
      return view
    case .input(field: "to", message: _): return withError("bad_address", .unprocessableContent)
    case .unknown, .ended: return withError("unknown", .notFound)
    default: return withError("unavailable", .serviceUnavailable)
    }
  }

  /// Returns the page with the mail shown beside it; the URL of its HTML part is `frame`.
  func withMail(_ mail: DecodedMail, _ bytes: [UInt8], frame: String) -> DemoView {
    var view = self
    view.values.merge([
      "mail": String(decoding: bytes, as: UTF8.self), "mail_from": mail.from, "mail_to": mail.to,
      "mail_subject": mail.subject, "mail_text": mail.text ?? "", "mail_html": mail.html == nil ? "" : frame,
    ]) { $1 }
    return view
  }

  /// The page's HTML.
  var html: String { DemoView.template.render(values) }

  private mutating func setDelivery(_ delivery: MailStatus?) {
    guard let delivery else { return }
    let (name, isTrouble, isOpen): (String, Bool, Bool) =
      switch (delivery.state, delivery.outcome) {
      case (_, "unknown"), (.unknown, _): ("unknown", true, delivery.state != .unknown)
      case (.waiting, _), (.sending, _): ("waiting", false, true)
      case (.deferred, _): ("deferred", true, true)
      case (.held, _): ("held", true, true)
      case (.sent, _): ("sent", false, false)
      case (.rejected, _): ("rejected", true, false)
      case (.expired, _), (.superseded, _), (.cancelled, _): ("failed", true, false)
      }
    values["delivery"] = strings["delivery.\(name)"]
    values["delivery_kind"] = isTrouble ? "trouble" : "news"
    if isOpen { values["delivery_again"] = "yes" }
  }
}

/// The fields of the page's forms.
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

  /// An empty form.
  init() {}

  /// Reads the form of a request; throws if another site's page sent it or the body isn't a form.
  init(_ request: Request) async throws(ProblemDetails) {
    try DemoForm.rejectCrossSite(request)
    let type = (request.headers[.contentType] ?? "").prefix { $0 != ";" }
    guard String(type).trimmed.lowercased() == "application/x-www-form-urlencoded" else {
      throw ProblemDetails("unsupported-media-type", .unsupportedMediaType, "The body isn't a form")
    }
    let bytes = try await request.bytes()
    let form = String(validating: bytes, as: UTF8.self).flatMap {
      try? URLEncodedFormDecoder().decode(DemoForm.self, from: $0)
    }
    guard let form else { throw .invalid("", "the body isn't a valid form") }
    self = form
  }

  /// Throws if another site's page sent the form on behalf of its visitor (cross-site request forgery).
  ///
  /// Browsers name the origin of a form in `Sec-Fetch-Site`; older ones, and all on plain HTTP, in `Origin`. Clients
  /// other than browsers send neither and can't be abused in this way.
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
      throw ProblemDetails("foreign-form", .forbidden, "Another site's page sent the form")
    }
  }
}

extension HTTPField.Name {
  fileprivate static let secFetchSite: HTTPField.Name = {
    guard let name = HTTPField.Name("Sec-Fetch-Site") else { preconditionFailure("it is a token") }
    return name
  }()
}
