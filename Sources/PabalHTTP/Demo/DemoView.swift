internal import HTTPTypes
internal import PabalCore

/// The page in one of its states, as the values of its template.
struct DemoView {
  let words: PageWords
  /// The address as its owner typed it.
  let address: String
  private let code: String
  private(set) var status = HTTPResponse.Status.ok
  private(set) var retryAfter: Int64?
  private var values: [String: String]

  /// How many digits make a form one that nobody guesses.
  static let onceLength = 40

  private static let template = PageTemplate(String(decoding: PackageResources.verify_html, as: UTF8.self))

  private init(_ words: PageWords, _ form: DemoForm, heading: String) {
    self.words = words
    address = form.address ?? ""
    code = form.code ?? ""
    values = [
      "heading": words[heading], "language": words.language, "other_language": words.other.language,
      "other_name": words.other["name"], "address": address,
    ]
    for (name, text) in words.texts { values["words.\(name)"] = text }
  }

  /// The page that asks for an address.
  static func address(_ words: PageWords, _ form: DemoForm) -> DemoView {
    var view = DemoView(words, form, heading: "heading_address")
    view.values["asks_address"] = "yes"
    view.values["once"] = (0..<onceLength).map { _ in "\(Int.random(in: 0...9))" }.joined()
    return view
  }

  /// The page that asks for the code of a verification that is pending, or tells how it ended.
  static func verification(
    _ verification: Verification, _ words: PageWords, _ form: DemoForm, at now: Timestamp
  ) -> DemoView {
    switch verification.state {
    case .approved, .consumed: return ended("already_approved", words, form, of: verification)
    case .exhausted, .expired, .cancelled, .superseded:
      return ended(verification.state.rawValue, words, form, of: verification)
    case .pending: break
    }
    if verification.delivery?.state == .rejected {
      return address(words, form).told("delivery.rejected", .unprocessableContent)
    }
    var view = DemoView(words, form, heading: "heading_code")
    let left = max(verification.expires - now, .zero).wholeSecondsUp
    view.values.merge([
      "asks_code": "yes", "verification": verification.id,
      "shown_address": view.address.isEmpty ? verification.masked : view.address,
      "code_hint": words.count("code_hint", verification.digits), "expires": "\(left)",
      "expires_text": words.duration(left),
    ]) { $1 }
    if let resend = verification.resendAt {
      view.values["resend"] = "yes"
      let wait = max(resend - now, .zero).wholeSecondsUp
      if wait > 0 {
        let around = words.around("resend_wait")
        view.values.merge([
          "resend_before": around.before, "resend_after": around.after, "resend_wait": "\(wait)",
          "resend_text": words.duration(wait),
        ]) { $1 }
      }
    }
    view.tell(verification.delivery)
    return view
  }

  /// The page that tells how a verification ended: `approved`, `already_approved` or the name of its state.
  static func ended(
    _ end: String, _ words: PageWords, _ form: DemoForm, of verification: Verification, proven: String? = nil
  ) -> DemoView {
    var view = DemoView(words, form, heading: "heading_\(end)")
    view.values["ended"] = end
    view.values["verification"] = verification.id
    view.values["story"] = words(end, "address", proven ?? verification.masked)
    view.values["again_address"] = end.hasSuffix("approved") ? "" : view.address
    return view
  }

  /// The same with words on what went wrong.
  func told(_ name: String, _ status: HTTPResponse.Status, count: Int? = nil) -> DemoView {
    var view = self
    view.status = status
    // To be mended, or seen to be wrong.
    view.values["code"] = code
    view.values["error"] = count.map { words.count(name, $0) } ?? words[name]
    return view
  }

  /// The same with words on what went right.
  func noticed(_ name: String) -> DemoView {
    var view = self
    view.values["notice"] = words[name]
    return view
  }

  /// The same with words on why it could not be done, and when it can.
  func told(_ problem: VerificationProblem) -> DemoView {
    switch problem {
    case .limited(let limit, let wait):
      var view = told(
        "limit.\(limit.rawValue)", limit == .overall ? .serviceUnavailable : .tooManyRequests)
      guard let wait = wait?.wholeSecondsUp else { return view }
      let around = words.around("retry")
      view.retryAfter = wait
      view.values.merge([
        "wait_before": around.before, "wait_after": around.after, "wait_text": words.duration(wait),
      ]) { $1 }
      // Longer times nobody watches run out.
      if wait < 3_600 { view.values["wait"] = "\(wait)" }
      return view
    case .input(field: "to", what: _): return told("bad_address", .unprocessableContent)
    case .unknown, .ended: return told("unknown", .notFound)
    default: return told("unavailable", .serviceUnavailable)
    }
  }

  /// The same with the mail beside it, whose HTML is at `frame`.
  func beside(_ mail: MailParts, _ octets: [UInt8], frame: String) -> DemoView {
    var view = self
    view.values.merge([
      "mail": String(decoding: octets, as: UTF8.self), "mail_from": mail.from, "mail_to": mail.to,
      "mail_subject": mail.subject, "mail_text": mail.text ?? "", "mail_html": mail.html == nil ? "" : frame,
    ]) { $1 }
    return view
  }

  /// The page.
  var html: String { DemoView.template.filled(values) }

  private mutating func tell(_ delivery: VerificationDelivery?) {
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
    values["delivery"] = words["delivery.\(name)"]
    values["delivery_kind"] = isTrouble ? "trouble" : "news"
    if isOpen { values["delivery_again"] = "yes" }
  }
}
